##@ Chart

CHART := charts/docwarden
CHART_VENV := .venv-chart
CHART_BIN := $(CHART_VENV)/bin
CHART_READY := $(CHART_VENV)/.ready
# Another helm 4 can be used where the packaged one (linux/amd64) does not run: make HELM=$(which helm)
HELM ?= .cache/helm/helm

.PHONY: test-chart
test-chart: $(READY) $(CHART_READY) $(HELM) ## Check the Helm chart: lint, schemas, policies, templates, agreement
	HELM=$(abspath $(HELM)) GATEWAY_PYTHON=$(abspath $(BIN)/python) $(CHART_BIN)/pytest -c charts/pytest.ini charts/tests

.PHONY: test-chart-image
test-chart-image: $(CHART_READY) $(HELM) ## Run the chart's Deployment and ConfigMap with podman, from the image
	@image/install_tools.sh
	$(MAKE) image ENGINE=podman
	HELM=$(abspath $(HELM)) CHART_IMAGE=$(IMAGE) $(CHART_BIN)/pytest -c charts/pytest.ini charts/image_tests

.PHONY: chart-files
chart-files: $(READY) ## Regenerate the chart's derived files: rules, dashboards, schema, reference page
	mkdir -p $(CHART)/files/dashboards
	rm -f $(CHART)/files/rules.yaml $(CHART)/files/dashboards/*.json
	for file in $(wildcard monitoring/generated/rules.yaml); do cp $$file $(CHART)/files/; done
	for file in $(wildcard monitoring/generated/dashboards/*.json); do cp $$file $(CHART)/files/dashboards/; done
	$(BIN)/python charts/reference.py

.PHONY: lock-chart
lock-chart: $(READY) ## Regenerate the hash-pinned lock of the chart's checks
	$(LOCK) charts/requirements.in -o charts/requirements.txt

$(CHART_READY): charts/requirements.txt
	@$(PYTHON) -m venv $(CHART_VENV)
	@$(CHART_BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement charts/requirements.txt
	@touch $@

.cache/helm/helm: charts/helm-requirements.txt charts/unpack_helm.py
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(PYTHON) -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps --requirement charts/helm-requirements.txt --dest $(@D)
	@$(PYTHON) charts/unpack_helm.py $(@D)
	@rm -f $(@D)/*.whl
