"""Bad input: refused before anything is computed, with the argument, the rule, what came and the way out."""

from typing import Any, TypeAlias

import numpy as np
import pytest

from tests.battery.own_cells import PEEPHOLE_LSTM
from unrolled import unroll
from unrolled.cells import LSTM, check_finite
from unrolled.checks import draw
from unrolled.errors import (
    DtypeError,
    LengthsError,
    NonFiniteError,
    NotKeptError,
    OptionError,
    ShapeError,
    UnavailableError,
    UnrolledError,
)
from unrolled.tape import Engine, Walk

T, B, I, H, P = 2, 3, 4, 5, 2
Cases: TypeAlias = dict[str, tuple[dict[str, Any], type[UnrolledError], tuple[str, str, str, str]]]
"""What is changed, what is raised, and what it says: of which argument, the rule, what came, the way out."""


def good(**changed: Any) -> dict[str, Any]:
    """Arguments of a right call of an LSTM with a projection, some of them changed."""
    rng = np.random.default_rng(0)
    params = {
        "W_xh": rng.normal(size=(4 * H, I)),
        "W_hh": rng.normal(size=(4 * H, P)),
        "b_xh": rng.normal(size=4 * H),
        "b_hh": rng.normal(size=4 * H),
        "W_hr": rng.normal(size=(P, H)),
    }
    params |= changed.pop("params", {})
    initial = {"h": np.zeros((B, P)), "c": np.zeros((B, H))}
    call = {"cell": "lstm", "params": params, "x": rng.normal(size=(T, B, I)), "initial": initial}
    return call | {"engine": "reference"} | changed


