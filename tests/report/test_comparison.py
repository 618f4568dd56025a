"""Runs side by side: what is one experiment, what differs, and the interval over seeds."""

import pytest

from unrolled.report.comparison import Compared, compare, interval
from unrolled.tasks.base import Measure

ACCURACY = Measure("accuracy", "accuracy", ".3f", higher=True)
LOSS = Measure("loss", "nats an\nexample")


def run(name: str, accuracy: float, **fields: object) -> Compared:
    values = {"accuracy": accuracy, "loss": 1 - accuracy}
    return Compared(
        name, {"cell": "gru", "layers": 1, "seed": 0, **fields}, 1000, 60.0, values, {"accuracy": 0.5}
    )


def test_runs_that_differ_in_the_seed_alone_are_one_line_with_their_interval():
    made = compare(
        [run("a", 0.8, seed=1), run("b", 0.9, seed=2), run("c", 0.7, cell="lstm")], [ACCURACY, LOSS]
    )
    assert [(line.name, line.runs, line.differs) for line in made.lines] == [
        ("a", 2, {"cell": "gru"}),
        ("c", 1, {"cell": "lstm"}),
    ]
    mean, half = made.lines[0].values["accuracy"]
    # Two values: half the width is t(0.975, 1) = 12.7062 times their standard error, 0.05.
    assert (mean, half) == (pytest.approx(0.85), pytest.approx(12.7062 * 0.05, rel=1e-4))
    assert made.lines[1].values["accuracy"] == (0.7, None)
    said = str(made)
    assert "a and 1 more seeds" in said
    assert "0.850 ± 0.635" in said
    assert "Student's t" in said


def test_the_best_stands_first_whichever_way_the_measure_goes():
    runs = [run("low", 0.6, layers=1), run("high", 0.9, layers=2)]
    assert [line.name for line in compare(runs, [ACCURACY]).lines] == ["high", "low"]
    assert [line.name for line in compare(runs, [LOSS]).lines] == ["high", "low"]
    assert "Student" not in str(compare(runs, [LOSS]))


def test_a_single_value_has_no_interval():
    assert interval([3.0]) == (3.0, None)
