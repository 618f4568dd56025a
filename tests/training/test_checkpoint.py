"""What is written comes back to the bit, as a file that others read too, and what would not is refused."""

import json
import math
import random
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file

from tests.training.runs import a_run, same
from unrolled.errors import DtypeError, OptionError, RunError, StorageError
from unrolled.training import checkpoint

DTYPES = list(checkpoint._DTYPES)


def bits(count: int, dtype: torch.dtype) -> torch.Tensor:
    """Random bits as a tensor, NaNs of every payload among them."""
    if dtype is torch.bool:
        return torch.rand(count) < 0.5
    return torch.randint(0, 256, (count * dtype.itemsize,), dtype=torch.uint8).view(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_comes_back_to_the_bit(tmp_path: Path, dtype: torch.dtype):
    given = {
        "matrix": bits(15, dtype).reshape(3, 5),
        "single": bits(1, dtype).reshape(()),
        "none": bits(0, dtype).reshape(0, 4),
        "transposed": bits(6, dtype).reshape(2, 3).T,
        "strided": bits(9, dtype)[1::3],
        "single strided": bits(9, dtype)[1::9],
        "expanded": bits(1, dtype).expand(4),
    }
    checkpoint.write(tmp_path / "c.safetensors", given, {}, {})
    found, _ = checkpoint.read(tmp_path / "c.safetensors", {})
    assert list(found) == list(given)
    assert same(found, given)
    assert all(tensor.is_contiguous() for tensor in found.values())


def test_a_reader_of_safetensors_reads_it(tmp_path: Path):
    given = {f"{k}": bits(2 * k + 1, dtype) for k, dtype in enumerate(DTYPES)}
    given['a \u2028 name/with "everything"'] = torch.arange(3.0)
    checkpoint.write(tmp_path / "c.safetensors", given, {"learned": True}, {})
    other = load_file(tmp_path / "c.safetensors")
    assert same(dict(sorted(given.items())), dict(sorted(other.items())))
    with safe_open(tmp_path / "c.safetensors", "pt") as file:
        assert json.loads(file.metadata()["manifest"])["facts"] == {"learned": True}


def test_tensors_of_one_storage_come_back_each_its_own(tmp_path: Path):
    whole = torch.arange(12.0)
    given = {"whole": whole, "part": whole[3:7], "again": whole.view(3, 4), "grad": torch.nn.Parameter(whole)}
    checkpoint.write(tmp_path / "c.safetensors", given, {}, {})
    found, _ = checkpoint.read(tmp_path / "c.safetensors", {})
    found["whole"].zero_()
    assert torch.equal(found["part"], torch.arange(3.0, 7.0))
    assert torch.equal(found["again"], whole.view(3, 4))
    assert not found["grad"].requires_grad


def test_a_random_state_goes_on_where_it_was(tmp_path: Path):
    generator = torch.Generator().manual_seed(7)
    torch.rand(5, generator=generator)
    checkpoint.write(
        tmp_path / "c", {"rng": generator.get_state()}, {"python": random.Random(3).getstate()}, {}
    )
    found, facts = checkpoint.read(tmp_path / "c", {})
    other = torch.Generator()
    other.set_state(found["rng"])
    assert torch.equal(torch.rand(9, generator=other), torch.rand(9, generator=generator))
    version, state, gauss = facts["python"]
    python = random.Random()
    python.setstate((version, tuple(state), gauss))
    assert python.random() == random.Random(3).random()


numbers = st.integers(-(2**200), 2**200) | st.floats(allow_nan=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(facts=st.dictionaries(st.text(), plain, max_size=4))
@settings(max_examples=200)
def test_facts_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, facts: dict[str, Any]):
    path = tmp_path_factory.getbasetemp() / "facts.safetensors"
    checkpoint.write(path, {}, facts, {})
    found = checkpoint.read(path, {}).facts
    assert repr(found) == repr(facts)  # tells 1 from 1.0 and True, and 0.0 from -0.0
    assert all(
        struct.pack("d", a) == struct.pack("d", facts[k]) for k, a in found.items() if isinstance(a, float)
    )


def test_a_loss_that_is_no_number_is_kept(tmp_path: Path):
    checkpoint.write(tmp_path / "c", {}, {"best": math.inf, "loss": math.nan}, {})
    facts = checkpoint.read(tmp_path / "c", {}).facts
    assert facts["best"] == math.inf
    assert math.isnan(facts["loss"])


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, b"bytes", torch.ones(1), [object()], 1j])
def test_facts_that_would_come_back_changed_are_refused(tmp_path: Path, value: Any):
    with pytest.raises(OptionError, match=r"checkpoint: facts\.at\.here\S* must be numbers, text, None"):
        checkpoint.write(tmp_path / "c", {}, {"at": {"here": value}}, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tensor", [torch.ones(2, dtype=torch.complex64), torch.ones(2, 2).to_sparse()])
def test_tensors_that_the_format_has_not_are_refused(tmp_path: Path, tensor: torch.Tensor):
    with pytest.raises(DtypeError, match="checkpoint: tensor odd must be dense, of real or whole numbers"):
        checkpoint.write(tmp_path / "c", {"odd": tensor}, {}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_is_not_the_metadata(tmp_path: Path):
    with pytest.raises(OptionError, match="must not be named as the format's own entry; got __metadata__"):
        checkpoint.write(tmp_path / "c", {"__metadata__": torch.ones(1)}, {}, {})


def test_the_same_state_gives_the_same_bytes(tmp_path: Path):
    for name in "ab":
        checkpoint.write(tmp_path / name, {"w": torch.ones(3), "b": torch.ones(2)}, {"x": 1, "y": 2}, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_file_edited_during_training_is_noticed(tmp_path: Path):
    folder = a_run(tmp_path)
    folder.config.write_text("schema = 1\nhidden = 512\n")
    checkpoint.write_newest(folder.last, {}, {}, folder.sealed_with_data)
    with pytest.raises(RunError, match=r"config\.toml must be the config\.toml that checkpoint\.safetensors"):
        checkpoint.read_newest(folder.last, folder.covers_with_data)


def test_a_checkpoint_of_a_later_version_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoint, "SCHEMA", 2)
    checkpoint.write(tmp_path / "c", {}, {}, {})
    monkeypatch.undo()
    with pytest.raises(RunError, match=r"must have schema 1 or less; got 2\. Install a later version"):
        checkpoint.read(tmp_path / "c", {})


def test_no_file_no_folder_and_a_folder_in_its_place(tmp_path: Path):
    with pytest.raises(RunError, match=r"c must be a file that can be read; got none\."):
        checkpoint.read(tmp_path / "c", {})
    with pytest.raises(RunError, match="got is a directory"):
        checkpoint.read(tmp_path, {})
    with pytest.raises(RunError, match=r"got checkpoint\.safetensors: none; previous\.safetensors: none"):
        checkpoint.read_newest(tmp_path / "nowhere", {})
    with pytest.raises(StorageError, match="must be written; got no such file or directory"):
        checkpoint.write(tmp_path / "nowhere" / "c", {}, {}, {})
