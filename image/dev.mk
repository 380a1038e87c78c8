##@ Develop

.PHONY: dev
dev: $(READY) ## Like demo, started again whenever a source file changes
	@exec $(BIN)/python image/dev.py $(BIN)/docwarden demo

.PHONY: hooks
hooks: $(READY) ## Check format, style and types at every commit from now on
	$(BIN)/pre-commit install
