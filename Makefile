# Every target does its own setup: Python >= 3.11 and make are all a fresh machine needs, and a C++17 compiler
# for the compiled core. A file in .venv/ stands for each finished step, so that the second call is quick;
# `make clean` starts over.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
NATIVE := CMakeLists.txt $(wildcard csrc/*.* csrc/*/*.*)
# A folder changes when a module is added or removed, which an editable installation must be told.
MODULES := $(shell find src -type d -not -name __pycache__)

# The requirements of the package and of one of its extras, as pyproject.toml lists them.
REQUIREMENTS = $$($(BIN)/python -c 'import tomllib; \
  p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
  print(*p["dependencies"], *p["optional-dependencies"]["$(1)"])')

.PHONY: demo pages web test bench fuzz crash sanitize neon faults lint format clean
.DEFAULT_GOAL := test

demo: $(VENV)/installed
	$(BIN)/unrolled demo

# The worked examples as pages, which the tests compare with the commands.
pages: $(VENV)/installed
	$(BIN)/python -m unrolled.walkthroughs docs/walkthroughs

test: lint
	$(BIN)/python -m pytest

# The explorer's page, built from web/ into the package, and tested; the rest of the house needs no Node.js.
web: $(VENV)/installed
	cd web && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci </dev/null
	cd web && npm run check && npm run build && npm test
	cd web && PYTHON=$(abspath $(BIN)/python) npm run browser

bench: $(VENV)/installed $(VENV)/peers
	$(BIN)/python -m benchmarks

# The tests that draw their shapes, with 50,000 of them in place of 2,000.
fuzz: $(VENV)/installed
	UNROLLED_FUZZ_EXAMPLES=50000 $(BIN)/python -m pytest -m fuzz

# Trainings killed 50 times, and 500 bits flipped in what one left; the tests kill and flip a few.
crash: $(VENV)/installed
	UNROLLED_KILLS=50 $(BIN)/python -m pytest -s tests/training/test_kill.py tests/training/test_run_damage.py \
	  tests/training/test_crash.py

# The core's own test and the battery under the sanitizers; the core for aarch64 under an emulator.
sanitize: $(VENV)/installed
	PYTHON=$(BIN)/python tests/native/run.sh asan
	PYTHON=$(BIN)/python tests/native/run.sh battery
	PYTHON=$(BIN)/python tests/native/run.sh tsan

neon: $(VENV)/installed
	PYTHON=$(BIN)/python tests/native/run.sh neon

# Faults planted in copies of the core, one at a time: the core's own test must report each.
faults: $(VENV)/installed
	$(BIN)/python -m tests.native.plant

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

format: $(VENV)/installed
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clean:
	rm -rf $(VENV)

# torch first and by its pin, so that nothing below draws in another build of it.
$(VENV)/torch: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "unrolled needs Python >= 3.11")'
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(PIP) torch numpy
	touch $@

# What the tests run, nanobind and scikit-build-core among it: the editable build below uses them in place.
$(VENV)/tools: $(VENV)/torch pyproject.toml
	$(PIP) $(call REQUIREMENTS,dev)
	touch $@

$(VENV)/peers: $(VENV)/tools
	$(PIP) $(call REQUIREMENTS,bench)
	touch $@

# Editable, so that edits need no reinstallation; the compiled core is rebuilt when its sources change.
$(VENV)/installed: $(VENV)/tools $(NATIVE) $(MODULES)
	$(PIP) --no-build-isolation --no-deps --config-settings=build-dir=$(VENV)/build --editable .
	touch $@
