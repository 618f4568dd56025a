"""The command line: `api`'s functions as verbs, their arguments as options. No logic of its own.

A parameter ``forward_only: Annotated[bool, "help"] = False`` becomes ``--forward-only``; a verb's result is
printed as text, or with ``--json`` as data.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from typing import Any, Literal, get_args, get_origin

import click

from unrolled import __version__, api
from unrolled.errors import UnrolledError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(__version__, prog_name="unrolled")
def main() -> None:
    """Recurrent neural networks that are fast on a CPU and open at every time step."""


def command(verb: Callable[..., Any]) -> click.Command:
    """Makes the command of one verb.

    An error of ours ends it with its message and exit code 1; a mistake in the options, with exit code 2.
    """

    @wraps(verb)
    def run(json_: bool, **arguments: Any) -> None:
        try:
            result = verb(**arguments)
        except UnrolledError as error:
            raise click.ClickException(str(error)) from error
        click.echo(json.dumps(asdict(result)) if json_ else str(result))

    as_json = click.Option(["--json", "json_"], is_flag=True, help="print the result as data")
    return click.Command(
        verb.__name__.replace("_", "-"),
        callback=run,
        params=[*map(option, inspect.signature(verb).parameters.values()), as_json],
        help=(inspect.getdoc(verb) or "").split("\n\nRaises:")[0],
    )


def option(parameter: inspect.Parameter) -> click.Option:
    """Makes the option of one parameter of a verb, from its name, annotation and default."""
    annotation, text = get_args(parameter.annotation)
    is_flag = annotation is bool
    return click.Option(
        [f"--{parameter.name.replace('_', '-')}", parameter.name],
        type=None if is_flag else option_type(annotation),
        default=parameter.default,
        is_flag=is_flag,
        help=text,
    )


def option_type(annotation: Any) -> Any:
    """What an option accepts: the values of a ``Literal``, or the first type of a union (``int | None``)."""
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    return annotation if isinstance(annotation, type) else get_args(annotation)[0]


for name in api.__all__:
    main.add_command(command(getattr(api, name)))
