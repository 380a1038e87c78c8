##@ Benchmark

# Debian's own interpreter is built with profile-guided optimisation, which pyenv's are not.
BENCH_PYTHON ?= $(firstword $(wildcard /usr/bin/python3) $(PYTHON))
BENCH_GATEWAY := .venv-bench-gateway
BENCH_PEERS := .venv-bench
BENCH_READY := $(BENCH_GATEWAY)/.ready $(BENCH_PEERS)/.ready
BENCH := PYTHONPATH=src:bench $(BENCH_GATEWAY)/bin/python -m sidebyside --peers-python $(BENCH_PEERS)/bin/python

.PHONY: bench
bench: $(BENCH_READY) bench-tools ## Compare with proxies side by side and regenerate docs/reference/performance-tables.md (25 minutes, needs an idle machine)
	$(BENCH) --publish $(BENCH_OPTIONS)

.PHONY: bench-quick
bench-quick: $(BENCH_READY) bench-tools ## The same for the usual mix alone; prints, publishes nothing (2 minutes)
	$(BENCH) --quick $(BENCH_OPTIONS)

BENCH_BASE := build/bench/base

.PHONY: bench-against
bench-against: $(BENCH_GATEWAY)/.ready bench-tools ## Compare a request's CPU time with another revision's, BASE=REVISION (2 minutes)
	@test -n "$(BASE)" || { echo "Say which revision: make bench-against BASE=v1.2.3" >&2; exit 2; }
	@rm -rf $(BENCH_BASE) && mkdir -p $(BENCH_BASE)/tree
	@git archive "$(BASE)" | tar -x -C $(BENCH_BASE)/tree
	@$(BENCH_PYTHON) -m venv $(BENCH_BASE)/venv
	@$(BENCH_BASE)/venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $(BENCH_BASE)/tree/requirements/runtime.txt
	PYTHONPATH=src:bench $(BENCH_GATEWAY)/bin/python -m sidebyside.revisions --base $(BENCH_BASE)/tree --base-python $(BENCH_BASE)/venv/bin/python $(BENCH_OPTIONS)

.PHONY: bench-tools
bench-tools:
	@for tool in nginx haproxy wrk; do \
		command -v $$tool >/dev/null || PATH="$$PATH:/usr/sbin" command -v $$tool >/dev/null && continue; \
		echo "Installing nginx, haproxy and wrk ..."; \
		apt-get update -qq && apt-get install -y -qq nginx haproxy wrk >/dev/null; break; \
	done

.PHONY: lock-bench
lock-bench: $(READY) ## Regenerate the hash-pinned lock of the benchmark's Python peers
	$(LOCK) bench/requirements.in -o bench/requirements.txt

define BENCH_VENV
	@$(BENCH_PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(BENCH_PYTHON) cannot make virtual environments (on Debian: apt-get install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(@D) with $$($(BENCH_PYTHON) -V) ..."
	@$(BENCH_PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@
endef

$(BENCH_GATEWAY)/.ready: requirements/runtime.txt
	$(BENCH_VENV)

$(BENCH_PEERS)/.ready: bench/requirements.txt
	$(BENCH_VENV)
