"""The trace as a file: the golden one stays readable; what is damaged is refused with a sentence."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from tests.traces.golden import FOLDER, build
from unrolled.errors import NonFiniteError, OptionError, StorageError, TraceError
from unrolled.traces import Trace

FORMS = ("trace-v1.safetensors", "trace-v1")
SLOPE = 3 / 16  # σ'(ln 3) = 3/4 · 1/4


def equal(one: Trace, other: Trace) -> None:
    assert one.facts == other.facts
    assert list(one.arrays) == list(other.arrays)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("form", FORMS)
def test_golden_trace_says_what_is_worked_out_on_paper(form: str):
    trace = Trace.load(FOLDER / form)
    h = 1 / (1 + 3**-1.75)
    layer = trace.layers[0]
    np.testing.assert_allclose(layer.h.ravel(), [0, 0.75, h], rtol=1e-12)
    da = h * (1 - h)
    np.testing.assert_allclose(layer.dh.ravel(), [da * np.log(3), 1], rtol=1e-12)
    np.testing.assert_allclose(layer.part("W_hh", 1), [[da * 0.75]], rtol=1e-12)
    np.testing.assert_allclose(layer.part("W_xh", 0), [[da * np.log(3) * SLOPE]], rtol=1e-12)
    np.testing.assert_allclose(layer.step_norms(), [SLOPE * np.log(3), da * np.log(3)], rtol=1e-12)
    np.testing.assert_allclose(trace.G, [[da * np.log(3), 1]], rtol=1e-12)
    assert trace.tokens == [["to", "be"]]
    assert trace.check().ok


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read_back(form: str, tmp_path: Path):
    build().save(tmp_path / form)
    equal(Trace.load(tmp_path / form), build())


def test_any_reader_of_safetensors_reads_it():
    arrays = load_file(FOLDER / FORMS[0])
    assert arrays.keys() == set(build().arrays)
    with safe_open(FOLDER / FORMS[0], framework="numpy") as file:
        about = file.metadata()
    assert (about["format"], about["version"]) == ("unrolled-trace", "1")
    assert json.loads(about["manifest"])["facts"] == build().facts
    assert json.loads((FOLDER / FORMS[1] / "manifest.json").read_text())["facts"] == build().facts


def test_reading_needs_no_torch():
    code = "import sys; sys.modules['torch'] = None; from unrolled.traces import Trace; "
    code += f"print(Trace.load({str(FOLDER / FORMS[0])!r}).check().ok)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


def test_a_file_is_little_more_than_its_arrays(tmp_path: Path):
    trace = build()
    big = Trace({**trace.arrays, "l0/x": np.zeros((1000, 1, 64))}, trace.facts)
    big.save(tmp_path / "big.safetensors")
    size = sum(array.nbytes for array in big.arrays.values())
    assert (tmp_path / "big.safetensors").stat().st_size <= 1.1 * size


# ----------------------------------------------------------------------------------------- bad input


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copy(FOLDER / FORMS[0], tmp_path))


@pytest.mark.parametrize("size", [0, 5, 100, 2000, -1])
def test_truncated(path: Path, size: int):
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(TraceError, match=r"must be complete.*put back a copy"):
        Trace.load(path)


def test_longer_than_written(path: Path):
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(TraceError, match="must be complete"):
        Trace.load(path)


def test_every_bit_is_covered_by_the_digest(path: Path):
    good, refused = path.read_bytes(), 0
    for at in np.random.default_rng(0).integers(len(good), size=200):
        path.write_bytes(good[:at] + bytes([good[at] ^ 16]) + good[at + 1 :])
        try:
            equal(Trace.load(path), build())  # as with a space at the end of the header
        except (TraceError, NonFiniteError):
            refused += 1
    assert refused > 190


def test_later_version(path: Path):
    path.write_bytes(path.read_bytes().replace(b'"version":"1"', b'"version":"9"'))
    with pytest.raises(
        TraceError, match=r"must have version 1 or less; got 9. Read it with a later unrolled"
    ):
        Trace.load(path)


def test_wrong_hash(path: Path):
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(TraceError, match="must have the digest written in it"):
        Trace.load(path)


def test_a_manifest_of_another_trace(tmp_path: Path):
    shutil.copytree(FOLDER / FORMS[1], tmp_path / "trace")
    text = (tmp_path / "trace/manifest.json").read_text()
    (tmp_path / "trace/manifest.json").write_text(text.replace('"be"', '"or"'))
    with pytest.raises(TraceError, match="must have the digest written in it"):
        Trace.load(tmp_path / "trace")


def test_nan_is_refused_unless_one_asks_for_it(tmp_path: Path):
    trace = build()
    x = np.ones((2, 1, 1))
    x[1] = np.nan
    Trace({**trace.arrays, "l0/x": x}, trace.facts).save(tmp_path / "nan.safetensors")
    with pytest.raises(NonFiniteError, match=r"l0/x must be finite; got NaN or infinity at \(1, 0, 0\)"):
        Trace.load(tmp_path / "nan.safetensors")
    assert np.isnan(Trace.load(tmp_path / "nan.safetensors", finite=False)["l0/x"][1]).all()


def test_no_file_no_trace_no_folder_of_one(tmp_path: Path):
    with pytest.raises(TraceError, match="must be a file or folder that can be read; got none"):
        Trace.load(tmp_path / "none.safetensors")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TraceError, match=r"got none\. Write one with Trace\.save"):
        Trace.load(tmp_path / "empty")
    (tmp_path / "text.safetensors").write_text("not a trace at all, but long enough for a header")
    with pytest.raises(TraceError, match="must be complete"):
        Trace.load(tmp_path / "text.safetensors")


def test_safetensors_of_something_else(tmp_path: Path):
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(3)}, tmp_path / "weights.safetensors")
    with pytest.raises(TraceError, match="must be a trace; got a file of something else"):
        Trace.load(tmp_path / "weights.safetensors")


def test_a_fact_that_no_trace_lacks(tmp_path: Path):
    trace = build()
    del trace.facts["seed"]
    trace.save(tmp_path / "trace.safetensors")
    with pytest.raises(TraceError, match="no fact seed"):
        Trace.load(tmp_path / "trace.safetensors")


def test_facts_that_json_has_not(tmp_path: Path):
    trace = build()
    trace.facts["loss"] = np.float32(1)
    with pytest.raises(OptionError, match="facts must be what JSON can hold"):
        trace.save(tmp_path / "trace.safetensors")


def test_a_folder_in_the_way_of_a_file(tmp_path: Path):
    (tmp_path / "trace.safetensors").mkdir()
    with pytest.raises(StorageError):
        build().save(tmp_path / "trace.safetensors")
