"""One function a verb: what the command line does, for Python. `cli` is built from the signatures here.

Whatever needs torch is imported inside the verbs, so that ``unrolled --help`` answers at once.
"""

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from unrolled.config import Config, load, requested
from unrolled.errors import OptionError

if TYPE_CHECKING:
    from unrolled.environment import Environment
    from unrolled.report.answers import Samples
    from unrolled.report.runs import Runs
    from unrolled.report.training import Display
    from unrolled.speed import Speed
    from unrolled.traces import Trace
    from unrolled.training.course import Outcome
    from unrolled.training.trial import Trial
    from unrolled.walkthroughs import Walkthrough

__all__ = [
    "bench",
    "config",
    "demo",
    "doctor",
    "evaluate",
    "explain",
    "generate",
    "predict",
    "resume",
    "runs",
    "train",
    "walkthrough",
]

RUN = "a run's folder or its name; last is the one trained last"
QUIET = "show nothing but the result"
SHORTER = "Give a shorter text, or end what else is running."
JSON = "leave the result to the caller: print nothing on standard output"


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


def config(run: Annotated[str, RUN] = "last") -> Config:
    """Shows the config of a run, which `train --config` takes.

    Raises:
        RunError: there is no such run.
    """
    from unrolled.training.run_folder import RunFolder

    return load(RunFolder.open(run).config)


def demo(
    *,
    seconds: Annotated[float, "how long to train"] = 120.0,
    seed: Annotated[int, "of weights, order and samples"] = 0,
    quiet: Annotated[bool, QUIET] = False,
    json: Annotated[bool, JSON] = False,
) -> "Outcome":
    """Trains a language model of Python's own manual.

    It is judged, kept as a run like any other, and writes a little at the end.

    Raises:
        OptionError: ``seconds`` is not above 0.
    """
    from unrolled import demonstration
    from unrolled.report.training import Display

    display = Display(quiet, json)
    outcome = demonstration.run(seconds, seed, display)
    _conclude(outcome, display)
    return outcome


def doctor() -> "Environment":
    """Says what this installation consists of.

    That is: versions, whether layers run compiled, and what to do if they do not.
    """
    from unrolled import environment

    return environment.examine()


def evaluate(
    run: Annotated[str, RUN] = "last",
    *sources: Annotated[str, "files, folders, patterns or -; without, the run's own part to judge on"],
    by_length: Annotated[
        bool, "lm: also by how many tokens stand before, beyond the lengths of training"
    ] = False,
) -> Any:
    """Judges a model on data.

    Raises:
        RunError: there is no such run, or a file of it is damaged.
        DataError: data that cannot be read, or are not as the model needs them.
        OptionError: an option that the run's task does not have.
        UnavailableError: the memory is too small.
    """
    from unrolled import estimators
    from unrolled.training.room import enough_memory
    from unrolled.training.run_folder import RunFolder

    with enough_memory("evaluate", SHORTER):
        options = _given(by_length=by_length)
        return estimators.load(run).evaluate_sources(sources, RunFolder.open(run), **options)


def explain(
    run: Annotated[str, RUN],
    text: Annotated[str, "the text or sequence, or a file with it, or - for standard input"],
    *,
    html: Annotated[Path | None, "write a page with every figure, for any browser, offline"] = None,
    svg: Annotated[Path | None, "write the figures as SVG"] = None,
    png: Annotated[Path | None, "write the figures as PNG"] = None,
    trace: Annotated[Path | None, "write every number, for Trace.load; *.safetensors or a folder"] = None,
    figure: Annotated[
        Literal["all", "network", "gates", "distance", "triangle", "shares", "unit"], "which for SVG and PNG"
    ] = "all",
) -> "Trace":
    """Shows what a model computes over a sequence, forward and back.

    How far the gradient reaches, which gates are saturated, which steps the weights learn from; with figures.

    Raises:
        RunError: there is no such run, or a file of it is damaged.
        DataError: a sequence that cannot be read, or of more steps than can be itemised.
        StorageError: a file cannot be written.
        UnavailableError: the memory is too small, or what draws PNG is not installed.
    """
    from unrolled import estimators
    from unrolled.report import files
    from unrolled.training.room import enough_memory
    from unrolled.training.run_folder import RunFolder

    with enough_memory("explain", SHORTER):
        traced = estimators.load(run).explain_source(text)
    traced.facts["model"]["run"] = RunFolder.open(run).path.name
    files.write(traced, {"html": html, "svg": svg, "png": png, "trace": trace}, figure)
    return traced


def generate(
    run: Annotated[str, RUN] = "last",
    *,
    prompt: Annotated[str, "what to write on from; - reads standard input"] = "",
    length: Annotated[int, "characters to write"] = 500,
    temperature: Annotated[float, "0: always the likeliest; 1: as the model believes; above: wilder"] = 0.8,
    top_k: Annotated[int, "draw among so many likeliest tokens; 0: all"] = 0,
    top_p: Annotated[float, "draw among the likeliest that hold this probability together"] = 1.0,
    seed: Annotated[int | None, "for the same text again"] = None,
    stop: Annotated[tuple[str, ...], "end before this text; may be given several times"] = (),
    samples: Annotated[int, "texts to write, one after another"] = 1,
) -> "Samples":
    """Writes text, piece by piece as it comes.

    The prompt is not repeated. A token costs the same however long the text already is.

    Raises:
        RunError: there is no such run, or a file of it is damaged.
        OptionError: a number out of its range.
        UnavailableError: the memory is too small.
    """
    if samples < 1:
        raise OptionError("generate: samples", "be at least 1", samples, "Leave it out for one.")
    from unrolled.estimators import LanguageModel
    from unrolled.report.answers import Samples
    from unrolled.training.room import enough_memory

    with enough_memory("generate", SHORTER):
        model = LanguageModel.load(run)
    before = sys.stdin.read().removesuffix("\n") if prompt == "-" else prompt
    seeds = [None if seed is None else seed + number for number in range(samples)]
    write = partial(
        model.generate, before, length=length, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop
    )
    return Samples([_within_memory(write(seed=one)) for one in seeds])