BAD: Cases = {
    "unknown cell": (
        {"cell": "lstn"},
        OptionError,
        ("name", "be the name of a cell", "'lstn'", "Did you mean lstm?"),
    ),
    "rank of x": (
        {"x": np.zeros((B, I))},
        ShapeError,
        ("x", "have 3 axes, [T, B, I]", "2: [3, 4]", "Add the missing one, as x[:, None] does."),
    ),
    "size of x": (
        {"x": np.zeros((T, B, I + 1))},
        ShapeError,
        ("x", "have shape [T, B, I] = [2, 3, 4]", "[2, 3, 5]", "Axis 2 is I and must be 4."),
    ),
    "dtype of x": (
        {"x": np.zeros((T, B, I), np.float32)},
        DtypeError,
        (
            "x",
            "be float64, as the parameters are",
            "float32",
            "Nothing is cast silently; convert: .astype(np.float64).",
        ),
    ),
    "x is a list": (
        {"x": [[[0.0] * I] * B] * T},
        DtypeError,
        ("x", "be a NumPy array", "list", "Convert it: np.asarray(…)."),
    ),
    "transposed weight": (
        {"params": {"W_hr": np.zeros((H, P)), "W_hh": np.zeros((4 * H, P))}},
        ShapeError,
        ("W_hh", "have shape [G*H, R] = [20, 5]", "[20, 2]", "Axis 1 is R and must be 5."),
    ),
    "batch of h_0": (
        {"initial": {"h": np.zeros((B + 1, P))}},
        ShapeError,
        ("h_0", "have shape [B, R] = [3, 2]", "[4, 2]", "Axis 0 is B and must be 3."),
    ),
    "axes of h_0 swapped": (
        {"initial": {"h": np.zeros((P, B))}},
        ShapeError,
        ("h_0", "have shape [B, R] = [3, 2]", "[2, 3]", "Swap axes 0 and 1: h_0.swapaxes(0, 1)."),
    ),
    "unknown state": (
        {"initial": {"s": np.zeros((B, P))}},
        OptionError,
        ("initial", "be by state of lstm", "'s'", "Offered: h, c."),
    ),
    "hidden size 0": (
        {"params": {"W_hh": np.zeros((0, P))}},
        ShapeError,
        (
            "W_hh",
            "have G*H rows, G = 4 gates of H >= 1 hidden units",
            "0 rows",
            "A hidden size of 0 carries nothing.",
        ),
    ),
    "weights of another cell": (
        {"cell": "gru"},
        OptionError,
        ("params", "hold parameters of gru", "'W_hr'", "Its own: W_xh, W_hh, b_xh, b_hh."),
    ),
    "rows of another cell": (
        {"params": {"W_hh": np.zeros((3 * H, P))}},
        ShapeError,
        ("W_hh", "have G*H rows, G = 4 gates of H >= 1 hidden units", "15 rows", "Are these weights lstm's?"),
    ),
    "projection to 0": (
        {"params": {"W_hr": np.zeros((0, H))}},
        ShapeError,
        ("W_hr", "have P >= 1 rows", "0 rows", "Leave it out for no projection."),
    ),
    "unknown parameter": (
        {"params": {"W_ih": np.zeros((4 * H, I))}},
        OptionError,
        ("params", "hold parameters of lstm", "'W_ih'", "Did you mean W_xh?"),
    ),
    "missing parameter": (
        {"params": {"W_xh": None}},
        OptionError,
        ("params", "hold W_xh", "only W_hh, b_xh, b_hh, W_hr", "Add params['W_xh']."),
    ),
    "integer weights": (
        {"params": {"W_hh": np.zeros((4 * H, P), int)}},
        DtypeError,
        ("W_hh", "be float32 or float64", "int64", "Convert the parameters and x."),
    ),
    "lengths too long": (
        {"walk": Walk(np.array([2, 3, 0]))},
        LengthsError,
        ("lengths", "lie in 0 … T = 2", "lengths[1] = 3", "A length counts real steps along x's axis 0."),
    ),
    "negative length": (
        {"walk": Walk(np.array([2, 1, -1]))},
        LengthsError,
        ("lengths", "lie in 0 … T = 2", "lengths[2] = -1", "A length counts real steps along x's axis 0."),
    ),
    "too few lengths": (
        {"walk": Walk(np.array([2, 1]))},
        LengthsError,
        (
            "lengths",
            "have shape [B] = [3]",
            "[2]",
            "Give one for every sequence, in the order of x's axis 1.",
        ),
    ),
    "lengths that are no integers": (
        {"walk": Walk(np.array([2.0, 1.0, 0.0]))},
        DtypeError,
        ("lengths", "be integers", "float64", "Convert them: lengths.astype(np.int64)."),
    ),
    "reset of another shape": (
        {"walk": Walk(reset=np.zeros((B, T), bool))},
        ShapeError,
        ("reset", "have shape [T, B] = [2, 3]", "[3, 2]", "Swap axes 0 and 1: reset.swapaxes(0, 1)."),
    ),
    "reset of another dtype": (
        {"walk": Walk(reset=np.zeros((T, B)))},
        DtypeError,
        ("reset", "be bool", "float64", "Compare: reset != 0."),
    ),
    "unknown array to keep": (
        {"keep": ["gate"]},
        OptionError,
        ("keep", "name arrays of the tape", "'gate'", "Did you mean gates?"),
    ),
    "unknown engine": (
        {"engine": "nativ"},
        OptionError,
        ("engine", "be one of auto, native, reference", "'nativ'", "Did you mean native?"),
    ),
    "no threads": (
        {"engine": Engine("reference", threads=0)},
        OptionError,
        ("threads", "be a whole number of at least 1", "0", "The calling thread is one of them."),
    ),
    "half a thread": (
        {"engine": Engine("native", threads=1.5)},  # pyright: ignore[reportArgumentType]
        OptionError,
        ("threads", "be a whole number of at least 1", "1.5", "The calling thread is one of them."),
    ),
    "an engine that is no name": (
        {"engine": 2},
        OptionError,
        ("engine", "be one of auto, native, reference", "2", "Offered: auto, native, reference."),
    ),
    "a walk of no class": (
        {"walk": {"reverse": True}},
        OptionError,
        ("walk", "be a Walk", "dict", "Build one: Walk(lengths=…, reset=…, reverse=…)."),
    ),
}


