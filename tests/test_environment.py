import pytest
import torch

from unrolled import environment, native


def test_versions_and_threads_are_those_of_this_process():
    found = environment.examine()
    assert found.torch == torch.__version__
    assert found.threads == torch.get_num_threads()
    assert found.isa == native.isa()
    assert found.layers_compiled is native.available()


def test_missing_core_comes_with_its_reason_and_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(native, "available", lambda: False)
    monkeypatch.setattr(native, "why_not", lambda: "no compiler was found")
    words = str(environment.examine())
    assert "compiled core  missing: no compiler was found" in words
    assert "pip install --force-reinstall" in words
    assert "instructions" not in words


def test_nothing_to_do_is_said():
    if not native.available():
        pytest.skip(f"the compiled core is missing: {native.why_not()}")
    assert str(environment.examine()).endswith("Everything is in place.")
