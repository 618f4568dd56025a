"""The core called with one argument wrong: the battery notices each.

These are the mistakes of whoever calls the core, and at the same time what it would look like if the core
ignored or mixed up that argument.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import pytest

from tests.battery import test_native
from tests.battery.cases import Case
from tests.battery.kernels import BACKWARD, FORWARD, needs_core
from unrolled import native

pytestmark = needs_core

Arguments: TypeAlias = dict[str, int]


class Fault(NamedTuple):
    """What goes wrong, in the arguments of which pass, and the test that notices."""

    what: str
    change: Callable[[Arguments], Arguments]
    noticed_by: Callable[[Case, str], None]
    cell: str = "lstm P<H"


def without(name: str) -> Callable[[Arguments], Arguments]:
    return lambda given: given | {name: 0}


def swapped(one: str, other: str) -> Callable[[Arguments], Arguments]:
    return lambda given: given | {one: given[other], other: given[one]}


training, inference, backward = (
    test_native.test_training,
    test_native.test_inference,
    test_native.test_backward,
)

FAULTS = [
    Fault("h_0 ignored", without("h_0"), training),
    Fault("c_0 ignored", without("c_0"), training),
    Fault("padding counted", without("lengths"), training),
    Fault("padding counted in inference", without("lengths"), inference),
    Fault("resets ignored", without("reset"), training),
    Fault("resets ignored in inference", without("reset"), inference),
    Fault("walked the wrong way", lambda given: given | {"reverse": 1 - given["reverse"]}, training),
    Fault("b_xh forgotten", without("b_xh"), training),
    Fault("b_hh forgotten", without("b_hh"), training),
    Fault("biases exchanged", swapped("b_xh", "b_hh"), training, "gru"),
    Fault("batch taken for time", swapped("x_step", "x_row"), training),
    Fault("output laid out batch first", swapped("h_step", "h_row"), training),
    Fault("final h not written", without("h_n"), training),
    Fault("final c not written", without("c_n"), inference),
    Fault("gates not kept", without("gates"), training, "gru"),
    Fault("final states exchanged", swapped("h_n", "c_n"), training, "lstm"),
    Fault("initial states exchanged", swapped("h_0", "c_0"), training, "lstm"),
    Fault("h_0 ignored going back", without("h_0"), backward),
    Fault("c_0 ignored going back", without("c_0"), backward),
    Fault("padding counted going back", without("lengths"), backward),
    Fault("gradient passes a reset", without("reset"), backward),
    Fault("gone back the wrong way", lambda given: given | {"reverse": 1 - given["reverse"]}, backward),
    Fault("gradient of the output dropped", without("dh_out"), backward),
    Fault("gradient of the final h dropped", without("dh_n"), backward),
    Fault("gradient of the final c dropped", without("dc_n"), backward),
    Fault("one row of the tape for all", lambda given: given | {"tape_batch": 1}, backward),
    Fault("gradients of the biases exchanged", swapped("db_xh", "db_hh"), backward, "gru"),
    Fault("dh_carry taken for dh", swapped("dh", "dh_carry"), backward),
    Fault("da not written", without("da"), backward),
    Fault("dW_hr not written", without("dW_hr"), backward),
]


@contextmanager
def planted(fault: Fault) -> Generator[None, None, None]:
    """The core with one argument changed, in the pass that the fault's test looks at."""
    name, names = ("backward", BACKWARD) if fault.noticed_by is backward else ("forward", FORWARD)
    right: Callable[..., None] = getattr(native, name)

    def wrong(*arguments: int) -> None:
        changed = fault.change(dict(zip(names, arguments, strict=True)))
        right(*(changed[each] for each in names))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, name, wrong)
        yield


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what.replace(" ", "_"))
@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "reverse"])
def test_fault_is_noticed(fault: Fault, reverse: bool):
    case = Case(fault.cell, "float64", H=17, I=5, T=7, B=5, reverse=reverse)
    fault.noticed_by(case, native.isa())
    with planted(fault), pytest.raises(AssertionError):
        fault.noticed_by(case, native.isa())
