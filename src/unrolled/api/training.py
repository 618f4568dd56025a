"""Verbs that train, and that tell of trainings."""

import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from unrolled.api.words import JSON, QUIET, RUN
from unrolled.config import Config, load, requested
from unrolled.errors import OptionError, note

if TYPE_CHECKING:
    from unrolled.report.checked import Checked
    from unrolled.report.comparison import Comparison
    from unrolled.report.runs import Runs
    from unrolled.report.training import Display
    from unrolled.training.trainer import Outcome
    from unrolled.training.trial import Trial

HINT = "For example: unrolled compare lm-gru lm-lstm. See all of them: unrolled runs"


def check(
    task: Annotated[str, "what is to be learned; made out from the data where it is left out"],
    *sources: Annotated[str | Path, "files, folders, patterns, or - for standard input; also key=value"],
    config: Annotated[Path | None, "a TOML file with fields; what is given beside it counts more"] = None,
    **fields: Annotated[Any, "fields of the config"],
) -> "Checked":
    """Reads data as a training would, and says what they are.

    Rows, lengths, classes, what is missing or there twice, and how they are parted; what would stop a
    training stops this. Nothing is kept.

    Raises:
        OptionError: a field that does not exist, a value that cannot be, or no source.
        DataError: data that cannot be read, or cannot be learned from.
    """
    chosen = requested(task, sources, config, fields)
    from unrolled.report.checked import Checked
    from unrolled.tasks import TASKS
    from unrolled.training.interruption import terminable
    from unrolled.training.room import enough_memory

    with enough_memory(f"check {task}"), terminable(), tempfile.TemporaryDirectory() as place:
        read = TASKS[task].begin(chosen, Path(place) / "data.safetensors")
        return Checked(read.about(read.objective.model()), read.data_report())


def compare(
    *runs: Annotated[str, "runs of one task, by folder or name"],
) -> "Comparison":
    """Puts runs side by side.

    Shown are the fields in which they differ and how good each is. Runs that differ in nothing but the seed
    are one line, with the interval over seeds.

    Raises:
        OptionError: fewer than two runs, runs of different tasks, or judged on different data.
        RunError: there is no such run, or it is not at its end.
    """
    from msgspec import structs

    from unrolled.report import comparison
    from unrolled.tasks.base import Measure
    from unrolled.training import checkpoint
    from unrolled.training.run_folder import RunFolder

    folders = [RunFolder.open(run) for run in runs]
    if len({folder.path.resolve() for folder in folders}) < max(2, len(folders)):
        raise OptionError("compare: runs", "be two or more, each once", " ".join(runs) or "none", HINT)
    configs = [load(folder.config) for folder in folders]
    tasks = {config.task for config in configs}
    if len(tasks) > 1:
        raise OptionError("compare: runs", "be of one task", ", ".join(sorted(tasks)), HINT)
    results = [folder.read_result() for folder in folders]
    judged = {checkpoint.digest(folder.data) for folder in folders}
    told = [
        comparison.compared(folder.name, structs.asdict(config), result)
        for folder, config, result in zip(folders, configs, results, strict=True)
    ]
    if len(judged) > 1:
        note("the runs were not trained and judged on the same data, or not cut into the same parts")
    return comparison.compare(told, [Measure(*measure) for measure in results[0]["measures"]])


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
    from unrolled.training import trainer
    from unrolled.training.run_folder import RunFolder

    display = Display(quiet, json)
    outcome = trainer.resume(RunFolder.open(run), display)
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
    from unrolled.training import trainer, trial
    from unrolled.training.interruption import terminable
    from unrolled.training.room import enough_memory
    from unrolled.training.run_folder import RunFolder, run_name

    display = Display(quiet, json)
    if dry_run or overfit:
        with enough_memory(f"train {task}"):
            tried = (trial.dry_run if dry_run else trial.overfit)(chosen, display)
        display.say(str(tried))
        return tried
    with terminable():
        folder = RunFolder.create(str(chosen), name or run_name(task, chosen.sources[0]))
        outcome = trainer.train(chosen, folder, display)
    _conclude(outcome, display)
    return outcome


def _conclude(outcome: "Outcome", display: "Display") -> None:
    """Shows the result of a training, or how to go on with one that was stopped."""
    from unrolled.tasks import TASKS
    from unrolled.training.run_folder import RunFolder

    run = shlex.quote(Path(outcome.run or "last").name)
    if outcome.finished:
        task = TASKS[load(RunFolder.open(outcome.run or "last").config).task]
        commands = task.CARD.commands.format(run=run).splitlines()
        display.result("On what it has not seen", outcome.rows, outcome.measures, commands)
    else:
        display.note(
            f"{outcome.reason} after update {outcome.updates:,}; go on with it: unrolled resume {run}"
        )
