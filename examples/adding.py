"""The adding problem: sequences of different length, of which two numbers must be remembered and added.

Each step shows a number and a mark; the answer is the sum of the two marked numbers, known only at the end.
A model that ignores the input and says 1 has a mean squared error of 1/6.
"""

import torch

from unrolled import nn

LONGEST, BATCH, HIDDEN, UPDATES = 50, 64, 48, 300


def draw(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Shapes: x [T, B, 2], lengths [B], sums [B]."""
    x = torch.zeros(LONGEST, BATCH, 2)
    x[..., 0] = torch.rand(LONGEST, BATCH, generator=generator)
    lengths = torch.randint(LONGEST // 2, LONGEST + 1, (BATCH,), generator=generator)
    for row, length in enumerate(lengths.tolist()):
        first, second = torch.randperm(length, generator=generator)[:2].tolist()
        x[[first, second], row, 1] = 1
    return x, lengths, (x[..., 0] * x[..., 1]).sum(0)


class Adder(torch.nn.Module):
    """A GRU that reads, and a line that answers from its final state."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(2, HIDDEN)
        self.head = torch.nn.Linear(HIDDEN, 1)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Answers where each sequence ends: nothing is sorted or packed for it."""
        _, h_n = self.gru(x, lengths=lengths)
        return self.head(h_n[-1])[:, 0]


def main() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(1)
    model = Adder()
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    for update in range(UPDATES + 1):
        x, lengths, sums = draw(generator)
        loss = torch.nn.functional.mse_loss(model(x, lengths), sums)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if update % 100 == 0:
            print(f"update {update:4}  mean squared error {loss.item():.4f}  (saying 1 every time: 0.1667)")


if __name__ == "__main__":
    main()
