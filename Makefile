# Every task of the project. `make` alone lists those of every day, `make help-all` the rest too.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
VENV := .venv
BIN := $(VENV)/bin
# Made when what the gateway needs is installed, and when what its tests need is too.
RUNNABLE := $(VENV)/.runnable
READY := $(VENV)/.ready

##@ Run

.PHONY: demo
demo: $(RUNNABLE) ## Set everything up, run gateway and simulator, print what to open
	@exec $(BIN)/python -m docwarden demo

.PHONY: drill
drill: $(READY) ## Break a gateway in three ways, get paged, read console and runbook, recover (5 minutes)
	@PYTHONPATH=monitoring exec $(BIN)/python -m tests.drill

##@ Test

.PHONY: test
test: $(READY) ## Set everything up and run all tests that need only Python
	$(BIN)/pytest -n 2 --dist worksteal

.PHONY: test-corpus
test-corpus: $(READY) ## Prove on 1,300 valid files of many producers that none is refused
	$(BIN)/python -m tests.corpus.assemble .cache/corpus
	$(BIN)/pytest tests/corpus

.PHONY: test-mutants
test-mutants: $(READY) ## Prove that what djpeg, tiffinfo and gifsicle complain about is refused
	@for tool in djpeg tiffinfo gifsicle; do command -v $$tool >/dev/null && continue; \
		apt-get update -qq && apt-get install -y -qq libjpeg-turbo-progs libtiff-tools gifsicle >/dev/null; break; done
	$(BIN)/python -m pytest -s tests/mutants

.PHONY: test-producers
test-producers: $(READY) ## Serve documents of Chromium, LibreOffice, qpdf and others, intact and broken
	@tests/producers/install_tools.sh
	$(BIN)/python -m tests.producers.produce .cache/producers
	$(BIN)/pytest tests/producers

.PHONY: test-bare
test-bare: ## Prove demo and tests in an empty Debian 12 that has Python, make and git only
	tests/bare/run.sh

.PHONY: fuzz
fuzz: $(READY) ## Fuzz structure walks, requests and answers for a minute each (SECONDS=n)
	$(BIN)/python tests/fuzz/fuzz_walkers.py --seconds $(or $(SECONDS),60)
	$(BIN)/python tests/fuzz/fuzz_readers.py requests --seconds $(or $(SECONDS),60)
	$(BIN)/python tests/fuzz/fuzz_readers.py answers --seconds $(or $(SECONDS),60)

.PHONY: test-redis
test-redis: $(READY) ## Test the store in Redis against a real server
	@command -v redis-server >/dev/null || { apt-get update -qq && apt-get install -y -qq redis-server >/dev/null; }
	@command -v openssl >/dev/null || apt-get install -y -qq openssl >/dev/null
	$(BIN)/pytest tests/redis

.PHONY: test-hostile
test-hostile: $(READY) ## Attack a gateway process: clients that do not read, flood, idle or violate the protocol
	$(BIN)/pytest tests/hostile

.PHONY: test-load
test-load: $(READY) ## Overload, fairness, then soak for SOAK_SECONDS (300): needs an idle machine
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
lock: $(READY) ## Regenerate the hash-pinned requirement files
	$(LOCK) --extra redis --extra tracing pyproject.toml -o requirements/runtime.txt
	$(LOCK) --extra redis --extra tracing --group dev pyproject.toml -o requirements/dev.txt

.PHONY: clean
clean: ## Remove everything that these targets created
	rm -rf .venv* build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis infra/cdk.out infra/node_modules tests/console/node_modules

# Installs a requirement file and, on a terminal, counts along; $(1) is the file.
define install
@count=$$(grep -c '^[a-z]' $(1)); bar=; if test -t 1; then bar=yes; fi; \
$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --require-hashes --requirement $(1) \
| awk -v count="$$count" -v bar="$$bar" 'bar && /^(Collecting|Requirement already satisfied)/ {printf "\r  %d of %d packages", ++seen, count; fflush()} \
/^Installing/ {printf "%s  installing %d packages ...", bar ? "\r" : "", count; fflush()} END {print ""}'
endef

$(RUNNABLE): requirements/runtime.txt
	@test -n "$(PYTHON)" || { echo "docwarden needs Python 3.11 or newer on the PATH" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "docwarden needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Say which to use: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) -V) ..."
	@$(PYTHON) -m venv $(VENV)
	$(call install,requirements/runtime.txt)
	@echo "$(CURDIR)/src" >"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/docwarden-clone.pth"
	@printf '#!%s\nimport sys\nfrom docwarden.cli.main import main\nsys.exit(main())\n' "$(CURDIR)/$(BIN)/python" >$(BIN)/docwarden
	@chmod +x $(BIN)/docwarden
	@touch $@

# The virtual environment is renewed when the lock changes.
$(READY): $(RUNNABLE) requirements/dev.txt pyproject.toml
	@echo "Installing the tools of development and test ..."
	$(call install,requirements/dev.txt)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --no-index --editable .
	@touch $@

# The other parts of the tree bring their own targets.
include $(wildcard charts/*.mk infra/*.mk monitoring/*.mk image/*.mk docs/*.mk bench/*.mk)

# The judge of accessibility that the console's tests ask, pinned by its lock.
AXE := tests/console/node_modules/axe-core/axe.min.js
test-console test-observability: $(AXE)

$(AXE): tests/console/package-lock.json
	@command -v npm >/dev/null || { echo "axe-core needs npm on the PATH (on Debian: apt-get install npm)" >&2; exit 1; }
	cd tests/console && npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: test-drill
test-drill: $(READY) monitoring-tools ## Check the drill in its short form, with a page, and interrupted
	$(BIN)/pytest tests/drill

test-observability: test-drill

EVERY_DAY := demo dev stack test check fix lint types test-corpus test-hostile test-load test-redis test-console \
	test-chart test-cluster test-image test-infra test-observability docs bench image cluster release-check help help-all
LIST = awk -v only="$(1)" 'BEGIN {FS = ":.*\#\# "; split(only, names, " "); for (n in names) wanted[names[n]] = 1} \
	/^\#\#@/ {part = substr($$0, 5)} \
	/^[a-zA-Z_-]+:.*\#\# / && (only == "" || $$1 in wanted) {if (part != "") printf "\n%s\n", part; part = ""; printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: help
help: ## List the everyday targets
	@$(call LIST,$(EVERY_DAY))

.PHONY: help-all
help-all: ## List every target
	@$(call LIST,)
