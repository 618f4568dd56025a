"""What `explain` says of a run of every task: matrix, probabilities, and a diagnosis of its own training."""

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import unrolled
from unrolled import estimators
from unrolled.cli import main
from unrolled.explorer import carried
from unrolled.report.figures import draw_all
from unrolled.traces import Trace
from unrolled.traces.diagnosis import Diagnosis, Finding
from unrolled.training.run_folder import RunFolder

SMALL = ("hidden=8", "batch=8", "epochs=2", "threads=1")
WORDS = ("good", "bad", "fine", "poor", "very", "not")


def series() -> str:
    months = np.datetime64("2015-01") + np.arange(60)
    noise = np.random.default_rng(0).normal(0, 0.1, 60)
    rows = [f"{month},{10 + np.sin(k * np.pi / 6) + noise[k]:.4f}" for k, month in enumerate(months)]
    return "\n".join(["month,units", *rows]) + "\n"


def scale() -> list[list[int]]:
    return [[note] for note in (60, 62, 64, 65, 67, 69, 71, 72)]


def texts(rows: int = 60) -> list[tuple[str, str]]:
    rng = np.random.default_rng(0)
    said = [" ".join(rng.choice(WORDS, 6)) for _ in range(rows)]
    return [(text, "yes" if text.split()[0] in WORDS[:3] else "no") for text in said]


FILES: dict[str, tuple[str, Any, tuple[str, ...], str]] = {
    "lm": ("a.txt", lambda: "to be, or not to be. " * 60, ("length=16", "sample=0"), "to be or not"),
    "classify": (
        "a.csv",
        lambda: "text,label\n" + "".join(f"{text},{label}\n" for text, label in texts()),
        ("min_count=1",),
        "very good not bad",
    ),
    "tag": (
        "a.conll",
        lambda: "".join("\n".join(f"{w} {w[0]}" for w in text.split()) + "\n\n" for text, _ in texts()),
        ("characters=on", "min_count=1"),
        "very good not bad",
    ),
    "notes": ("a.json", lambda: json.dumps([scale()[k:] + scale()[:k] for k in range(8)] * 4), (), "a.json"),
    "forecast": ("a.csv", series, ("horizon=6", "season=12", "log=off"), "a.csv"),
    "translate": (
        "a.tsv",
        lambda: "".join(f"{a}{b}c\t{a.upper()}{b.upper()}\n" for a in "abcdef" for b in "abcdef"),
        ("tokens=char", "beam=1"),
        "abc",
    ),
}
"""By task: a file, what is in it, further fields, and what is explained."""


@pytest.fixture(scope="module", params=list(FILES))
def made(request, tmp_path_factory) -> tuple[str, Path, Path, str]:
    """Task, run, its file, and what to explain; its gradient is always clipped."""
    return trained(request.param, tmp_path_factory.mktemp(request.param), "clip=0.0001")


def trained(task: str, place: Path, *fields: str) -> tuple[str, Path, Path, str]:
    name, contents, own, source = FILES[task]
    (place / name).write_text(contents())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNROLLED_RUNS", str(place / "runs"))
        words = ["train", task, str(place / name), "--name", "small", "-q", *SMALL, *own, *fields]
        result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return task, place / "runs" / "small", place / name, str(place / name) if source == name else source


def only(diagnosis: Diagnosis, name: str) -> Finding:
    (found,) = diagnosis.named(name)
    return found


def test_the_itemised_matrix_is_kept_and_drawn(made):
    task, run, _, source = made
    trace = unrolled.explain(run, source)
    one = task in ("classify", "forecast", "translate")
    for layer in trace.layers:
        assert layer.G.shape == (1 if one else layer.T, layer.T)
    assert trace.check().ok, str(trace.check())
    drawn = draw_all(trace)
    assert not drawn.missing
    words = {figure.name: figure.words for figure in drawn.figures}
    assert ("one loss" in words["network"]) == one
    assert ("there is one row" in words["triangle"]) == one


def test_probabilities_and_losses_are_given_where_there_are_any(made):
    task, run, _, source = made
    trace = unrolled.explain(run, source)
    if task == "forecast":
        assert "p" not in trace
        return
    p, outputs = trace["p"], trace.facts["outputs"]
    assert p.shape[-1] == len(outputs)
    expected = 1 / (1 + np.exp(-trace["y"])) if task == "notes" else torch.tensor(trace["y"]).softmax(-1)
    np.testing.assert_allclose(p, expected, rtol=1e-4, atol=1e-7)
    if task == "classify":
        assert "loss_t" not in trace, "a classifier has one loss"
        assert trace.facts["loss"] == pytest.approx(-np.log(p.max()), rel=1e-5)
    else:
        assert trace["loss_t"].mean() == pytest.approx(trace.facts["loss"], rel=1e-5)
    if task == "tag":
        np.testing.assert_allclose(trace["loss_t"], -np.log(p.max(-1)), rtol=1e-4)
        estimator = estimators.load(run)
        np.testing.assert_allclose(p[:, 0], estimator.predict_proba([source.split()])[0], rtol=1e-5)


