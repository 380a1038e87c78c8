# The chart on a real cluster. KUBECONFIG names it; `make cluster` brings one up.

# Where the cluster pulls the image from, by tag; PUSH is the same place as seen from here.
CLUSTER_IMAGE ?=
PUSH ?=
PUSH_OPTIONS ?=
CLUSTER_TOOLS = HELM=$(abspath $(HELM)) KUBECTL=$(or $(shell command -v kubectl),$(abspath $(dir $(HELM)))/kubectl)

.PHONY: test-cluster
test-cluster: $(READY) $(HELM) ## Prove the chart on the cluster of KUBECONFIG: rollouts under load, faults, policies, scaling
	$(if $(PUSH),$(ENGINE) push $(PUSH_OPTIONS) $(IMAGE) $(PUSH))
	$(CLUSTER_TOOLS) $(if $(CLUSTER_IMAGE),CLUSTER_IMAGE=$(CLUSTER_IMAGE)) \
		$(BIN)/pytest -c tests/cluster/pytest.ini tests/cluster $(ARGS)

.PHONY: cluster
cluster: $(HELM) ## Bring up a cluster with the chart, Prometheus, Alertmanager, Grafana and Loki (YES=1, STACK=no)
	$(CLUSTER_TOOLS) ENGINE=$(ENGINE) IMAGE=$(IMAGE) CLUSTER_IMAGE=$(CLUSTER_IMAGE) YES=$(YES) STACK=$(STACK) charts/cluster/up.sh

.PHONY: cluster-down
cluster-down: $(HELM) ## Delete what `make cluster` created (YES=1)
	$(CLUSTER_TOOLS) ENGINE=$(ENGINE) YES=$(YES) charts/cluster/down.sh
