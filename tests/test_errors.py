"""One tree, drawn at its top."""

import re

import pytest

from unrolled import errors

KINDS = [kind for kind in errors.UnrolledError.__subclasses__() if kind.__module__ == errors.__name__]


def test_the_drawn_tree_is_the_tree():
    drawn = re.findall(r"[├└]── (\w+) +\((\w+)\)", errors.__doc__ or "")
    real = KINDS
    assert {(kind.__name__, kind.__mro__[2].__name__) for kind in real} == set(drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_says_where_rule_got_and_fix(kind: type[errors.UnrolledError]):
    error = kind("LSTM.forward: h_0", "have shape [2]", [3], "Cut it.")
    assert str(error) == "LSTM.forward: h_0 must have shape [2]; got [3]. Cut it."
    assert error.fix == "Cut it."


def test_nearest_names_one_or_all():
    assert errors.nearest("dw_hh", ["dW_hh", "dW_xh"]) == "Did you mean dW_hh?"
    assert errors.nearest("q", ["dW_hh", "dW_xh"]) == "Offered: dW_hh, dW_xh."


def test_a_note_is_said_once(caplog: pytest.LogCaptureFixture):
    errors.note.cache_clear()
    errors.note("this is slow")
    errors.note("this is slow")
    assert caplog.messages == ["note: this is slow"]
