# Every target does its own setup: Python >= 3.11 and make are all a fresh machine needs.
# A stamp in .venv/ stands for each finished step of it, so that the second call is quick;
# `rm -rf .venv` starts over.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
NATIVE := CMakeLists.txt $(wildcard csrc/*.* csrc/*/*.*)

.PHONY: demo test bench fuzz sanitize lint format clean
.DEFAULT_GOAL := test

demo: $(VENV)/installed
	$(BIN)/unrolled demo

test: lint
	$(BIN)/python -m pytest

bench: $(VENV)/bench
	$(BIN)/python -m benchmarks

# The same tests with 50,000 drawn shapes in place of 2,000.
fuzz: $(VENV)/installed
	UNROLLED_FUZZ_EXAMPLES=50000 $(BIN)/python -m pytest -m fuzz

sanitize: $(VENV)/installed
	tests/native/run.sh asan
	tests/native/run.sh tsan

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/installed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:
	rm -rf $(VENV) build

# torch first and by its pin, so that nothing below draws in another build of it.
$(VENV)/base: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unrolled needs Python >= 3.11")'
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(PIP) torch numpy
	touch $@

# The tools, nanobind and scikit-build-core among them: the editable build below uses them in place.
$(VENV)/tools: $(VENV)/base pyproject.toml
	$(PIP) $$($(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	  print(*p["dependencies"], *p["optional-dependencies"]["dev"], sep="\n")' | tr -d ' ')
	touch $@

# Editable, so that Python sources need no reinstallation; the compiled core is rebuilt when its sources change.
$(VENV)/installed: $(VENV)/tools $(NATIVE)
	$(PIP) --no-build-isolation --no-deps --config-settings=build-dir=$(VENV)/build --editable .
	touch $@

$(VENV)/bench: $(VENV)/installed
	$(PIP) --no-build-isolation --config-settings=build-dir=$(VENV)/build --editable '.[bench]'
	touch $@
