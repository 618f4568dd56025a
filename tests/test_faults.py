"""Every planted fault is noticed by the test that is named for it."""

import pytest

from tests.faults import FAULTS, Fault, planted


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what)
def test_fault_is_noticed(fault: Fault):
    fault.noticed_by()
    with planted(fault), pytest.raises(fault.noticed_as):
        fault.noticed_by()
    fault.noticed_by()