@pytest.mark.parametrize("params", [[np.zeros((4 * H, I))], None, np.zeros(3)], ids=type)
def test_parameters_without_names(params: Any):
    with pytest.raises(
        OptionError, match=r"params must be a mapping of names to arrays; got \w+\. Give them"
    ):
        unroll.forward("lstm", params, np.zeros((T, B, I)))


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_the_way_out(case: str):
    change, kind, (argument, rule, got, fix) = BAD[case]
    with pytest.raises(kind) as caught:
        unroll.forward(**good(**change))
    where = "cells.get" if case == "unknown cell" else "unroll.forward"
    assert str(caught.value) == f"{where}: {argument} must {rule}; got {got}. {fix}"
    assert caught.value.fix == fix


BAD_BACK: Cases = {
    "shape of dh_out": (
        {"dh_out": np.zeros((T, B, H))},
        ShapeError,
        ("dh_out", "have shape [T, B, R] = [2, 3, 2]", "[2, 3, 5]", "Axis 2 is R and must be 2."),
    ),
    "dtype of dh_out": (
        {"dh_out": np.zeros((T, B, P), np.float32)},
        DtypeError,
        (
            "dh_out",
            "be float64, as the parameters are",
            "float32",
            "Nothing is cast silently; convert: .astype(np.float64).",
        ),
    ),
    "batch of dc_n": (
        {"final": {"c": np.zeros((1, H))}},
        ShapeError,
        ("dc_n", "have shape [B, H] = [3, 5]", "[1, 5]", "Axis 0 is B and must be 3."),
    ),
    "unknown state": (
        {"final": {"s": np.zeros((B, H))}},
        OptionError,
        ("final", "be by state of lstm", "'s'", "Offered: h, c."),
    ),
    "unknown gradient to keep": (
        {"keep": ["dh_carri"]},
        OptionError,
        ("keep", "name arrays of the tape", "'dh_carri'", "Did you mean dh_carry?"),
    ),
}


@pytest.mark.parametrize("case", BAD_BACK)
def test_bad_gradients_are_refused(case: str):
    arguments, kind, (argument, rule, got, fix) = BAD_BACK[case]
    tape = unroll.forward(**good())
    with pytest.raises(kind) as caught:
        unroll.backward(tape, **arguments)
    assert str(caught.value) == f"unroll.backward: {argument} must {rule}; got {got}. {fix}"
    assert not any(name.startswith("d") for name in tape.arrays)


def test_good_input_is_good():
    unroll.forward(**good())


def test_python_s_own_exceptions_catch_ours():
    with pytest.raises(ValueError, match="must have 3 axes"):
        unroll.forward(**good(x=np.zeros((B, I))))
    with pytest.raises(TypeError, match="must be float64"):
        unroll.forward(**good(x=np.zeros((T, B, I), np.float32)))
    with pytest.raises(AttributeError, match="must be kept"):
        _ = unroll.forward(**good(keep=())).gates


def test_check_finite_names_the_array_and_the_place():
    params = good()["params"]
    check_finite(params)
    params["W_hh"][3, 1] = np.inf
    with pytest.raises(NonFiniteError, match=r"W_hh must be finite; got 1 of 40 .* at \[3, 1\]"):
        check_finite(params)


@pytest.mark.parametrize("keep", [(), ("c",), ("gates", "m")])
def test_backward_says_what_the_tape_lacks(keep: tuple[str, ...]):
    with pytest.raises(NotKeptError, match="Record it with keep=None"):
        unroll.backward(unroll.forward(**good(keep=keep)))


def test_native_is_refused_where_it_is_not():
    with pytest.raises(UnavailableError, match='engine must be available to be "native"'):
        draw(PEEPHOLE_LSTM).forward("native")


def test_a_product_that_is_not_built_is_refused():
    stage = LSTM.stages[0]
    with pytest.raises(OptionError, match="Stage: product must be one of dense; got 'diagonal'"):
        type(stage)(stage.gates, stage.point, stage.point_backward, product="diagonal")  # pyright: ignore
