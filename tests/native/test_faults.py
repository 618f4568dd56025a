"""The faults that `make faults` plants in the core can still be planted, and a handful of them are."""

import shutil
from pathlib import Path

import pytest

from tests.native import plant
from tests.native.altered import text
from tests.native.faults import FAULTS, Fault

HANDFUL = {
    "swap i and f",
    "transpose W_hh",
    "ignore h_0",
    "count padding",
    "drop dh_carry",
    "overwrite what is to be added to",
    "begin with the oldest state in front",
    "take changed weights for those that were packed",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.what.replace(" ", "_"))
def test_the_core_reads_as_the_fault_expects(fault: Fault):
    assert text(plant.CSRC, fault.alterations)
    assert len(fault.noticed_as) > len("data race") - 1, "an empty pattern would find anything"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("core")
    plant.prepare(folder, "few")
    return folder


@pytest.mark.skipif(not shutil.which(plant.COMPILE[0]), reason="needs a C++ compiler")
@pytest.mark.parametrize("what", sorted(HANDFUL))
def test_the_cores_own_test_notices(what: str, prepared: Path):
    (fault,) = [fault for fault in FAULTS if fault.what == what]
    done = plant.run(fault, prepared)
    assert plant.noticed(fault, done), (done.returncode, done.stdout[-2000:])


@pytest.mark.parametrize(("status", "said"), [(0, "training: gates is off"), (1, ""), (-11, "")])
def test_a_fault_that_nobody_reports_does_not_count(status: int, said: str):
    done = plant.subprocess.CompletedProcess([], status, said, "")
    assert not plant.noticed(FAULTS[0], done)
