"""What needs no run: the machine, our speed on it, the worked examples."""

from typing import TYPE_CHECKING, Annotated, Literal

if TYPE_CHECKING:
    from unrolled.environment import Environment
    from unrolled.speed import Speed
    from unrolled.walkthroughs import Walkthrough


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
    """Measures our layer beside torch's for a shape of yours.

    Both run in turn in this process, with the same weights on the same input; the answer is the median of the
    pairwise ratios. Gradients are those of a first layer: of all weights, not of the input.

    Raises:
        OptionError: a size or a number of threads below 1.
    """
    from unrolled import speed

    shape = speed.Shape(cell, T, B, H if I is None else I, H, layers, bidirectional)
    return speed.against_torch(shape, dtype=dtype, training=not forward_only, threads=threads)


def doctor() -> "Environment":
    """Says what this installation consists of.

    That is: versions, whether layers run compiled, and what to do if they do not.
    """
    from unrolled import environment

    return environment.examine()


def walkthrough(
    name: Annotated[
        Literal["hello", "loop", "two-steps", "forgetting", "vanishing"],
        "which; hello: a word spelled by three units; loop: the bare recurrence beside a layer; two-steps: "
        "forward and back by hand; forgetting: with memory and without; vanishing: a gradient over 100 steps",
    ],
    *,
    word: Annotated[str | None, "hello, forgetting: another word"] = None,
    steps: Annotated[int | None, "loop, vanishing: how many steps; 100 unless given"] = None,
    seed: Annotated[int | None, "of what is drawn: weights, inputs; all but two-steps"] = None,
    every_step: Annotated[bool, "show every step where the text leaves some out; all but two-steps"] = False,
) -> "Walkthrough":
    """Works an example through, number by number.

    Each number stands with the formula it came from, and all are in `numbers`, by name.

    Raises:
        OptionError: no such example, an option that it does not have, or one that cannot be.
    """
    from unrolled import walkthroughs

    options = {"word": word, "steps": steps, "seed": seed, "every_step": every_step or None}
    return walkthroughs.walk(name, {key: value for key, value in options.items() if value is not None})
