"""Every benchmark runs from end to end on tiny shapes, where the numbers mean nothing: none is asserted."""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import cases, measure, memory, peak, ragged, results
from unrolled import native, nn
from unrolled.speed import Shape

REHEARSAL = measure.Setting(threads=(1,), rounds=2, sample=0.0, quick=True)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", command.BENCHMARKS)
def test_benchmark_runs(name: str, tmp_path: Path):
    if name == "peers" and not (find_spec("jax") and find_spec("onnxruntime")):
        pytest.skip('the peers are not installed; pip install "unrolled[bench]" brings them')
    if name == "memory" and not memory.CLEAR.exists():
        pytest.skip("memory is measured by Linux's /proc")
    path = command.measure((name,), REHEARSAL, tmp_path)
    about, rows = results.read(path)
    assert about["quick"] is True
    assert {row.question for row in rows} == {name}
    assert {row.cell for row in rows} == ({"lstm"} if name == "memory" else set(cases.CELLS))
    assert all(row.low <= row.value <= row.high for row in rows)
    assert all(row.limit is None for row in rows)


def test_every_file_is_a_question_or_shared():
    files = {path.stem for path in Path(cases.__file__).parent.glob("*.py")}
    shared = {"__init__", "__main__", "cases", "measure", "results", "jax_scan", "onnx_node"}
    assert files == set(command.BENCHMARKS) | shared


def test_results_are_read_as_written_and_judged(tmp_path: Path):
    series = results.Series("grid", "torch's time / ours")
    rows = [
        series.row("gru", "T=1", "forward", 2, results.Ratio(2.0, 1.9, 2.2), results.Limit(">=", 2.0)),
        series.row("gru", "T=1", "forward + backward", 2, 1.25, results.Limit("<=", 1.2), "a note"),
        series.row("rnn", "T=9", "forward", 2, 3.0),
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join(['{"commit": "abc"}', *map(results.line, rows)]))
    about, again = results.read(path)
    assert again == rows
    assert [row.verdict for row in again] == ["held", "missed", ""]
    shown = CliRunner().invoke(command.main, ["--read", str(path)], catch_exceptions=False).output
    assert shown == results.markdown(about, rows) + "\n"
    assert "commit abc" in shown
    assert re.search(r"\| gru +\| T=1 +\| forward +\| 2 +\| >= 2 +\| 2 \(1\.9 to 2\.2\) \| held +\|", shown)
    assert re.search(r"\| T=9 +\| +\| +\| 3 +\|", shown)


def test_contestants_that_disagree_are_not_timed():
    def gives(value: float) -> cases.Run:
        return lambda: [np.full(3, value)]

    assert measure.compare(REHEARSAL, gives(1.0), {"peer": gives(1.0005)}).rival == "peer"
    for wrong in (1.01, float("nan")):
        with pytest.raises(ArithmeticError, match=r"peer: result 0 is .* off ours"):
            measure.compare(REHEARSAL, gives(1.0), {"peer": gives(wrong)})
    with pytest.raises(ArithmeticError, match="has shape"):
        measure.compare(REHEARSAL, gives(1.0), {"peer": lambda: [np.ones(4)]})


def test_fastest_of_several_ways_is_the_rival():
    def waits(turns: int) -> cases.Run:
        def run() -> Sequence[Any]:
            sum(range(turns))
            return []

        return run

    theirs = {"slow": waits(200_000), "fast": waits(10)}
    assert measure.compare(REHEARSAL, waits(10), theirs).rival == "fast"


def test_operations_of_a_layer_by_hand():
    # T=2, B=3, I=5, H=7, three gates: x W_xhᵀ has 2*3*5*21 products, h W_hhᵀ 2*3*7*21, each with an addition
    shape = Shape("gru", 2, 3, 5, 7)
    by_input, by_state = 2 * 630, 2 * 882
    forward, training, with_dx = (peak.operations(shape, which) for which in cases.PASSES)
    assert forward == by_input + by_state
    assert training == 2 * by_input + 3 * by_state
    assert with_dx == 3 * by_input + 3 * by_state


@pytest.mark.skipif(not native.available(), reason="without the compiled core both contestants are torch")
def test_ours_runs_compiled_and_torchs_does_not():
    shape = Shape("lstm", 4, 3, 2, 5)
    ours, theirs = cases.ours_and_torchs(shape)
    x, dh = cases.draw(shape)
    lengths = torch.tensor([4, 1, 2])
    for layer, compiled in ((ours, 2), (theirs, 0)):
        nn.reset_paths()
        cases.make_run(layer, cases.PASSES[2], x, dh)()
        cases.make_run(layer, cases.PASSES[0], x, dh, ragged.packed(layer, lengths))()
        assert nn.paths()["compiled"] == compiled
