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
test-image: $(READY) .cache/helm/helm ## Build the image and run it for real: hardened, under load, replaced while serving
	@image/install_tools.sh
	$(MAKE) image ENGINE=podman
	PATH="$$PATH:$(CURDIR)/.cache/helm" IMAGE=$(IMAGE) $(BIN)/pytest -c image/pytest.ini image/tests
