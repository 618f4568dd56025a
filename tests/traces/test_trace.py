"""The trace as an object: names, what was left out, what follows from what was kept."""

import copy
import pickle

import numpy as np
import pytest

from tests.traces.golden import build
from unrolled.errors import NotKeptError, OptionError
from unrolled.traces import Trace
from unrolled.traces.adding_up import Sum
from unrolled.traces.through_time import falls_below, signal


def test_arrays_are_read_only():
    trace = build()
    with pytest.raises(ValueError, match="read-only"):
        trace["l0/h"][0] = 1
    with pytest.raises(TypeError):
        trace.arrays["l0/h"] = np.zeros(1)  # pyright: ignore[reportIndexIssue]


def test_it_is_a_mapping_and_says_what_it_is():
    trace = build()
    assert "l0/h" in trace
    assert len(trace) == len(list(trace)) == len(trace.arrays)
    assert repr(trace) == f"Trace(RNN: l0 rnn_sigmoid T=2 B=1 I=1 H=1; {len(trace)} arrays)"
    assert str(trace.layers[0]) == "l0 rnn_sigmoid T=2 B=1 I=1 H=1"


def test_a_name_that_is_not_there():
    trace = build()
    with pytest.raises(NotKeptError, match="Did you mean l0/dW_xh"):
        trace["l0/dW_h"]
    with pytest.raises(NotKeptError, match=r"must be kept to be read; got the model has none"):
        trace["p"]
    with pytest.raises(NotKeptError, match=r"got 'l1'. Offered: l0\."):
        trace.layer("l1")
    with pytest.raises(NotKeptError):
        trace.layers[0].dc  # noqa: B018  the look-up is the test
    with pytest.raises(OptionError, match="Did you mean W_xh"):
        trace.layers[0].part("W_h", 0)
    with pytest.raises(OptionError, match="must be a gate of rnn_sigmoid"):
        trace.layers[0].gate("f")


def test_the_gate_of_a_simple_network_is_its_state():
    layer = build().layers[0]
    np.testing.assert_array_equal(layer.gates[:, :, 0], layer.output)
    np.testing.assert_array_equal(layer.gate("h"), layer.output)


def test_it_is_copied_and_pickled():
    trace = build()
    assert [*copy.deepcopy(trace.layers[0].parts)] == ["W_xh", "W_hh"]
    again = pickle.loads(pickle.dumps(dict(trace.arrays)))
    assert Trace(again, trace.facts).check().ok


def test_a_wrong_number_does_not_add_up():
    trace = build()
    for name, sentence in (("l0/h", "functions"), ("l0/dh_out", "dh_carry"), ("l0/dW_hh", "the parts")):
        wrong = trace[name].copy()
        wrong[-1] += 1e-6
        found = Trace({**trace.arrays, name: wrong}, trace.facts).check()
        assert not found.ok
        assert any(sentence in line for line in str(found).splitlines() if line.startswith("DOES NOT ADD UP"))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["l0/h", "l0/dh", "l0/dW_hh"])
def test_what_is_not_finite_does_not_add_up(name: str, number: float):
    trace = build()
    wrong = trace[name].copy()
    wrong[-1] = number
    found = Trace({**trace.arrays, name: wrong}, trace.facts).check()
    assert not found.ok
    told = [str(each) for each in found.sums if not each.ok]
    assert told
    assert all(line.startswith("DOES NOT ADD UP: l0") for line in told)
    assert all(line.endswith("for there is NaN or infinity") for line in told)


def test_a_comparison_that_was_not_finite_does_not_add_up():
    trace = build()
    trace.facts["compared"] = {"gradients": None}
    assert not trace.check().ok
    assert "DOES NOT ADD UP: model: gradients, for there is NaN or infinity" in str(trace.check())


@pytest.mark.parametrize("limit", [1e-6, 1e-5, 1e-12])
def test_words_and_verdict_agree(limit: float):
    for apart in (0.0, limit, 1.01 * limit, 100 * limit, 101 * limit, np.inf, np.nan):
        found = Sum("l0", "it", apart, limit)
        assert str(found).startswith("adds up") == found.ok == (apart <= limit)


@pytest.mark.parametrize("lacking", ["l0/h", "l0/x"])
def test_a_trace_in_float64_is_judged_as_such_whatever_was_kept(lacking: str):
    trace = build()
    trace.facts["compared"] = {"gradients": 1e-9}
    dh = trace["l0/dh"] + 1e-9
    less = {name: value for name, value in trace.arrays.items() if name != lacking}
    found = Trace({**less, "l0/dh": dh}, trace.facts).check()
    assert {line.split(":")[1] for line in str(found).splitlines() if line.startswith("DOES NOT")} == {
        " l0",
        " model",
    }


def test_what_cannot_be_checked_is_said():
    trace = build()
    less = {name: value for name, value in trace.arrays.items() if name not in ("l0/x", "l0/dh_out")}
    found = Trace(less, trace.facts).check()
    assert found.ok
    assert str(found).count("not checked") == 3


def test_product_norm_wants_steps_in_order():
    layer = build().layers[0]
    assert layer.product_norm(1, 1) == layer.bound(1, 1) == 1
    with pytest.raises(OptionError, match="in the order they ran; got from 1 to 0"):
        layer.product_norm(1, 0)


def test_signal_of_a_matrix_that_halves_at_each_step():
    distance = np.arange(20)[:, None] - np.arange(20)
    G = np.where(distance >= 0, 0.5 ** np.abs(distance), 0) * np.arange(1, 21)[:, None]
    for of, reverse in ((G, False), (G[::-1, ::-1], True)):
        left = signal(of, reverse)
        np.testing.assert_allclose(left, 0.5 ** np.arange(20))
        assert falls_below(left, 0.5) == 1
        np.testing.assert_allclose(falls_below(left, 0.01), np.log2(100))
    assert falls_below(np.ones(5), 0.5) == np.inf
    np.testing.assert_allclose(signal(G[-1:], reverse=False), 0.5 ** np.arange(20))
