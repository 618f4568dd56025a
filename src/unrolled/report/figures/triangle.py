"""The itemised triangle: how much of each step's loss comes to each state."""

from __future__ import annotations

import numpy as np

from unrolled.cells import Array
from unrolled.report.figures import layout, palette
from unrolled.report.figures.svg import WIDTH, Figure, Pen
from unrolled.traces import LayerTrace, Trace

LEFT, BETWEEN, SIDE = 72, 72, 384
"""Units before a matrix, between two, and of a side at most."""

CELL = 36
"""Units of a cell's side at most."""

CELLS = 256
"""Rows and columns at most; where there are more steps, a cell is the largest of several."""


def triangle(trace: Trace, b: int) -> Figure:
    """Draws it; the matrix is of all sequences together.

    Raises:
        NotKeptError: the itemised matrix was not kept.
    """
    del b
    matrices = [layer.G.astype(np.float64) for layer in trace.layers]
    decade = layout.top_decade(max(float(G.max(initial=0)) for G in matrices))
    pen, y, bottom = Pen(), 66.0, 66.0
    _scale(pen, decade, layout.loss_unit(trace))
    block = 1
    for number, (layer, G) in enumerate(zip(trace.layers, matrices, strict=True)):
        if number and number % 2 == 0:
            y = bottom
        x = LEFT + number % 2 * (SIDE + BETWEEN)
        block = -(-max(G.shape) // CELLS)
        bottom = max(bottom, _matrix(pen, layer, _largest(G, block), (x, y), (decade, block)))
    return Figure(
        "triangle", "Which step's loss reaches which state", _words(block, matrices[0]), bottom - 12, pen.body
    )


def _matrix(
    pen: Pen, layer: LayerTrace, G: Array, corner: tuple[float, float], scale: tuple[int, int]
) -> float:
    """One layer's; gives where the next may begin."""
    (x, y), (decade, block) = corner, scale
    S, T = G.shape
    cell = min(CELL, SIDE / max(S, T))
    wide, high = cell * T, cell * S
    logs = np.log10(np.maximum(G, 1e-300))
    levels = palette.levels(logs, decade - layout.DECADES, decade)
    s, t = np.indices(G.shape)
    future = (t < s) if layer.reverse else (t > s)
    if S == T:
        levels[future & (G == 0)] = -1  # a state that the loss knows nothing of
    pen.text(x, y - 8, f"{layer.name} {layer.cell.name}", "ink strong")
    pen.rect(x, y, wide, high, "lane")
    pen.cells(levels, "magnitude", (x, y), (wide, high))
    every = layout.tick(T * block, 10)
    for step in range(0, T * block, every):
        pen.text(
            x + (step / block + 0.5) * cell,
            y + high + 14,
            str(layer.first_step + step),
            "soft small",
            "middle",
        )
    for step in range(0, S * block, every):
        pen.text(x - 6, y + (step / block + 0.5) * cell + 4, str(step), "soft small", "end")
    pen.text(x, y + high + 30, "step t of the state h", "soft")
    pen.text(x - 6, y - 8, "loss s", "soft", "end")
    return y + high + 66


def _largest(G: Array, block: int) -> Array:
    """The largest of every block of a matrix.

    Shapes:
        G: ``[S, T]``; gives ``[S / block, T / block]``, rounded up.
    """
    padded = np.pad(G, [(0, -size % block) for size in G.shape])
    S, T = (size // block for size in padded.shape)
    return padded.reshape(S, block, T, block).max(axis=(1, 3))


def _scale(pen: Pen, decade: int, loss: str) -> None:
    """The colours with their powers of ten."""
    x, wide = WIDTH - 16 - 330, 330
    pen.cells(np.arange(palette.LEVELS)[None], "magnitude", (x, 6), (wide, 10))
    for step in range(layout.DECADES + 1):
        exponent = layout.power(decade - layout.DECADES + step)
        words = f"≤ {exponent}" if step == 0 else exponent
        pen.text(x + wide * step / layout.DECADES, 30, words, "soft small", "middle" if step else "start")
    pen.text(x - 12, 15, f"|∂Lₛ/∂hₜ| in {loss} per unit of h, log scale", "soft", "end")


def _words(block: int, G: Array) -> str:
    """What the figure shows."""
    if len(G) == 1 < G.shape[1]:
        return "A column is the state of one step; the model has one loss, so there is one row."
    words = (
        "A row is the loss of one step, a column the state of one step; on the diagonal they are the same."
    )
    return words + (f" Each cell is the largest of {block} × {block} steps." if block > 1 else "")
