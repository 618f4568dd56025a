"""The folder of one training run: what lies where, which run a name means, and who may write it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from unrolled import storage
from unrolled.errors import OptionError, RunError, StorageError, nearest, note
from unrolled.training import checkpoint
from unrolled.training.journal import Journal
from unrolled.training.origin import origin

if sys.platform != "win32":
    import fcntl

PARENT = "UNROLLED_RUNS"
"""The environment variable that says where runs are kept, in place of ``runs`` in the current folder."""


def parent_folder() -> Path:
    """Where runs are kept unless a place is given."""
    return Path(os.environ.get(PARENT) or "runs")


class RunFolder:
    """A run's folder; `create` makes one, `open` finds one.

    The files of the best weights (``config.json``, ``model.safetensors``, ``README.md``, and what reads the
    data: ``tokenizer.json``, or for other tasks than language models ``reader.json``) are a whole model by
    themselves; ``last/`` is what `resume` goes on from.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.resolve().name
        self.config = path / "config.toml"
        self.config_json = path / "config.json"
        self.tokenizer = path / "tokenizer.json"
        self.reader = path / "reader.json"
        self.data = path / "data.safetensors"
        self.model = path / "model.safetensors"
        self.last = path / "last"
        self.metrics = path / "metrics.jsonl"
        self.card = path / "README.md"
        self.result = path / "result.json"
        self.report = path / "report.html"
        self.figures = path / "figures"
        self.env = path / "env.json"
        self.data_report = path / "data_report.json"

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @classmethod
    def create(cls, config: str, name: str, parent: Path | None = None) -> Self:
        """Makes the folder of a new run and writes its configuration, TOML.

        Raises:
            OptionError: a name that no folder can have.
            RunError: there is a folder of that name.
            StorageError: the disk is full, or will not take it.
        """
        if name in ("", ".", "..", "last") or set(name) & set('/\\:*?"<>|\0'):
            fix = "Choose another with --name."
            raise OptionError("run: name", "be that of a folder, and not last", repr(name), fix)
        path = (parent or parent_folder()) / name
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            fix = f"Choose another with --name, or go on with it: unrolled resume {name}"
            raise RunError(f"run: {path}", "be new", "a folder that is there", fix) from error
        except OSError as error:
            raise storage.refusal(path, error) from error
        folder = cls(path)
        try:
            folder.last.mkdir()
            storage.write(folder.config, config)
        except BaseException as error:
            folder.discard()
            if isinstance(error, OSError) and not isinstance(error, StorageError):
                raise storage.refusal(path, error) from error
            raise
        return folder

    @classmethod
    def open(cls, run: str | Path, parent: Path | None = None) -> Self:
        """The run of a path, of a name among those in the parent folder, or the one trained ``last``.

        Raises:
            RunError: there is none; the nearest name is given.
        """
        parent = parent or parent_folder()
        names = {folder.name: folder.path for folder in _runs(parent)}
        if str(run) == "last" and names:
            return cls(max(names.values(), key=_changed))
        for path in (Path(run), parent / run):
            if _mode(path / "config.toml"):
                return cls(path)
        fix = "Train one: unrolled train lm TEXT"
        if names:
            fix = nearest(str(run), names) + " See all of them: unrolled runs"
        got = "a folder without config.toml" if _mode(Path(run)) else f"none, and none in {parent}"
        raise RunError(f"run: {run}", "be a run's folder, a run's name or last", got, fix)

    @property
    def journal(self) -> Journal:
        """The rows of ``metrics.jsonl``."""
        return Journal(self.metrics)

    @property
    def covers(self) -> dict[str, Path]:
        """The files without which weights mean nothing: what the best weights answer for."""
        reads = self.reader if self.reader.exists() else self.tokenizer
        return {file.name: file for file in (self.config, reads)}

    @property
    def covers_with_data(self) -> dict[str, Path]:
        """Those, and the tokens that it learns from: what ``last/`` answers for."""
        return {**self.covers, self.data.name: self.data}

    @cached_property
    def sealed(self) -> dict[str, str]:
        """The digests of `covers` when first asked for, for writing; ask when training begins.

        Raises:
            RunError: one of them cannot be read.
        """
        return {name: checkpoint.digest(file) for name, file in self.covers.items()}

    @cached_property
    def sealed_with_data(self) -> dict[str, str]:
        """The digests of `covers_with_data` when first asked for; raises as `sealed`."""
        return {**self.sealed, self.data.name: checkpoint.digest(self.data)}

    @property
    def has_checkpoint(self) -> bool:
        """Whether a training came as far as its first checkpoint."""
        return any((self.last / name).exists() for name in (checkpoint.NEWEST, checkpoint.PREVIOUS))

    @property
    def finished(self) -> bool:
        """Whether a training came to its end and was judged, or there is a model alone, as it is given on."""
        return self.result.exists() or (self.card.exists() and not self.has_checkpoint)

    @property
    def started_in(self) -> Path | None:
        """The folder that its sources' names start at; None where that was not written."""
        try:
            return Path(json.loads(self.env.read_text())["folder"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_config_json(self, contents: Mapping[str, Any]) -> None:
        """Writes what a reader of the weights must know, ``config.json``; raises StorageError."""
        storage.write(self.config_json, json.dumps(contents, indent=2) + "\n")

    def write_data_report(self, contents: Mapping[str, Any]) -> None:
        """Writes what the data are, ``data_report.json``; raises StorageError."""
        storage.write(self.data_report, json.dumps(contents, indent=2) + "\n")

    def write_result(self, contents: Mapping[str, Any]) -> None:
        """Writes what came of the training, ``result.json``; raises StorageError."""
        sealed = {**contents, "sha256": _sha256(contents)}
        storage.write(self.result, json.dumps(sealed, indent=2) + "\n")

    def read_result(self) -> dict[str, Any]:
        """What `write_result` wrote.

        Raises:
            RunError: the training is not at its end, or the file is damaged.
        """
        fix = f"Have it judged anew: unrolled resume {self.name}"
        try:
            contents: dict[str, Any] = json.loads(self.result.read_text())
            sha256 = contents.pop("sha256", None)
        except FileNotFoundError as error:
            fix = f"Let it come to its end: unrolled resume {self.name}"
            raise RunError(f"run: {self.path}", "have a result", "none yet", fix) from error
        except (OSError, ValueError, AttributeError) as error:
            raise RunError(f"run: {self.result}", "be a result", str(error), fix) from error
        if sha256 != _sha256(contents):
            raise RunError(f"run: {self.result}", "be as it was written", "other contents", fix)
        return contents

    def write_report(self, page: str, figures: Mapping[str, str]) -> None:
        """Writes ``report.html``, and the figures in it by themselves, SVG by name; raises StorageError."""
        storage.write(self.report, page)
        try:
            self.figures.mkdir(exist_ok=True)
        except OSError as error:
            raise storage.refusal(self.figures, error) from error
        for name, svg in figures.items():
            storage.write(self.figures / f"{name}.svg", svg)

    def write_card(self, text: str) -> None:
        """Writes the model's card, Markdown; raises StorageError."""
        storage.write(self.card, text)

    def write_env(self) -> None:
        """Writes with what, where and when it was trained; raises StorageError."""
        storage.write(self.env, json.dumps(origin(), indent=2) + "\n")

    @contextlib.contextmanager
    def resumable(self) -> Generator[None]:
        """Says of what ends a training inside, an error of the disk or a signal, how to go on."""
        try:
            yield
        except StorageError as error:
            if not self.has_checkpoint:
                raise
            fix = f"{error.fix} Then: unrolled resume {self.name}"
            raise StorageError(error.subject, error.rule, error.got, fix) from error
        except (KeyboardInterrupt, SystemExit):
            if self.config.exists():
                note(f"stopped; go on with it: unrolled resume {self.name}")
            raise

    def discard(self) -> None:
        """Removes a run that failed before it kept anything; one with weights or a checkpoint stays."""
        if not self.model.exists() and not self.has_checkpoint:
            shutil.rmtree(self.path, ignore_errors=True)

    @contextlib.contextmanager
    def lock(self) -> Generator[None]:
        """Keeps other processes from training here, and removes what a killed one left half-written.

        The lock is the system's: it ends with the process, however that ends.

        Raises:
            RunError: another process trains here; its number is given.
        """
        path = self.path / ".lock"
        descriptor = _locked(path)
        try:
            for folder in (self.path, self.last):
                storage.sweep(folder)
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is locked: see `_locked`
            os.close(descriptor)

    def training(self) -> bool:
        """Whether a process trains in this folder now."""
        try:
            descriptor = os.open(self.path / ".lock", os.O_RDWR)
        except OSError:
            return False
        try:
            return not _try_lock(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Summary:
    """A line about one run.

    Units: changed is seconds since 1970; valid_loss is the best of the held-out slice.

    Attributes:
        finished: it came to its end and was judged.
        update: the last that the journal tells of.
    """

    name: str
    path: str
    changed: float
    training: bool
    finished: bool
    update: int | None
    valid_loss: float | None


def list_runs(parent: Path | None = None) -> list[Summary]:
    """All runs in a folder, the one trained last first; a run with a damaged journal has no numbers."""
    folders = sorted(_runs(parent or parent_folder()), key=lambda folder: -_changed(folder.path))
    return [_summary(folder) for folder in folders]


def run_name(task: str, source: str) -> str:
    """A name for a new run, of its task, what it reads and when: ``lm-book-20260131-235959``."""
    stem = re.sub(r"[^\w.-]+", "-", Path(source).stem).strip("-.") or "text"
    return f"{task}-{stem[:40]}-{time.strftime('%Y%m%d-%H%M%S')}"


# -------------------------------------------------------------------------------------------- inside


def _sha256(contents: Mapping[str, Any]) -> str:
    """The digest of what a JSON file says, however it is laid out."""
    return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()


def _runs(parent: Path) -> list[RunFolder]:
    configs = sorted(parent.glob("*/config.toml")) if _mode(parent) else []
    return [RunFolder(config.parent) for config in configs]


def _changed(path: Path) -> float:
    """When a run's training last wrote something, seconds since 1970."""
    files = (path / name for name in ("config.toml", "metrics.jsonl", f"last/{checkpoint.NEWEST}"))
    return max((file.stat().st_mtime for file in files if _mode(file)), default=0.0)


def _mode(path: Path) -> int:
    """`storage.mode`, whose refusal is an error of the run."""
    try:
        return storage.mode(path)
    except OSError as error:
        fix = f"See to who may read it: ls -ld {path.parent}"
        raise RunError(f"run: {path}", "be readable", (error.strerror or str(error)).lower(), fix) from error


def _summary(folder: RunFolder) -> Summary:
    try:
        rows = folder.journal.rows()
    except RunError:
        rows = []
    losses = [row["valid_loss"] for row in rows if row.get("valid_loss") is not None]
    updates = [row["update"] for row in rows if "update" in row]
    return Summary(
        name=folder.name,
        path=str(folder.path),
        changed=_changed(folder.path),
        training=folder.training(),
        finished=folder.finished,
        update=updates[-1] if updates else None,
        valid_loss=min(losses, default=None),
    )


def _locked(path: Path) -> int:
    """A descriptor of the lock file that this process has locked."""
    owner = ""
    for _ in range(10):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise storage.refusal(path, error) from error
        if not _try_lock(descriptor):
            owner = os.read(descriptor, 20).decode(errors="replace")
            time.sleep(0.02)  # it may only be `training`, which locks it to look
        elif path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
            with contextlib.suppress(OSError):  # on a full disk, the lock bears no number
                os.truncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
            return descriptor
        os.close(
            descriptor
        )  # in the third case its owner removed it meanwhile: this is a file without a name
    fix = f"Wait for it, or end it: kill {owner or '…'}"
    raise RunError(f"run: {path.parent}", "be trained by one process", f"process {owner or '…'}", fix)


def _try_lock(descriptor: int) -> bool:
    """Locks an open file if no other process has; the lock ends when the file is closed."""
    if sys.platform == "win32":
        note("runs are not locked on Windows: see to it that no two processes train in one folder")
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
