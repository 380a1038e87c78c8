# Every task of the project. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

##@ Run

.PHONY: demo
demo: $(READY) ## Set everything up, run gateway and simulator, print what to open
	@exec $(BIN)/docwarden demo

##@ Test

.PHONY: test
test: $(READY) ## Set everything up and run all tests that need only Python
	$(BIN)/pytest

.PHONY: test-corpus
test-corpus: $(READY) ## Prove on 1,300 valid files of many producers that none is refused
	$(BIN)/python -m tests.corpus.assemble .cache/corpus
	$(BIN)/pytest tests/corpus

.PHONY: test-producers
test-producers: $(READY) ## Serve documents of Chromium, LibreOffice, qpdf and others, intact and broken
	@tests/producers/install_tools.sh
	$(BIN)/python -m tests.producers.produce .cache/producers
	$(BIN)/pytest tests/producers

.PHONY: test-bare
test-bare: ## Prove demo and tests in an empty Debian 12 that has Python, make and git only
	tests/bare/run.sh

.PHONY: fuzz
fuzz: $(READY) ## Fuzz the structure walks for a minute (SECONDS=n)
	$(BIN)/python tests/fuzz/fuzz_walkers.py --seconds $(or $(SECONDS),60)

.PHONY: test-redis
test-redis: $(READY) ## Test the store in Redis against a real server
	@command -v redis-server >/dev/null || { apt-get update -qq && apt-get install -y -qq redis-server >/dev/null; }
	@command -v openssl >/dev/null || apt-get install -y -qq openssl >/dev/null
	$(BIN)/pytest tests/redis

.PHONY: test-load
test-load: $(READY) ## Overload, then soak for SOAK_SECONDS (300): needs a quiet machine
	$(BIN)/pytest -s tests/load --timeout 900

##@ Check

.PHONY: check
check: lint types test ## What CI runs first

.PHONY: lint
lint: $(READY) ## Check format and style; writes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

.PHONY: types
types: $(READY) ## Check types, strictly
	$(BIN)/mypy

.PHONY: fix
fix: $(READY) ## Apply format and safe style repairs
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

##@ Maintain

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade

.PHONY: lock
lock: $(READY) ## Renew the hash-pinned requirement files
	$(LOCK) --extra redis --extra tracing pyproject.toml -o requirements/runtime.txt
	$(LOCK) --extra redis --extra tracing --group dev pyproject.toml -o requirements/dev.txt

.PHONY: clean
clean: ## Remove everything that these targets made
	rm -rf .venv* build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis infra/cdk.out infra/node_modules

# The virtual environment is made anew when the interpreter or the lock changes.
$(READY): requirements/dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "docwarden needs Python 3.11 or newer on the PATH" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "docwarden needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Say which to use: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) -V) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --no-index --editable .
	@touch $@

# The other parts of the tree bring their own targets.
include $(wildcard charts/*.mk infra/*.mk monitoring/*.mk image/*.mk docs/*.mk bench/*.mk)

.PHONY: help
help: ## List these targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z_-]+:.*## / {printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
