"""One function a verb: what the command line does, for Python. `cli` is built from the signatures here.

Whatever needs torch is imported inside the verbs, so that ``unrolled --help`` answers at once.
"""

from typing import TYPE_CHECKING, Annotated, Literal

if TYPE_CHECKING:
    from unrolled.demonstration import Outcome
    from unrolled.environment import Environment
    from unrolled.speed import Speed

__all__ = ["bench", "demo", "doctor"]


def bench(
    *,
    cell: Annotated[Literal["rnn", "lstm", "gru"], "the recurrent cell"] = "gru",
    T: Annotated[int, "steps of a sequence"] = 100,
    B: Annotated[int, "sequences in a batch"] = 1,
    I: Annotated[int | None, "input features; as many as hidden units unless given"] = None,
    H: Annotated[int, "hidden units"] = 128,
    layers: Annotated[int, "layers on top of each other"] = 1,
    bidirectional: Annotated[bool, "both directions"] = False,
    threads: Annotated[int | None, "threads; torch's own number unless given"] = None,
    dtype: Annotated[Literal["float32", "float64"], "type of the numbers"] = "float32",
    forward_only: Annotated[bool, "inference; otherwise forward and backward"] = False,
) -> "Speed":
    """Measures our layer beside torch's for one's own shape.

    Both run in turn in this process, with the same weights on the same input; the answer is the median of the
    pairwise ratios. Gradients are those of a first layer: of all weights, not of the input.

    Raises:
        OptionError: a size or a number of threads below 1.
    """
    from unrolled import speed

    shape = speed.Shape(cell, T, B, H if I is None else I, H, layers, bidirectional)
    return speed.against_torch(shape, dtype=dtype, training=not forward_only, threads=threads)


def demo(
    *,
    seconds: Annotated[float, "how long to train, both models together"] = 40.0,
    seed: Annotated[int, "of the initial weights"] = 0,
) -> "Outcome":
    """Trains our GRU and torch's on the text of Python's own manual, side by side.

    Both character models begin with the same weights and see the same batches; a table shows their losses
    falling together and their speeds.

    Raises:
        OptionError: ``seconds`` is not above 0.
    """
    from unrolled import demonstration

    return demonstration.run(seconds, seed)


def doctor() -> "Environment":
    """Says what this installation consists of, whether layers run compiled, and what to do if they do not."""
    from unrolled import environment

    return environment.examine()