def test_the_facts_are_those_of_the_runs_model(made):
    from unrolled.tracing import models
    from unrolled.training import keeping

    _, run, _, source = made
    trace, model = unrolled.explain(run, source), keeping.load(RunFolder.open(run)).model
    assert trace.facts["model"]["name"] == type(model).__name__
    assert trace.facts["weights_sha256"] == models.weights_sha256(model)
    modules = dict(model.named_modules())
    assert all(layer.module in modules for layer in trace.layers)


def test_what_is_not_traced_is_said(made):
    task, run, _, source = made
    left_out = unrolled.explain(run, source).facts["left_out"]
    assert ("inputs.spelling" in left_out) == (task == "tag")
    assert ("decoder.layers" in left_out) == (task == "translate")


def test_words_are_quoted_with_blanks_and_numbers_not_at_all(made):
    task, run, _, source = made
    first = str(unrolled.explain(run, source)).splitlines()[0]
    quoted = {"lm": "“to␣be␣or␣no”", "translate": "“abc<end>”"}
    if task in ("notes", "forecast"):
        assert "“" not in first
    else:
        assert quoted.get(task, "“very good not bad”") in first


def test_terminal_and_page_judge_clipping_and_memory(made, tmp_path):
    task, run, file, source = made
    trace = unrolled.explain(run, source)
    diagnosis = unrolled.diagnose(trace)
    found = only(diagnosis, "clipped")
    assert found.figures[0].value == 1
    assert not any("clipped" in words or "memory" in words for words in diagnosis.untold)
    assert str(diagnosis) in str(trace)
    said = carried.about(trace, "")
    assert (said["findings"], said["untold"]) == (diagnosis.as_data()["findings"], [*diagnosis.untold])
    trace.save(tmp_path / "a.safetensors")
    assert str(unrolled.diagnose(Trace.load(tmp_path / "a.safetensors"))) == str(diagnosis)
    begin = f"unrolled train {task} {shlex.quote(str(file))} --config {run / 'config.toml'} "
    for finding in diagnosis.findings:
        for remedy in finding.remedies:
            assert remedy.command.startswith(begin)


def test_a_remedys_command_and_python_train_the_same_run_and_move_its_figure(tmp_path, monkeypatch):
    _, run, _, source = trained("classify", tmp_path, "clip=0.0001", "memoryless=off")
    monkeypatch.setenv("UNROLLED_RUNS", str(tmp_path / "runs"))
    (remedy,) = only(unrolled.diagnose(unrolled.explain(str(run), source)), "clipped").remedies
    result = CliRunner().invoke(main, [*shlex.split(remedy.command)[1:], "--name", "again", "-q"])
    assert result.exit_code == 0, result.output
    exec(remedy.python.removesuffix(")") + ", quiet=True, name='third')", {"unrolled": unrolled})
    again, third = (RunFolder.open(tmp_path / "runs" / name) for name in ("again", "third"))
    assert again.config.read_text() == third.config.read_text()
    changed = set(again.config.read_text().splitlines()) - set((run / "config.toml").read_text().splitlines())
    assert [line.split(" =")[0] for line in changed] == ["clip"], "the other fields are the run's"
    assert not unrolled.diagnose(unrolled.explain(str(again.path), source)).named("clipped")


def test_a_unit_can_be_chosen(made, tmp_path):
    task, run, _, source = made
    figure = tmp_path / "a.svg"
    words = ["explain", str(run), source, "--figure", "unit", "--layer", "l0", "--unit", "5"]
    result = CliRunner().invoke(main, [*words, "--svg", str(figure)])
    assert result.exit_code == 0, result.output
    assert "Unit 5 of l0" in figure.read_text()
    if task == "lm":
        for more, message in (
            ((), "where the figure unit is written"),
            (("--svg", str(figure), "--figure", "gates"), "where the figure unit is written"),
            (("--svg", str(figure), "--layer", "l7"), "must be a layer of the trace"),
            (("--svg", str(figure), "--figure", "all", "--layer", "l7"), "must be a layer of the trace"),
            (("--svg", str(figure), "--unit", "8"), "must be a unit of l0, 0 to 7"),
        ):
            result = CliRunner().invoke(main, [*words, *more])
            assert result.exit_code != 0
            assert message in " ".join(result.stderr.split()), result.stderr


def test_a_loss_that_reads_all_steps_has_no_distance_of_its_own(tmp_path):
    """What is read off every step comes to each directly: half-life and reach are those of the Jacobians."""
    _, run, _, source = trained("classify", tmp_path, "memoryless=off", "read=mean")
    layer = unrolled.explain(str(run), source).layers[0]
    products = [layer.product_norm(layer.T - 1 - d, layer.T - 1) for d in range(layer.T)]
    np.testing.assert_allclose(layer.signal(), products, rtol=1e-4)
    own = layer.G[0, 0] / layer.G[0, -1]
    assert own > 1.5 * products[-1], "the row alone would say that much more is left"
