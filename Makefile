# Bellrock: what a newcomer, a developer and CI run. Needs Python 3.11+, pip, make and a C++ compiler.

PYTHON ?= python3
VENV   ?= .venv
OUT    ?= out
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# Level Zero's loader is in no package of PyPI; tests of Intel GPUs' host code go through it.
LEVEL_ZERO := $(VENV)/.level-zero
# Workers of pytest; each test process computes with one thread, so the machine is not oversubscribed.
WORKERS     ?= 2
PYTEST_ARGS ?=

# Suites that need no checkout, and an earlier run to compare with.
FIGURES := $(filter-out suites/kernelbench% suites/examples%,$(wildcard suites/*.yaml))
BEFORE  ?=
compare = $(if $(BEFORE),$(BIN)/bellrock compare $(BEFORE)/$(1).jsonl $(OUT)/$(1).jsonl)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint types rules unit format smoke xegpu bench figures kernelbench env clean distclean

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## Create the environment in .venv and install Bellrock with everything it needs.

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Bellrock needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -1)." \
	       "Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@# Some systems ship Python without ensurepip: their own pip then fills the environment.
	$(PYTHON) -m venv $(VENV) 2>/dev/null || { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	  $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; }

$(STAMP): pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## Compile, check and time every example beside PyTorch; table here, report in out/report.html.
	@mkdir -p $(OUT)
	$(BIN)/bellrock bench examples/problems --against eager,inductor \
	  --json $(OUT)/report.jsonl --html $(OUT)/report.html

test: lint types rules unit ## Everything that CI runs: lint, types, import rules, all tests.

lint: $(STAMP) ## Style: ruff's rules and its formatter (check only; `make format` repairs).
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP) ## Types: pyright over src and tests.
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

rules: $(STAMP) ## Import rules: rooms import in one direction only.
	$(BIN)/lint-imports --no-cache

$(LEVEL_ZERO): scripts/install_level_zero.py | $(STAMP)
	$(BIN)/python scripts/install_level_zero.py
	@touch $@

unit: $(STAMP) $(LEVEL_ZERO) ## All tests, in parallel (WORKERS=2, PYTEST_ARGS='-k name').
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

format: $(STAMP) ## Repair what ruff can repair.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

smoke: $(STAMP) ## KernelBench at tiny sizes, checked but not timed (KERNELBENCH_DIR names a checkout).
	$(BIN)/bellrock bench suites/kernelbench-smoke.yaml --check-only

xegpu: $(STAMP) ## The examples for an Intel GPU, run on what stands in for one, checked but not timed.
	BELLROCK_XEGPU_LOADER=simt $(BIN)/bellrock bench suites/examples-small.yaml --target xegpu --check-only
	BELLROCK_XEGPU_LOADER=opencl $(BIN)/bellrock bench examples/problems --target xegpu --check-only

bench: figures kernelbench ## Everything that is measured; BEFORE=DIR compares with an earlier run's OUT.

figures: $(STAMP) ## The kernels and networks of suites/, checked and timed: docs/performance.md.
	@mkdir -p $(OUT)
	$(BIN)/bellrock bench $(FIGURES) --against eager,inductor \
	  --json $(OUT)/figures.jsonl --html $(OUT)/figures.html
	$(call compare,figures)

kernelbench: $(STAMP) ## KernelBench sized for a CPU, checked and timed; goes on with what OUT has.
	@mkdir -p $(OUT)
	$(BIN)/bellrock bench suites/kernelbench-cpu.yaml --against eager,inductor \
	  --json $(OUT)/kernelbench-cpu.jsonl --html $(OUT)/kernelbench-cpu.html --resume
	$(call compare,kernelbench-cpu)

clean: ## Remove what tools wrote, but keep the environment.
	rm -rf $(OUT) build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## Remove the environment as well.
	rm -rf $(VENV)
