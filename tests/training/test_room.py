"""What there is of memory: the machine's, and what a control group leaves of it."""

from pathlib import Path

import pytest
import torch

from unrolled import config as configs
from unrolled.errors import UnavailableError
from unrolled.tasks import lm
from unrolled.training import room

FREE = 9223372036854771712
"""What version 1 says where there is no limit."""


def grouped(tmp_path: Path, listed: str, **limits: str) -> list[int]:
    """The limits found where the system's files say so; a place is given with _ for each slash."""
    (tmp_path / "cgroup").write_text(listed)
    for place, limit in limits.items():
        path = tmp_path / place.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(path.name.replace("_max", ".max")).write_text(limit)
    return list(room.of_control_groups(tmp_path / "cgroup", tmp_path))


def test_a_group_and_those_around_it_limit(tmp_path: Path):
    found = grouped(tmp_path, "0::/jobs/one\n", jobs__one__memory_max="max\n", jobs__memory_max="4096\n")
    assert found == [4096]


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path):
    assert grouped(tmp_path, "0::/\n", memory_max="123\n") == [123]


def test_version_1_has_a_tree_for_memory(tmp_path: Path):
    (tmp_path / "memory" / "job").mkdir(parents=True)
    (tmp_path / "memory" / "job" / "memory.limit_in_bytes").write_text("77\n")
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text(f"{FREE}\n")
    listed = "5:cpu,cpuacct:/elsewhere\n4:memory:/job\n"
    assert grouped(tmp_path, listed) == [77, FREE]


def test_where_there_are_no_groups_there_is_no_limit(tmp_path: Path):
    assert list(room.of_control_groups(tmp_path / "none", tmp_path)) == []
    assert grouped(tmp_path, "0::/../other\n") == []


def test_a_limit_refuses_and_is_named(monkeypatch: pytest.MonkeyPatch):
    room.check("train", 1 << 20)
    monkeypatch.setattr(room, "of_control_groups", lambda: iter([10**6, 5 * 10**8]))
    room.check("train", 10**6)
    with pytest.raises(
        UnavailableError, match=r"got 2\.0 GB where the control group of this process allows 0\."
    ):
        room.check("train", 2 * 10**9)


@pytest.mark.parametrize("cell", ["rnn", "hornn", "gru", "lstm"])
def test_what_a_model_takes_is_the_same_without_its_numbers(cell: str):
    fields = {"cell": cell, "layers": "2", "hidden": "12", "init": "0.1"}
    fields |= {"remember": "9"} if cell in ("gru", "lstm") else {}
    config = configs.override(configs.LanguageModelConfig(), fields)
    with torch.device("meta"):
        light = lm.model(config, 50)
    assert all(weight.is_meta for weight in light.parameters())
    assert lm.memory(config, light, 10) == lm.memory(config, lm.model(config, 50), 10) > 0
