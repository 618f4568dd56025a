"""Verbs for a model in use."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from unrolled.api.words import RUN, SHORTER
from unrolled.errors import OptionError, note

if TYPE_CHECKING:
    from unrolled.report.answers import Samples
    from unrolled.traces import Trace


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
    html: Annotated[
        Path | None, "write the explorer and a report as one page, for any browser, offline"
    ] = None,
    no_weights: Annotated[bool, "leave every weight out of that page"] = False,
    svg: Annotated[Path | None, "write the figures as SVG"] = None,
    png: Annotated[Path | None, "write the figures as PNG"] = None,
    trace: Annotated[Path | None, "write every number, for Trace.load; *.safetensors or a folder"] = None,
    figure: Annotated[
        Literal["all", "network", "gates", "distance", "triangle", "shares", "unit"], "which for SVG and PNG"
    ] = "all",
    layer: Annotated[str, "of the figure unit: the layer, such as l0; the last unless given"] = "",
    unit: Annotated[int | None, "of the figure unit: which; the one that varies most unless given"] = None,
) -> "Trace":
    """Shows what a model computes over a sequence, forward and back.

    How far the gradient reaches, which gates are saturated, which steps the weights learn from; with figures.

    Raises:
        RunError: there is no such run, or a file of it is damaged.
        OptionError: a unit or a layer that is not there, or where its figure is not to be drawn.
        NotKeptError: the layer is not there.
        DataError: a sequence that cannot be read, or of more steps than can be itemised.
        StorageError: a file cannot be written.
        UnavailableError: the memory is too small, or what draws PNG is not installed.
    """
    if (layer or unit is not None) and (figure not in ("all", "unit") or not (svg or png)):
        got, fix = f"--figure {figure}", "For example: --figure unit --layer l0 --unit 3 --svg unit.svg"
        rule = "be given where the figure unit is written as SVG or PNG"
        raise OptionError("explain: layer and unit", rule, got, fix)
    from unrolled import estimators
    from unrolled.explorer import carried, page
    from unrolled.report import files
    from unrolled.report.figures import Unit
    from unrolled.training import keeping
    from unrolled.training.room import enough_memory
    from unrolled.training.run_folder import RunFolder

    with enough_memory("explain", SHORTER):
        traced = estimators.load(run).explain_source(text)
    folder = RunFolder.open(run)
    traced.facts["model"]["run"] = folder.path.name
    files.write(traced, {"svg": svg, "png": png, "trace": trace}, figure, Unit(layer or None, unit))
    if html:
        note(page.write(html, traced, carried.weights(keeping.load(folder)), without_weights=no_weights))
    return traced


def explore(
    run: Annotated[
        str, "a run's folder or its name, or the file of a trace; without, choose in the page"
    ] = "",
    text: Annotated[str, "what to show at once: the text or value, or a file, or - for standard input"] = "",
    *,
    port: Annotated[int, "of this machine; 0 takes one that is free"] = 0,
    proxy: Annotated[str, "the name of a host in front of this machine, by which the page is asked for"] = "",
    no_browser: Annotated[bool, "print the link alone, open nothing"] = False,
) -> str:
    """Opens a page that looks into a network, over any text.

    Every number is one click from its formula, every term of it one click from its cause, forward and back.
    The page is served to this machine alone, to whoever has the link, until Ctrl-C.

    Raises:
        RunError: there is no such run.
        DataError: standard input that cannot be read.
        TraceError: there is no such trace, or it is damaged.
        UnavailableError: the port is taken.
    """
    from unrolled.data import reading
    from unrolled.explorer import server
    from unrolled.explorer.choices import Choices

    choices = Choices(run)
    first = next(iter(choices.all().values()))
    asked = text
    if text == "-":
        asked = reading.decoded(reading.contents(reading.STDIN), reading.STDIN, "utf-8")
    shown = (first.name, asked) if run and (asked or not first.asks) else None
    server.serve(choices, shown, port=port, proxy=proxy, browser=not no_browser)
    return "The explorer has ended."


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
        DataError: a prompt that is no text.
        OptionError: a number out of its range.
        UnavailableError: the memory is too small.
    """
    if samples < 1:
        raise OptionError("generate: samples", "be at least 1", samples, "Leave it out for one.")
    from unrolled.data import reading
    from unrolled.estimators import LanguageModel
    from unrolled.estimators.language_model import prompt_in
    from unrolled.report.answers import Samples
    from unrolled.training.room import enough_memory

    with enough_memory("generate", SHORTER):
        model = LanguageModel.load(run)
    before = prompt_in(reading.STDIN, model.config) if prompt == "-" else prompt
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


def _given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value not in (None, False)}


def _within_memory(pieces: Iterator[str]) -> Iterator[str]:
    """The pieces; raises UnavailableError where the memory is too small for them."""
    from unrolled.training.room import enough_memory

    with enough_memory("generate", SHORTER):
        yield from pieces
