##@ Image

IMAGE ?= localhost/docwarden:test
ENGINE ?= $(if $(shell command -v podman),podman,$(if $(shell command -v docker),docker,podman))
# A root user who may not raise limits (capability 24 is missing), as in a sandbox, needs settings
# of its own; everybody else has theirs.
MAY_RAISE_LIMITS := $(shell test "$$(id -u)" != 0 || test $$(( (0x$$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24) & 1 )) = 1 && echo yes)
ifneq ($(MAY_RAISE_LIMITS),yes)
export CONTAINERS_CONF ?= $(CURDIR)/image/containers.conf
endif

.PHONY: image
image: ## Build the image, localhost/docwarden:test
	@test $(ENGINE) != podman || image/install_tools.sh
	ENGINE=$(ENGINE) image/build.sh $(IMAGE)

.PHONY: test-image
test-image: $(READY) $(LINT_READY) .cache/helm/helm ## Build the image and run it: hardened, under load, replaced while serving
	@image/install_tools.sh
	$(MAKE) image ENGINE=podman
	PATH="$$PATH:/usr/sbin:$(CURDIR)/.cache/helm" IMAGE=$(IMAGE) SYFT=$(CURDIR)/$(LINT_BIN)/syft \
		$(BIN)/pytest -c image/pytest.ini image/tests

.PHONY: sweep
sweep: ## Remove the containers of test runs that were broken off
	@image/sweep.sh

.PHONY: notice
notice: ## Regenerate NOTICE, which lists the licences of what the image ships
	$(MAKE) image ENGINE=podman
	podman run --rm --no-healthcheck --entrypoint python $(IMAGE) -c "$$(cat image/notice.py)" > NOTICE

.PHONY: stack
stack: ## Gateway, faulty upstream, Prometheus, Alertmanager, Loki and Grafana; ends with Ctrl-C
	@image/stack/up.sh

.PHONY: stack-wipe
stack-wipe: ## Remove the stack's metrics, logs and settings
	@image/stack/up.sh wipe

# The program that judges the collector's configuration also runs it, once it is built: make lint-stack.
OTELCOL ?= $(if $(filter whole,$(STACK)),,$(wildcard $(CURDIR)/$(COLLECTOR)))

# STACK=whole runs every part with Docker Compose, which has to reach the registries of their images.
.PHONY: test-stack
test-stack: $(READY) $(LINT_READY) ## Run the stack and check documents, metrics, alerts and log lines
	@test "$(STACK)" = whole || { image/install_tools.sh --names && $(MAKE) monitoring-tools; }
	$(MAKE) image ENGINE=$(if $(filter whole,$(STACK)),docker,podman)
	PATH="$$PATH:/usr/sbin" IMAGE=$(IMAGE) OTELCOL=$(OTELCOL) PODMAN_COMPOSE=$(CURDIR)/$(LINT_BIN)/podman-compose \
		$(BIN)/pytest -c image/stack_tests/pytest.ini image/stack_tests/test_stack.py \
		$(if $(filter whole,$(STACK)),image/stack_tests/test_whole.py) $(if $(OTELCOL),image/stack_tests/test_collector.py)
