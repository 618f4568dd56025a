"""The command line: `api`'s functions as verbs, their arguments as options. No logic of its own.

A parameter ``forward_only: Annotated[bool, "help"] = False`` becomes ``--forward-only``; one that has a
place, an argument. A verb with ``task`` and ``**fields`` becomes one command a task, with an option for every
field of the task's config, which may also be written ``key=value``. A verb's result is printed as text, or
with ``--json`` as data; a verb with a parameter ``json`` shows it itself.
"""

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from time import monotonic
from typing import Any, Literal, get_args, get_origin

import click
import msgspec

import unrolled
from unrolled import api, storage
from unrolled.config import CONFIGS, Config, Field, field_named, shown
from unrolled.errors import OptionError, UnrolledError, nearest, note
from unrolled.report.wording import visible

SHORT = {"quiet": "-q"}
"""The options that have a letter."""

WIDEST_NAME = 30
"""Columns of an option's name in a help text."""

FLUSH_EVERY = 0.02
"""Seconds of text that may wait: less than an eye notices."""

ROWS = {"predict"}
"""The verbs whose result has rows, which ``--csv`` prints."""

SETTING = re.compile(r"(?P<key>[A-Za-z][\w-]*)=(?P<value>.*)", re.DOTALL)

EXIT_CODES = """\b
Exit codes:
  0    done; also a training that one Ctrl-C or SIGTERM ended in good order
  1    it could not be done: the data, a run, the disk, this installation
  2    a mistake on the command line or in a field of a config
  130  stopped at once: by a second Ctrl-C, or by one where nothing trains
  143  ended by SIGTERM where nothing trains: while it reads, or judges at the end"""


class Mistake(click.ClickException):
    """Something was asked for that is not offered."""

    exit_code = 2


class Verb(click.Command):
    """A command whose options stand under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the options, those of a config in the sections of its file."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record and isinstance(parameter, click.Option):
                groups.setdefault(getattr(parameter, "section", "Options"), []).append(record)
        longest = max(len(name) for records in groups.values() for name, _ in records)
        width = min(longest, WIDEST_NAME)  # click gives a longer one a line of its own
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in records], WIDEST_NAME)


class FieldOption(click.Option):
    """The option of one field of a config; not given, it leaves the field as it is."""

    def __init__(self, field: Field, section: str) -> None:
        super().__init__(
            [f"--{field.name.replace('_', '-')}", field.name],
            type=click.Choice(field.choices) if field.choices else str,
            multiple=field.kind is tuple,
            metavar="TEXT" if field.kind is tuple else shown(field.default),
            help=f"{field.help}: {', '.join(field.choices)}" if field.choices else field.help,
        )
        self.section = section


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True, "max_content_width": 100},
    epilog=EXIT_CODES,
)
@click.version_option(unrolled.__version__, prog_name="unrolled")
def main() -> None:
    """Recurrent neural networks that are fast on a CPU and open at every time step."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a model may write what the terminal's encoding lacks


class Tasks(click.Group):
    """A command for every task; without the task's name it is made out from the data, and said."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The task that is named first, or that the first file looks like."""
        first = args[0]
        if first in self.commands or first.startswith("-") or not (is_there(first) or "*" in first):
            if first not in self.commands and not first.startswith("-"):
                fix = nearest(first, self.commands)
                raise Mistake(str(OptionError(f"{self.name}: the task", "be a task or a file", first, fix)))
            return super().resolve_command(ctx, args)
        from unrolled.data.guess import guess

        try:
            found = guess([first])
        except UnrolledError as error:
            raise click.ClickException(str(error)) from error
        note(f"it looks like {found}")
        return found.task, self.commands[found.task], args


def command(verb: Callable[..., Any]) -> click.Command:
    """Makes the command of one verb; one that takes the fields of a config, a command for every task."""
    signature = inspect.signature(verb)
    if not takes_fields(signature):
        return Verb(verb.__name__.replace("_", "-"), **made_of(verb, signature))
    about = (inspect.getdoc(verb) or "").split("\n\n")[0]
    tasks = Tasks(verb.__name__, help=about, subcommand_metavar="TASK DATA...", epilog=EXIT_CODES)
    for task, kind in CONFIGS.items():
        tasks.add_command(Verb(task, short_help=kind.fields()["task"].help, **made_of(verb, signature, task)))
    return tasks


def made_of(verb: Callable[..., Any], signature: inspect.Signature, task: str = "") -> dict[str, Any]:
    """What a command is made of: what it runs, its parameters, its help.

    An error of ours ends it with its message and exit code 1, or 2 where what was asked for is not offered.
    """
    shows_itself = "json" in signature.parameters
    kind = CONFIGS[task] if task else None

    @wraps(verb)
    def run(json: bool, print_python: bool, csv: bool = False, **given: Any) -> None:
        if shows_itself and json:
            given["json"] = True
        if task:
            given["task"] = task
        try:
            call = bound(signature, given, kind)
            if print_python:
                click.echo(as_python(verb, call, kind))
                return
            result = verb(*call.args, **call.kwargs)
            if csv:
                click.echo(result.as_csv(), nl=False)
            elif json or not shows_itself:
                show(result, json)
        except UnrolledError as error:
            kind_of_error = Mistake if isinstance(error, OptionError) else click.ClickException
            raise kind_of_error(str(error)) from error
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            click.get_current_context().exit(130)

    named = [parameter for name, parameter in signature.parameters.items() if not task or name != "task"]
    own = [made for parameter in named for made in options(parameter, signature, kind)]
    common = [
        click.Option(["--json", "json"], is_flag=True, help="print the result as data"),
        *[click.Option(["--csv"], is_flag=True, help="print the result as CSV")] * (verb.__name__ in ROWS),
        click.Option(["--print-python"], is_flag=True, help="print the same call in Python, and do nothing"),
    ]
    own.sort(key=lambda made: isinstance(made, FieldOption))
    fields = sum(isinstance(made, FieldOption) for made in own)
    return {
        "callback": run,
        "params": [*own[: len(own) - fields], *common, *own[len(own) - fields :]],
        "help": (inspect.getdoc(verb) or "").split("\n\nRaises:")[0],
        "epilog": EXIT_CODES,
    }


