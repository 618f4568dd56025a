"""What each step adds to a weight's gradient: outer products, held as their factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrolled.cells import Array


@dataclass(frozen=True)
class Parts:
    """The gradient of one weight as the sum over steps and sequences that it is.

    Maths: ``dW = Σ_t Σ_b left[t, b] ⊗ right[t, b]``, for each block of rows; of a bias ``Σ_t Σ_b left``.

    Attributes:
        name: of the weight.
        blocks: one for each stage of the cell, as its own rows of the weight: left ``[T, B, rows]``, right
            ``[T, B, columns]``, or None for a bias.
    """

    name: str
    blocks: tuple[tuple[Array, Array | None], ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the factors."""
        return sum(array.nbytes for block in self.blocks for array in block if array is not None)

    def dense(self, t: int | slice = slice(None), b: int | None = None) -> Array:
        """The part of step t, or of a stretch of steps together; of one sequence, or of all.

        Shapes:
            result: that of the weight.
        """
        steps = slice(t, t + 1 or None) if isinstance(t, int) else t
        rows = slice(None) if b is None else slice(b, b + 1 or None)
        return np.concatenate(
            [
                _product(left[steps, rows], None if right is None else right[steps, rows])
                for left, right in self.blocks
            ]
        )

    def norms(self) -> Array:
        """How large each step's part is: its Frobenius norm, without making it dense.

        Maths: ``|Σ_b l_b ⊗ r_b|² = Σ_b Σ_b' (l_b · l_b') (r_b · r_b')``

        Shapes:
            result: ``[T]``.
        """
        squares = 0
        for left, right in self.blocks:
            gram = np.matmul(left, left.swapaxes(1, 2))
            if right is not None:
                gram = gram * np.matmul(right, right.swapaxes(1, 2))
            squares = squares + gram.sum(axis=(1, 2))
        return np.sqrt(np.maximum(squares, 0))


def _product(left: Array, right: Array | None) -> Array:
    """Σ left ⊗ right over steps and sequences."""
    flat = left.reshape(-1, left.shape[2])
    return flat.sum(axis=0) if right is None else flat.T @ right.reshape(-1, right.shape[2])
