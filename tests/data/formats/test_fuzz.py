"""Whatever bytes a file has: a table, or a sentence on what is wrong with it, and no other error."""

import contextlib
import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unrolled.data import formats
from unrolled.data.features import Roles, frames, wide
from unrolled.data.guess import guess
from unrolled.data.report import DataReport
from unrolled.data.tables import Table
from unrolled.errors import DataError


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, x=np.arange(6.0).reshape(2, 3), y=np.array([0, 1]))
    return file.getvalue()


GOOD = {
    "csv": b'text,label\n"a, b",1\nc,2\n',
    "tsv": b"text\tlabel\na\t1\n",
    "jsonl": b'{"text": "a", "label": 1}\n{"words": ["b"]}\n',
    "json": b'{"train": [[[60, 64], []]], "test": [[[21]]]}',
    "npz": npz(),
    "ts": b"@problemName x\n@classLabel true a b\n@data\n1,2:3,?:a\n4:5:b\n",
    "conll": b"He PRP\nruns VBZ\n\nWe PRP\n",
    "conllu": b"1\tHe\the\tPRON\t_\t_\t0\troot\t_\t_\n",
    "prefixed": b"NUM:dist How far ?\n",
}
SYNTAX = st.sampled_from(
    [b",", b"\t", b"\n", b'"', b":", b"[", b"]", b"{", b"}", b"@data", b"?", b"#", b"-", b"0", b"nan"]
)


@st.composite
def spoilt(draw: st.DrawFn, good: bytes) -> bytes:
    """Good contents with pieces cut out, put in and overwritten."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.integers(0, 5)))
        data[begin:end] = draw(st.one_of(SYNTAX, st.binary(max_size=4)))
    return bytes(data)


def use(table: Table) -> None:
    """What a task does with a table."""
    first, *_, last = [*table.columns, *table.columns]
    for do in (table.texts, table.labels, table.numbers):
        for name in (first, last):
            with contextlib.suppress(DataError):
                do(name)
    for gather in (frames, wide):
        with contextlib.suppress(DataError):
            gather(table, Roles(last))
    str(DataReport.of({"train": table}, first, last))
    assert table.where(len(table) - 1, last)


@pytest.mark.parametrize("kind", GOOD)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_spoilt_files(tmp_path: Path, kind: str, data: st.DataObject):
    path = tmp_path / (f"a.{kind}" if kind != "prefixed" else "a.txt")
    path.write_bytes(data.draw(spoilt(GOOD[kind])))
    with contextlib.suppress(DataError):
        use(formats.read([path], kind))
    with contextlib.suppress(DataError):
        str(guess([path]))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contents=st.binary(max_size=60), name=st.sampled_from(["a.txt", "a.csv", "a", "a.txt.gz", "a.parquet"])
)
def test_random_bytes(tmp_path: Path, contents: bytes, name: str):
    path = tmp_path / name
    path.write_bytes(gzip.compress(contents) if name.endswith(".gz") and len(contents) % 2 else contents)
    with contextlib.suppress(DataError):
        use(formats.read([path]))
    with contextlib.suppress(DataError):
        str(guess([path]))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_spoilt_parquet(tmp_path: Path, data: st.DataObject):
    polars = pytest.importorskip("polars")
    file = io.BytesIO()
    polars.DataFrame({"text": ["a", "b"], "n": [1, 2]}).write_parquet(file)
    path = tmp_path / "a.parquet"
    path.write_bytes(data.draw(spoilt(file.getvalue())))
    with contextlib.suppress(DataError):
        use(formats.read([path]))
