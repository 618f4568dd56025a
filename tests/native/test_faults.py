"""The faults that `make faults` plants in the core can still be planted."""

import pytest

from tests.native.altered import text
from tests.native.faults import CSRC, FAULTS, Fault


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what.replace(" ", "_"))
def test_the_core_reads_as_the_fault_expects(fault: Fault):
    assert text(CSRC, fault.alterations)
