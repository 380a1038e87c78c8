##@ Documentation

DOCS_VENV := .venv-docs
DOCS_READY := $(DOCS_VENV)/.ready

.PHONY: docs
docs: $(DOCS_READY) ## Build the documentation into build/site; a broken link fails
	$(DOCS_VENV)/bin/sphinx-build --quiet --builder html --fail-on-warning --keep-going \
		--fresh-env --doctree-dir build/doctrees docs build/site
	@echo "open build/site/index.html"

.PHONY: test-docs
test-docs: $(READY) docs console-tools ## Check the built documentation in a real Chromium: search, copying, narrow screens
	$(BIN)/pytest tests/site

.PHONY: test-tutorial
test-tutorial: $(READY) ## Follow the tutorial and the how-to guides, command by command
	@command -v curl >/dev/null || { apt-get update -qq && apt-get install -y -qq curl >/dev/null; }
	$(BIN)/pytest tests/tutorial

.PHONY: reference
reference: $(READY) ## Regenerate the reference pages that are derived from the code
	PYTHONPATH=docs $(BIN)/python -m reference_pages
	$(BIN)/python -m docwarden.integrity.reference > docs/reference/integrity-checks.md

.PHONY: lock-docs
lock-docs: $(READY) ## Regenerate the hash-pinned lock of the documentation's tools
	$(LOCK) docs/requirements.in -o docs/requirements.txt

$(DOCS_READY): docs/requirements.txt
	@echo "Setting up $(DOCS_VENV) ..."
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement docs/requirements.txt
	@touch $@
