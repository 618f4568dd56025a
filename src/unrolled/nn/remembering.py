"""A start from which gated layers remember: the biases of the gates that keep the state."""

from __future__ import annotations

import torch

from unrolled.errors import OptionError


@torch.no_grad()
def remember(layer: torch.nn.Module, steps: int, generator: torch.Generator | None = None) -> None:
    """Sets a layer's biases so that its units begin by remembering 1 to ``steps`` steps, each its own time.

    Maths: b = log u with u uniform from 1 to steps - 1: a gate of σ(b) = 1 - 1/(u + 1) lets a state fall to
    1/e in about u steps. An LSTM's input gate gets -b, so that what is kept is not flooded; a GRU's update
    gate is both. Both of torch's biases count: the other one becomes 0.

    Source: Tallec and Ollivier 2018, Can recurrent neural networks warp time?, arXiv:1804.11188, section 2.2.

    Args:
        layer: LSTM or GRU, ours or torch.nn's, of any number of layers and directions.
        steps: about how far back there is something to remember, at least 2.
        generator: of the random numbers.

    Raises:
        OptionError: a layer without gates or without biases; fewer than 2 steps.

    Example:
        >>> layer = torch.nn.GRU(3, 4)
        >>> remember(layer, 100)
        >>> bool((layer.bias_hh_l0[4:8] >= 0).all())
        True
    """
    if not isinstance(layer, torch.nn.LSTM | torch.nn.GRU):
        got, fix = type(layer).__name__, "Use an LSTM or a GRU."
        raise OptionError("nn.remember: layer", "have gates that keep its state", got, fix)
    if not layer.bias:
        raise OptionError("nn.remember: layer", "have biases", "bias=False", "Build it with bias=True.")
    if steps < 2:
        raise OptionError("nn.remember: steps", "be at least 2", steps, "Say how far back to remember.")
    H = layer.hidden_size
    taking, keeping = slice(0, H), slice(H, 2 * H)  # i f g o and r z n: the second keeps the state
    is_lstm = isinstance(layer, torch.nn.LSTM)
    for name, bias in layer.named_parameters():
        if name.startswith("bias_ih_"):
            bias[slice(0, 2 * H) if is_lstm else keeping] = 0
        elif name.startswith("bias_hh_"):
            drawn = torch.empty(H, dtype=bias.dtype).uniform_(1, steps - 1, generator=generator).log()
            bias[keeping] = drawn.to(bias.device)
            if is_lstm:
                bias[taking] = -bias[keeping]
