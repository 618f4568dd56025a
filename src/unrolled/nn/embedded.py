"""An embedding and the layer behind it as one, so that a token's input product is looked up, not computed.

The rows of an embedding are the only inputs that the first layer ever sees, so there are no more different
products ``x W_xhᵀ + b_xh`` than tokens. They are computed once a call, for every token or, if those are many,
for the ones in the batch; the kernels then read a row of that table where they would have multiplied. Torch
differentiates the table's own product, so that every gradient is had as always.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, linear

from unrolled.errors import OptionError, ShapeError, note
from unrolled.nn import compiled, guards, route, sequences
from unrolled.nn.plan import Plan
from unrolled.nn.recurrent import Recurrent
from unrolled.nn.token_stream import TokenStream


class Embedded(nn.Module):
    """``layer(embedding(ids))`` in numbers, states and gradients, faster.

    Where the kernels do not run, hardly a token comes twice, or the embedding does more than to hand out rows
    (``max_norm``, ``sparse``, ``scale_grad_by_freq``, hooks), both modules are called one after the other.

    Args:
        embedding: from N tokens to vectors.
        layer: one of `RNN`, `LSTM` and `GRU`, whose input_size is the size of those vectors.

    Raises:
        OptionError, ShapeError: they are other modules, or do not fit each other.

    Example:
        >>> from unrolled.nn import GRU
        >>> model = Embedded(nn.Embedding(65, 8), GRU(8, 4))
        >>> output, h_n = model(torch.randint(65, (5, 2)))
        >>> output.shape
        torch.Size([5, 2, 4])
    """

    def __init__(self, embedding: nn.Embedding, layer: Recurrent) -> None:
        super().__init__()
        if not isinstance(embedding, nn.Embedding):  # pyright: ignore[reportUnnecessaryIsInstance]
            got, fix = type(embedding).__name__, "Make one: torch.nn.Embedding(N, layer.input_size)."
            raise OptionError("Embedded: embedding", "be a torch.nn.Embedding", got, fix)
        if not isinstance(layer, Recurrent):  # pyright: ignore[reportUnnecessaryIsInstance]
            got, fix = type(layer).__name__, "Make ours of torch's: unrolled.convert(layer)."
            raise OptionError("Embedded: layer", "be an RNN, LSTM or GRU of unrolled.nn", got, fix)
        if embedding.embedding_dim != layer.input_size:
            fix = "Build the layer with input_size=embedding.embedding_dim."
            rule = f"have input_size = {embedding.embedding_dim}, as the embedding's vectors"
            raise ShapeError("Embedded: layer", rule, layer.input_size, fix)
        self.embedding, self.layer = embedding, layer

    @route.uncompiled
    def forward(self, ids: Any, state: Any = None, *, lengths: Any = None, reset: Any = None) -> Any:
        """Runs embedding and layer over a batch of sequences of tokens.

        Shapes:
            ids: whole numbers ``[T, B]``, ``[B, T]`` if the layer is batch_first, ``[T]`` for one sequence;
            everything else as in `Recurrent.forward`.

        Raises:
            LayerIndexError: an id that the embedding has no row for, past a sequence's end too.
            ShapeError, DtypeError and what `Recurrent.forward` raises: something else does not fit.
        """
        if route.intercepted():
            return self._in_turn(ids, state, lengths, reset)
        layer, weight = self.layer, self.embedding.weight
        name = layer.called
        if not isinstance(ids, Tensor):
            guards.no_tensor("Embedded", ids, "ids")
        batched, batch_first = ids.dim() == 2, layer.batch_first and ids.dim() == 2
        if ids.dim() not in (1, 2):
            fix = "Give positions of rows of the embedding, not one-hot rows."
            rule = "have axes [T] or " + ("[B, T]" if layer.batch_first else "[T, B]")
            raise ShapeError("Embedded.forward: ids", rule, f"{ids.dim()} axes", fix)
        ids = sequences.read_ids("Embedded.forward: ids", ids, len(weight))
        obstacle = self._obstacle()
        if obstacle:
            note(f"{name} multiplies embedded rows: {obstacle}")
        if obstacle or not ids.numel():
            return self._in_turn(ids, state, lengths, reset)
        x = ids if batched else ids[:, None]
        T, B = x.shape[::-1] if batch_first else x.shape
        states = () if state is None else guards.read_states(layer, name, state, B, batched)
        plan = layer.plan
        weights, code = layer.weights(plan, weight, states)
        tokens = None if code is None else self._tokens(x, weight)
        if code is None or tokens is None:
            return self._in_turn(ids, state, lengths, reset)
        if lengths is not None:
            lengths = sequences.read_lengths(name, lengths, T, B)
        if reset is not None:
            reset = sequences.read_reset(name, reset, ids, batch_first, batched)
        p = layer.dropout if layer.training else 0.0
        call = compiled.Call(plan, code, batch_first, p, lengths, reset, None, layer)
        rows, x = tokens
        output, *final = layer.run_compiled(call, x, states, _with_table(plan, rows, weights))
        if not batched:
            output, final = output.squeeze(1), [state.squeeze(1) for state in final]
        return output, tuple(final) if plan.c else final[0]

    def _tokens(self, ids: Tensor, weight: Tensor) -> tuple[Tensor, Tensor] | None:
        """The rows of the embedding that a table is made of, and where among them each of ``ids`` is.

        None where such a table would be more work than the products in whose place it stands.
        """
        padding, N, count = self.embedding.padding_idx, len(weight), ids.numel()
        if count >= 2 * N:
            every = torch.arange(N, device=weight.device)
            return (weight if padding is None else embedding(every, weight, padding)), ids
        distinct, ids = torch.unique(ids, return_inverse=True)
        return (embedding(distinct, weight, padding), ids) if 4 * len(distinct) <= 3 * count else None

    def _in_turn(self, ids: Any, state: Any, lengths: Any, reset: Any) -> Any:
        """One module after the other."""
        return self.layer(self.embedding(ids), state, lengths=lengths, reset=reset)

    def _obstacle(self) -> str:
        """Why a table does not stand for these modules, in words; empty where it does."""
        table, layer = self.embedding, self.layer
        for option in ("max_norm", "sparse", "scale_grad_by_freq"):
            if getattr(table, option):
                return f"the embedding has {option}={getattr(table, option)}"
        if type(table).forward is not nn.Embedding.forward:
            return f"a {type(table).__name__} may do more than to hand out rows"
        for module in (table, layer):
            if any(getattr(module, hooks) for hooks in _HOOKS):
                return f"the {type(module).__name__} has hooks, which must see its call"
        return ""

    def stream(self, batch: int = 1) -> TokenStream:
        """A `TokenStream` over ``batch`` sequences: the state held, one token at a time.

        Raises:
            OptionError: the layer is bidirectional, or ``batch`` is less than 1.
        """
        return TokenStream(self, batch)


def _with_table(plan: Plan, rows: Tensor, weights: list[Tensor]) -> list[Tensor]:
    """The weights with the products of ``rows [N, I]`` in the place of W_xh in the first layer."""
    weights = list(weights)
    for first in range(0, plan.directions * plan.width, plan.width):
        b_xh = weights[first + 2] if plan.bias else None
        weights[first] = linear(rows, weights[first], b_xh)
        if b_xh is not None:
            weights[first + 2] = b_xh.detach()
    return weights


_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
