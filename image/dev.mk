##@ Develop

.PHONY: dev
dev: $(READY) ## Like demo, restarted whenever a source file changes
	@exec $(BIN)/python image/dev.py $(BIN)/docwarden demo

.PHONY: hooks
hooks: $(READY) ## Check format, style and types on every commit from now on
	$(BIN)/pre-commit install