def options(
    parameter: inspect.Parameter, signature: inspect.Signature, kind: type[Config] | None = None
) -> Iterator[click.Parameter]:
    """Makes the argument or the options of one parameter of a verb, from its name, annotation and default."""
    annotation, text = get_args(parameter.annotation)
    if parameter.kind is parameter.VAR_KEYWORD:
        for title, fields in kind.sections() if kind else ():
            yield from (FieldOption(f, title) for f in fields if is_setting(f, signature))
    elif parameter.kind is parameter.VAR_POSITIONAL:
        yield click.Argument([parameter.name], nargs=-1, metavar=f"{parameter.name.upper()}...", help=text)
    elif parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
        default = {} if parameter.default is parameter.empty else {"default": parameter.default}
        name = parameter.name.upper()
        yield click.Argument(
            [parameter.name], type=option_type(annotation), metavar=name, help=text, **default
        )
    elif parameter.name != "json":
        is_flag = annotation is bool
        names = [f"--{parameter.name.replace('_', '-')}", parameter.name]
        yield click.Option(
            [*names, SHORT[parameter.name]] if parameter.name in SHORT else names,
            type=None if is_flag else option_type(annotation),
            default=parameter.default,
            multiple=get_origin(annotation) is tuple,
            is_flag=is_flag,
            help=text,
        )


def option_type(annotation: Any) -> Any:
    """What an option accepts: the values of a ``Literal``, or the first type of a union (``int | None``)."""
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    return annotation if isinstance(annotation, type) else get_args(annotation)[0]


def bound(
    signature: inspect.Signature, given: dict[str, Any], kind: type[Config] | None = None
) -> inspect.BoundArguments:
    """The call that the words of a command line mean.

    Raises:
        UsageError: a field is given twice.
        OptionError: a field that does not exist, or that has a place of its own.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    settings: list[tuple[str, Any]] = []
    for parameter in signature.parameters.values():
        value = given.pop(parameter.name, parameter.default)
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            args.append(value)
        elif parameter.kind is parameter.VAR_POSITIONAL:
            for word in value:
                setting = SETTING.fullmatch(word) if kind else None
                if not kind or not setting or is_there(word):
                    args.append(word)
                    continue
                field = field_named(setting["key"], kind)
                if not is_setting(field, signature):
                    fix = "Leave it out; task and files are words of their own: unrolled train lm book.txt"
                    raise OptionError(f"config: {field.name}", "not be given as key=value", word, fix)
                settings.append((field.name, setting["value"]))
        elif parameter.kind is parameter.KEYWORD_ONLY and value != parameter.default:
            kwargs[parameter.name] = value
    settings += [(name, value) for name, value in given.items() if value not in (None, ())]
    for name, _ in settings:
        if sum(name == other for other, _ in settings) > 1:
            raise click.UsageError(f"{name} is given twice.")
    return signature.bind(*args, **kwargs, **dict(settings))


def is_there(word: str) -> bool:
    """Whether a word is the name of a file, be it one that may not be looked at."""
    try:
        return storage.mode(Path(word)) != 0
    except OSError:
        return True


def takes_fields(signature: inspect.Signature) -> bool:
    """Whether a verb takes the fields of a config."""
    return any(parameter.kind is parameter.VAR_KEYWORD for parameter in signature.parameters.values())


def is_setting(field: Field, signature: inspect.Signature) -> bool:
    """Whether a field of the config is set by name, having no place of its own in the verb."""
    return field.name not in {*signature.parameters, "schema"}


def as_python(
    verb: Callable[..., Any], call: inspect.BoundArguments, kind: type[Config] | None = None
) -> str:
    """The call as one would write it in Python; it shows what the command shows."""
    name, signature = verb.__name__, inspect.signature(verb)
    home = "unrolled" if name in unrolled.__all__ else "unrolled.api"
    fields = kind.fields() if kind else {}
    named = {key: fields[key].value(value) if key in fields else value for key, value in call.kwargs.items()}
    words = [*map(repr, call.args), *(f"{key}={value!r}" for key, value in named.items() if key != "json")]
    called = f"{name}({', '.join(words)})"
    if signature.return_annotation == "Samples":
        called = f'for piece in {called}:\n    print(piece, end="", flush=True)'
    elif "json" not in signature.parameters:
        called = f"print({called})"
    return f"from {home} import {name}\n\n{called}"


def show(result: Any, as_data: bool) -> None:
    """Prints what a verb gave; text that comes in pieces, as it comes."""
    if as_data:
        data = result.as_data() if hasattr(result, "as_data") else result
        click.echo(msgspec.json.encode(data, enc_hook=lambda made: made.as_data()))
    elif isinstance(result, Iterator):
        write(result)
    else:
        click.echo(str(result))


def write(pieces: Iterator[str]) -> None:
    """Prints text as it comes; to a terminal, without anything that would command it."""
    out, flushed = sys.stdout, 0.0
    for piece in pieces:
        out.write(visible(piece) if out.isatty() else piece)
        if monotonic() - flushed > FLUSH_EVERY:
            out.flush()
            flushed = monotonic()
    out.write("\n")


for verb in api.__all__:
    main.add_command(command(getattr(api, verb)))
