##@ Monitoring

MONITORING := PYTHONPATH=monitoring $(BIN)/python -m docwarden_monitoring
# Where annotations and dashboards lead to; the defaults are names that nobody owns.
MONITORING_URLS = $(if $(RUNBOOKS_URL),--runbooks $(RUNBOOKS_URL)) $(if $(DASHBOARDS_URL),--dashboards $(DASHBOARDS_URL))

.PHONY: monitoring
monitoring: $(READY) ## Regenerate rules, dashboards and the alerts' page (RUNBOOKS_URL=, DASHBOARDS_URL=)
	$(MONITORING) monitoring/generated --reference docs/reference/alerts.md $(MONITORING_URLS)

.PHONY: monitoring-tools
monitoring-tools:
	@for tool in prometheus promtool prometheus-alertmanager amtool curl jq redis-cli; do \
		command -v $$tool >/dev/null && continue; \
		echo "Installing from Debian: prometheus (with promtool), prometheus-alertmanager (with amtool), curl, jq, redis-tools; no service is started"; \
		monitoring/install_tools.sh; break; \
	done

.PHONY: test-runbooks
test-runbooks: $(READY) monitoring-tools ## Try each command of each runbook on a system that is broken in just that way (2 minutes)
	$(BIN)/pytest -c monitoring/pytest.ini monitoring/tests/test_runbook_commands.py

.PHONY: test-observability
test-observability: $(READY) monitoring-tools console-tools ## Check rules, alerts end to end, dashboards, runbooks, logs and the console
	$(BIN)/pytest -c monitoring/pytest.ini monitoring/tests --ignore monitoring/tests/test_runbook_commands.py
	$(if $(wildcard tests/console),$(BIN)/pytest tests/console)
