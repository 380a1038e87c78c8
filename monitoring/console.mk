##@ Monitoring

.PHONY: test-console
test-console: $(READY) console-tools ## Check the operator console in a real Chromium
	$(BIN)/pytest tests/console

.PHONY: console-images
console-images: $(READY) console-tools ## Take the screenshots of the console for the documentation (3 minutes)
	$(BIN)/pytest tests/console/images.py

.PHONY: console-tools
console-tools:
	@for tool in chromium chromedriver; do \
		command -v $$tool >/dev/null && continue; \
		echo "Installing from Debian: chromium, chromium-driver, fonts-dejavu-core"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core >/dev/null || \
			{ echo "The console's tests need Debian's chromium and chromium-driver" >&2; exit 1; }; \
		break; \
	done