def predict(
    run: Annotated[str, RUN],
    text: Annotated[str, "the text or value, or a file, or - for standard input"],
    *,
    top: Annotated[int | None, "lm: how many of the likeliest tokens to show; 5 unless given"] = None,
) -> Any:
    """Shows what a model says of data.

    A language model: how surprising each token of a text is, and what was expected in its place; the last
    line is what would come next.

    Raises:
        RunError: there is no such run, or a file of it is damaged.
        DataError: no data, or not as the model needs them.
        OptionError: an option that the run's task does not have.
        UnavailableError: the memory is too small.
    """
    from unrolled import estimators
    from unrolled.training.room import enough_memory

    with enough_memory("predict", SHORTER):
        return estimators.load(run).predict_source(text, **_given(top=top))


def resume(
    run: Annotated[str, RUN] = "last",
    *,
    quiet: Annotated[bool, QUIET] = False,
    json: Annotated[bool, JSON] = False,
) -> "Outcome":
    """Goes on with a stopped training.

    A killed one goes on too, exactly as if it had not been: the same losses and the same weights at the end.

    Raises:
        RunError: no such run, no good checkpoint, or another process trains there.
    """
    from unrolled.report.training import Display
    from unrolled.training import course
    from unrolled.training.room import enough_memory
    from unrolled.training.run_folder import RunFolder

    display = Display(quiet, json)
    with enough_memory("resume"):
        outcome = course.resume(RunFolder.open(run), display)
    _conclude(outcome, display)
    return outcome


def runs() -> "Runs":
    """Lists the runs.

    They are kept in the folder `runs`, or in that of the environment variable UNROLLED_RUNS.
    """
    from unrolled.report.runs import Runs
    from unrolled.training.run_folder import list_runs

    return Runs(list_runs())


def train(
    task: Annotated[str, "what is learned; lm: a language model, which token comes next"],
    *sources: Annotated[str | Path, "files, folders, patterns, or - for standard input; also key=value"],
    config: Annotated[Path | None, "a TOML file with fields; what is given beside it counts more"] = None,
    name: Annotated[str | None, "of the run; made from task, text and time unless given"] = None,
    dry_run: Annotated[bool, "try everything with a few updates, keep nothing"] = False,
    overfit: Annotated[bool, "learn one batch by heart, keep nothing; what cannot has a mistake"] = False,
    quiet: Annotated[bool, QUIET] = False,
    json: Annotated[bool, JSON] = False,
    **fields: Annotated[Any, "fields of the config"],
) -> "Outcome | Trial":
    """Trains a model and judges it beside baselines.

    It is kept as a run. Every field of its config is an option below, which shows the default, or is written
    key=value.

    Ctrl-C stops it in good order: it evaluates and saves, and `resume` goes on from there. Twice stops at
    once; what the last checkpoint holds is kept.

    Raises:
        OptionError: a field that does not exist, a value that cannot be, or no text.
        DataError: a text that cannot be read, or is too short.
        RunError: there is a run of this name.
        StorageError: the disk is full.
        UnavailableError: the memory is too small.
    """
    chosen = requested(task, sources, config, fields)
    from unrolled.report.training import Display
    from unrolled.training import course, trial
    from unrolled.training.room import enough_memory
    from unrolled.training.run_folder import RunFolder, run_name

    display = Display(quiet, json)
    if dry_run or overfit:
        with enough_memory(f"train {task}"):
            tried = (trial.dry_run if dry_run else trial.overfit)(chosen, display)
        display.say(str(tried))
        return tried
    folder = RunFolder.create(str(chosen), name or run_name(task, chosen.sources[0]))
    try:
        with enough_memory(f"train {task}"):
            outcome = course.train(chosen, folder, display)
    except BaseException:
        folder.discard()  # keeps what can be resumed or used
        raise
    _conclude(outcome, display)
    return outcome


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


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value not in (None, False)}


def _within_memory(pieces: Iterator[str]) -> Iterator[str]:
    """The pieces; raises UnavailableError where the memory is too small for them."""
    from unrolled.training.room import enough_memory

    with enough_memory("generate", SHORTER):
        yield from pieces


def _conclude(outcome: "Outcome", display: "Display") -> None:
    """Shows the result of a training, or how to go on with one that was stopped."""
    from unrolled.tasks import TASKS
    from unrolled.training.run_folder import RunFolder

    run = Path(outcome.run or "last").name
    if outcome.finished:
        task = TASKS[load(RunFolder.open(outcome.run or "last").config).task]
        commands = task.CARD.commands.format(run=run).splitlines()
        display.result("On what it has not seen", outcome.rows, outcome.measures, commands)
    else:
        display.note(
            f"{outcome.reason} after update {outcome.updates:,}; go on with it: unrolled resume {run}"
        )
