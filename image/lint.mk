##@ Image and pipelines

LINT_VENV := .venv-lint
LINT_BIN := $(LINT_VENV)/bin
LINT_READY := $(LINT_VENV)/.ready
ACTIONLINT := .cache/actionlint/actionlint
COLLECTOR := .cache/collector/collector
# Programs for awk or for a shell elsewhere stand in single quotes on purpose.
NOT_EXPANDED := --exclude=SC2016
SCRIPTS = $(shell git ls-files --cached --others --exclude-standard '*.sh' .ci/run)

.PHONY: lint-image
lint-image: $(LINT_READY) ## Check the Dockerfile and the shell scripts (hadolint, shellcheck)
	$(LINT_BIN)/hadolint Dockerfile .devcontainer/Dockerfile
	$(LINT_BIN)/shellcheck $(NOT_EXPANDED) $(SCRIPTS)

.PHONY: lint-workflows
lint-workflows: $(LINT_READY) $(ACTIONLINT) ## Check the workflows (actionlint, zizmor, yamllint)
	$(ACTIONLINT) -shellcheck $(LINT_BIN)/shellcheck
	$(LINT_BIN)/zizmor --offline --no-progress --persona=pedantic .github
	$(LINT_BIN)/yamllint --strict .github .pre-commit-config.yaml compose.yaml

.PHONY: lint-stack
lint-stack: $(COLLECTOR) ## Validate the configuration of the stack's OpenTelemetry Collector (Go)
	$(COLLECTOR) validate --config=image/stack/collector.yaml

.PHONY: clean-tree
clean-tree: ## Fail when a file differs from its commit, as after forgotten generated files
	@git status --porcelain | { ! grep .; } || { git diff --stat >&2; exit 1; }

.PHONY: lock-image
lock-image: $(READY) ## Regenerate the hash-pinned locks of the image's build and of the linters
	$(LOCK) image/build-requirements.in -o image/build-requirements.txt
	$(LOCK) image/lint-requirements.in -o image/lint-requirements.txt

$(LINT_READY): image/lint-requirements.txt
	@echo "Setting up $(LINT_VENV) ..."
	@$(PYTHON) -m venv $(LINT_VENV)
	@$(LINT_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement image/lint-requirements.txt
	@touch $@

# Its package on PyPI downloads a binary from elsewhere while it installs; Go checks what it builds.
$(ACTIONLINT): image/tools/actionlint/go.mod image/tools/actionlint/go.sum
	@command -v go >/dev/null || { echo "actionlint is built with Go, which is not on the PATH" >&2; exit 1; }
	cd image/tools/actionlint && GOBIN=$(CURDIR)/$(@D) go install github.com/rhysd/actionlint/cmd/actionlint
	@touch $@

# Of its modules those that the configuration needs; the whole distribution takes half an hour.
$(COLLECTOR): $(wildcard image/tools/collector/*)
	@command -v go >/dev/null || { echo "the collector is built with Go, which is not on the PATH" >&2; exit 1; }
	cd image/tools/collector && go build -trimpath -ldflags="-s -w" -o $(CURDIR)/$@ .

# As root, since steps are run as an ordinary user and some by sudo.
TEST_WORKFLOWS = image/install_tools.sh --registry && $(BIN)/pytest -c image/workflow_tests/pytest.ini image/workflow_tests

.PHONY: test-workflows
test-workflows: $(READY) ## Run the steps of the workflows in a clean clone, as an ordinary user
	$(TEST_WORKFLOWS)

.PHONY: test-workflows-whole
test-workflows-whole: $(READY) ## Likewise, with the steps that take minutes (half an hour)
	$(TEST_WORKFLOWS) --whole

.PHONY: pipeline-page
pipeline-page: $(READY) ## Regenerate docs/reference/pipeline.md, which lists these steps
	$(BIN)/python image/workflow_tests/workflows.py
