"""The command line is the Python interface: same verbs, arguments and defaults; errors without tracebacks."""

import inspect
import json
from typing import get_args

import click
import pytest
from click.testing import CliRunner, Result

from unrolled import api
from unrolled.cli import main


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def test_verbs_are_the_functions_of_api():
    public = [name for name, value in vars(api).items() if inspect.isfunction(value) and name[0] != "_"]
    assert sorted(main.commands) == sorted(public) == api.__all__


@pytest.mark.parametrize("verb", api.__all__)
def test_options_are_the_parameters(verb: str):
    options = [p for p in main.commands[verb].params if isinstance(p, click.Option) and p.name != "json_"]
    parameters = inspect.signature(getattr(api, verb)).parameters
    assert [o.name for o in options] == list(parameters)
    assert [o.default for o in options] == [p.default for p in parameters.values()]
    assert all(len(get_args(p.annotation)) == 2 for p in parameters.values()), "each says what it means"


@pytest.mark.parametrize("verb", api.__all__)
def test_help_of_a_verb(verb: str):
    result = call(verb, "--help")
    assert result.exit_code == 0
    assert "Raises" not in result.output


def test_unknown_verb_names_the_nearest():
    result = call("demoo")
    assert (result.exit_code, "Did you mean 'demo'?" in result.stderr) == (2, True)


def test_unknown_option_names_the_nearest():
    result = call("bench", "--forwardonly")
    assert (result.exit_code, "--forward-only" in result.stderr) == (2, True)


def test_wrong_value_is_an_error_of_the_house_without_a_traceback():
    result = call("bench", "--H", "0")
    assert result.exit_code == 1
    assert result.stderr == "Error: bench: H must be at least 1; got 0. Leave it out for the default.\n"


def test_value_that_is_not_offered_lists_what_is():
    result = call("bench", "--cell", "grru")
    assert (result.exit_code, "'rnn', 'lstm', 'gru'" in result.stderr) == (2, True)


def test_bench_answers_for_a_shape():
    result = call("bench", "--cell", "lstm", "--T", "5", "--B", "2", "--H", "8", "--forward-only", "--json")
    speed = json.loads(result.stdout)
    assert speed["shape"] == dict(cell="lstm", T=5, B=2, I=8, H=8, layers=1, bidirectional=False)
    assert speed["ours"] > 0
    assert speed["ratio"]["low"] <= speed["ratio"]["median"] <= speed["ratio"]["high"]
    assert speed["difference"] < 1e-6


def test_doctor_says_what_runs():
    result = call("doctor")
    assert result.exit_code == 0
    assert "compiled core" in result.output
