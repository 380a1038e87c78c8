##@ Monitoring

AXE := tests/console/node_modules/axe-core/axe.min.js

.PHONY: test-console
test-console: $(READY) console-tools $(AXE) ## Check the operator console in a real Chromium
	$(BIN)/pytest tests/console

.PHONY: console-images
console-images: $(READY) console-tools ## Take the pictures of the console that the documentation shows (3 minutes)
	$(BIN)/pytest tests/console/images.py

# The judge of accessibility, pinned by its lock.
$(AXE): tests/console/package-lock.json
	@command -v npm >/dev/null || { echo "axe-core needs npm on the PATH (on Debian: apt-get install npm)" >&2; exit 1; }
	cd tests/console && npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: console-tools
console-tools:
	@for tool in chromium chromedriver; do \
		command -v $$tool >/dev/null && continue; \
		echo "Installing from Debian: chromium, chromium-driver, fonts-dejavu-core"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core >/dev/null || \
			{ echo "The console's tests need Debian's chromium and chromium-driver" >&2; exit 1; }; \
		break; \
	done
