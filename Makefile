# Every command a person may run. `make` alone lists them.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# What the benchmarks measure beside the product, apart from it.
PEERS := .venv-bench
# Workbooks whose values Excel computed; tests and bench say so where the folder is absent.
export CORPUS ?= ../shared/corpus

.DEFAULT_GOAL := help
.PHONY: help run test check format lint types contracts conformance bench soak promises clean

help: ## list these commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/run.stamp ## start the product: database, server, worker, demo data
	@exec $(BIN)/tollway demo

test: $(VENV)/dev.stamp $(VENV)/browser.stamp ## prove that it works (15 minutes at most)
	@$(BIN)/python -m pytest -n auto --dist loadgroup -m "not soak"

check: format lint types contracts test ## the gate: everything that must hold before a commit

format: $(VENV)/dev.stamp
	@$(BIN)/ruff format --check

lint: $(VENV)/dev.stamp
	@$(BIN)/ruff check

types: $(VENV)/dev.stamp
	@$(BIN)/mypy

contracts: $(VENV)/dev.stamp
	@$(BIN)/lint-imports

conformance: $(VENV)/run.stamp ## compare the engine with the values that Excel stored in the corpus
	@test -d "$(CORPUS)/excel" || { echo "There are no workbooks at $(CORPUS)/excel; say: make conformance CORPUS=/path/to/corpus"; exit 1; }
	@$(BIN)/tollway conformance "$(CORPUS)/excel" --explained tests/engine/explained.toml
	@echo "Target: mean_over_functions 0.995, and no accepted cell wrong that tests/engine/explained.toml does not explain."

bench: $(VENV)/dev.stamp $(PEERS)/bench.stamp ## measure each claim of speed beside the peer it names
	@command -v wrk >/dev/null || apt-get install -y -qq wrk >/dev/null 2>&1 || true
	@for program in bench/*.py; do echo "== $$program"; $(BIN)/python $$program || exit 1; done

soak: $(VENV)/dev.stamp ## long fuzzing and kill loops
	@$(BIN)/python -m pytest -m soak --timeout 3600

promises: $(VENV)/dev.stamp ## which lines of the specification are proven, and by which tests
	@$(BIN)/python -m tests.promises

clean: ## remove the virtual environments; data stay
	rm -rf $(VENV) $(PEERS)

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed; install it or say: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what Tollway needs into $(VENV), once: about a minute."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/run.stamp
	@echo "Installing what the tests need, once."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(PEERS)/bench.stamp: bench/requirements.lock
	@echo "Installing the peers of the benchmarks into $(PEERS), once: some minutes."
	@test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r bench/requirements.lock
	@touch $@

# The browser tests drive Debian's Chromium; where it cannot be installed they fail and say this command. Redis is
# Debian's too, or else an older one from a wheel; the tests that set a clock need Debian's faketime.
$(VENV)/browser.stamp: $(VENV)/dev.stamp
	@command -v chromium >/dev/null || echo "Installing Chromium for the browser tests, once."
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -y -qq chromium; } >/dev/null 2>&1 || true
	@command -v redis-server >/dev/null || apt-get install -y -qq redis-server >/dev/null 2>&1 || true
	@command -v faketime >/dev/null || apt-get install -y -qq faketime >/dev/null 2>&1 || true
	@touch $@
