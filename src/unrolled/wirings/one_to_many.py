"""One to many: a vector starts a decoder, and each of its steps reads the token before and gives the next."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from unrolled import cells
from unrolled.errors import OptionError, nearest
from unrolled.wirings.attention import ATTENTIONS, Memory
from unrolled.wirings.inputs import Tokens
from unrolled.wirings.stack import NO_DROPOUTS, Dropouts, Lengths, Recurrence, Stack, dropped


class DecoderState(NamedTuple):
    """Where a decoder stands in N sequences.

    Shapes:
        layers: as `Stack.forward` gives them; memory: what is attended to, N columns; of: int64 ``[N]``, the
        source of each.
    """

    layers: list[tuple[Tensor, ...]]
    memory: Memory | None
    of: Tensor


class OneToMany(torch.nn.Module):
    """Logits of each token from a vector, perhaps of regions besides, and the tokens before it.

    The vector becomes the first state of every layer. With attention, the last layer's steps ask, and their
    answers join them; so all steps of a target that is known run in one call of the kernels.

    Maths:
        h_0 = tanh(W_0 x + b_0), and the same without tanh for c_0;  c_t the attention's mean;
        h̃_t = tanh(W [c_t; h_t]);  y_t = W_hy h̃_t + b_y, without attention of h_t

    Args:
        size: I, features of the vector and of each region.
        tokens: what is read, and said: V of them.
        recurrence: which layers, in one direction.
        attention: ``none``, ``additive`` or ``dot``.
        dropouts: in training.
        tied: the head's weights are those of the tokens' vectors.
        memoryless: every step is reset, so that it knows the token before it and what it attends to alone.

    Shapes:
        x ``[B, I]`` and ids ``[T, B]`` to logits ``[T, B, V]``.

    Raises:
        OptionError: layers in both directions, tied weights of unequal size, an attention or a cell that is
            not offered.

    Source: Vinyals et al. 2015, Show and Tell; the attention's place is that of Luong, Pham and Manning 2015,
    equation 5.

    Example:
        >>> model = OneToMany(10, Tokens(65, 8), Recurrence(hidden=16))
        >>> model(torch.zeros(2, 10), torch.zeros(5, 2, dtype=torch.int64)).shape
        torch.Size([5, 2, 65])
    """

    def __init__(
        self,
        size: int,
        tokens: Tokens,
        recurrence: Recurrence,
        attention: str = "none",
        dropouts: Dropouts = NO_DROPOUTS,
        tied: bool = False,
        memoryless: bool = False,
    ) -> None:
        super().__init__()
        hidden = recurrence.hidden
        if recurrence.bidirectional:
            rule, fix = (
                "have one direction",
                "Build it with bidirectional=False: it writes from left to right.",
            )
            raise OptionError("OneToMany: its layers", rule, "bidirectional=True", fix)
        if attention not in ATTENTIONS:
            rule, fix = f"be one of {', '.join(ATTENTIONS)}", nearest(attention, ATTENTIONS)
            raise OptionError("OneToMany: attention", rule, attention, fix)
        if tied and tokens.size != hidden:
            got, fix = f"{tokens.size} and {hidden}", f"Set the tokens' size to {hidden}."
            raise OptionError("OneToMany: tied weights", "have tokens' size = hidden", got, fix)
        self.tokens, self.dropouts, self.memoryless = tokens, dropouts, memoryless
        self.layers = Stack(tokens.source, recurrence, dropouts)
        lowest: Any = self.layers[0]
        cell = cells.get(lowest.cell)
        self._sizes = [cell.delay(state) * hidden for state in cell.states]
        self.first = torch.nn.Linear(size, recurrence.layers * sum(self._sizes))
        of = ATTENTIONS[attention]
        self.attention = of and of(hidden, size)
        self.joined = of and torch.nn.Linear(size + hidden, hidden, bias=False)
        self.head = torch.nn.Linear(hidden, tokens.vocabulary)
        if tied:
            self.head.weight = tokens.embedding.weight

    def forward(
        self,
        x: Tensor,
        ids: Tensor,
        *,
        regions: Tensor | None = None,
        lengths: Lengths = None,
        target_lengths: Lengths = None,
        teacher: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """The logits of the token after each.

        Where ``teacher`` is below 1, it is the probability with which a token is read as given; else the
        likeliest of what was just said is, and the sequence is run step by step.

        Shapes:
            x: ``[B, I]``; ids: int64 ``[T, B]``, beginning with the token that begins all; regions:
            ``[R, B, I]``, to be attended to; lengths: ``[B]``, of the regions; target_lengths: ``[B]``. Gives
            ``[T, B, V]``; what stands past a sequence's end means nothing.

        Raises:
            OptionError: attention without regions, or regions without attention.
            ShapeError, DtypeError, LengthsError: something does not fit.
        """
        h = self.before_head(
            x, ids, regions=regions, lengths=lengths, target_lengths=target_lengths,
            teacher=teacher, generator=generator,
        )  # fmt: skip
        return self.head(h)

    def before_head(
        self,
        x: Tensor,
        ids: Tensor,
        *,
        regions: Tensor | None = None,
        lengths: Lengths = None,
        target_lengths: Lengths = None,
        teacher: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """What ``head`` makes the logits of: a loss over real steps alone spares it the others.

        Shapes:
            as of `forward`; gives ``[T, B, H]``.

        Raises:
            OptionError, ShapeError, DtypeError, LengthsError: as `forward`.
        """
        state = self.start(x, regions, lengths)
        ids = self.tokens.steps(ids, generator)
        if teacher < 1:
            return self._partly_alone(ids, state, teacher, generator)
        return self._run(ids, state, target_lengths, generator)[0]

    def weights(
        self, x: Tensor, ids: Tensor, *, regions: Tensor | None = None, lengths: Lengths = None
    ) -> Tensor:
        """Where each step of a known target looks.

        Shapes:
            as of `forward`; gives ``[T, R, B]``, which sum to 1 over R.

        Raises:
            OptionError: there is no attention.
        """
        state = self.start(x, regions, lengths)
        if self.attention is None or state.memory is None:
            fix = "Build it with attention='additive' or 'dot'."
            raise OptionError("weights: the network", "have attention", "attention='none'", fix)
        h, _ = self._hidden(ids, state, None, None)
        return self.attention(h, state.memory)[1]

    def start(self, x: Tensor, regions: Tensor | None = None, lengths: Lengths = None) -> DecoderState:
        """Where a decoder stands before its first step.

        Shapes:
            x: ``[B, I]``; regions: ``[R, B, I]``; lengths: ``[B]``.

        Raises:
            OptionError: attention without regions, or regions without attention.
        """
        if (self.attention is None) != (regions is None):
            got = "none" if regions is None else "some"
            rule = "be there where there is attention" if regions is None else "be absent without attention"
            fix = "Give regions=[R, B, I]." if regions is None else "Build it with attention='dot'."
            raise OptionError("OneToMany: regions", rule, got, fix)
        layers: list[tuple[Tensor, ...]] = []
        for own in self.first(x)[None].split(sum(self._sizes), 2):
            h, *further = own.split(self._sizes, 2)
            layers.append((torch.tanh(h), *further))
        memory = self.attention.memory(regions, lengths) if self.attention and regions is not None else None
        return DecoderState(layers, memory, torch.arange(len(x), device=x.device))

    def step(self, ids: Tensor, state: DecoderState) -> tuple[Tensor, DecoderState]:
        """Reads one token of each sequence: the log probabilities of the next, and where it then stands.

        Shapes:
            ids: int64 ``[N]``; gives ``[N, V]``.
        """
        h, state = self._run(ids[None], state, None, None)
        return self.head(h[0]).log_softmax(-1), state

    def select(self, state: DecoderState, rows: Tensor) -> DecoderState:
        """The state of some sequences, in another order, a sequence more than once if need be.

        Shapes:
            rows: int64 ``[M]``, positions among N; gives the state of M sequences.
        """
        layers = [tuple(part[:, rows] for part in layer) for layer in state.layers]
        of, memory = state.of[rows], state.memory
        if memory is not None and not torch.equal(of, state.of):  # else each still looks at its own
            memory = memory.select(rows)
        return DecoderState(layers, memory, of)

    def _run(
        self, ids: Tensor, state: DecoderState, lengths: Lengths, generator: torch.Generator | None
    ) -> tuple[Tensor, DecoderState]:
        """What the head reads after each of ids ``[T, B]``, ``[T, B, H]``, and where it then stands."""
        h, layers = self._hidden(ids, state, lengths, generator)
        if self.attention is not None and self.joined is not None and state.memory is not None:
            c, _ = self.attention(h, state.memory)
            h = torch.tanh(self.joined(torch.cat([c, h], 2)))
        h = dropped(h, self.dropouts.output, self.training, generator)
        return h, state._replace(layers=layers)

    def _hidden(
        self, ids: Tensor, state: DecoderState, lengths: Lengths, generator: torch.Generator | None
    ) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
        """What leaves the last layer, and the states."""
        reset = torch.ones_like(ids, dtype=torch.bool) if self.memoryless else None
        return self.layers(ids, state.layers, lengths=lengths, reset=reset, generator=generator)

    def _partly_alone(
        self, ids: Tensor, state: DecoderState, teacher: float, generator: torch.Generator | None
    ) -> Tensor:
        """What the head reads where some tokens of ids ``[T, B]`` are not told."""
        told = torch.rand(ids.shape, generator=generator, device=ids.device) < teacher
        seed = int(torch.randint(1 << 62, (), generator=generator, device=ids.device))
        read, every = ids[0], list[Tensor]()
        for t in range(len(ids)):
            masks = torch.Generator(ids.device).manual_seed(seed)  # the same at every step
            read = torch.where(told[t], ids[t], read) if t else read
            h, state = self._run(read[None], state, None, masks)
            every.append(h)
            with torch.no_grad():  # the head's gradient is that of one product over all steps
                read = self.head(h[0]).argmax(1)
        return torch.cat(every)
