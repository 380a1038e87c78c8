#!/usr/bin/env bash
# Bring up the chart with everything around it: on a cluster of kind where a container engine runs,
# on the current context of kubectl elsewhere.
#
# IMAGE          what to load into kind's nodes, localhost/docwarden:test
# CLUSTER_IMAGE  what another cluster pulls; the chart's own image unless it is set
# ENGINE         podman or docker
# STACK=no       leave Prometheus, Grafana, Loki and their company out
# YES=1          answer the question about the current context
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
helm=${HELM:-helm}
kubectl=${KUBECTL:-kubectl}
# By it `make cluster-down` knows what to remove.
label=made-by=docwarden-make-cluster
values=(--set simulator.enabled=true)

say() { printf '\n=== %s\n' "$*"; }
install() { "$helm" upgrade --install "$@" --labels "$label" --create-namespace --wait --timeout 10m; }
# Refuse to touch a release that somebody else installed: ours(name, namespace).
ours() {
    local found
    found=$("$helm" list --namespace "$2" --filter "^$1\$" --short)
    if [[ -n $found && -z $("$helm" list --namespace "$2" --filter "^$1\$" --selector "$label" --short) ]]; then
        echo "the release $1 in the namespace $2 is not from make cluster, which leaves it alone" >&2
        exit 1
    fi
}

if [[ -n ${ENGINE:-} ]] && "$ENGINE" info >/dev/null 2>&1 && command -v kind >/dev/null; then
    export KIND_EXPERIMENTAL_PROVIDER=$ENGINE
    kind get clusters 2>/dev/null | grep -qx docwarden || {
        say "a cluster of kind, docwarden"
        kind create cluster --name docwarden --config "$here/kind.yaml" --wait 3m
    }
    "$kubectl" config use-context kind-docwarden
    say "the image ${IMAGE:?} for its nodes"
    archive=$(mktemp)
    trap 'rm -f "$archive"' EXIT
    "$ENGINE" save --output "$archive" "$IMAGE"
    kind load image-archive "$archive" --name docwarden
    CLUSTER_IMAGE=$IMAGE
    values+=(--set image.pullPolicy=IfNotPresent)
    install metrics-server metrics-server --namespace kube-system \
        --repo https://kubernetes-sigs.github.io/metrics-server --set 'args={--kubelet-insecure-tls}'
else
    context=$("$kubectl" config current-context) || {
        echo "no cluster: start Docker or Podman and install kind, or choose one with kubectl config use-context" >&2
        exit 1
    }
    if [[ ${YES:-} != 1 ]]; then
        [[ -t 0 ]] || { echo "install on the context $context? Say so with YES=1" >&2; exit 1; }
        read -rp "Install docwarden and its monitoring on the context $context? [y/N] " answer
        [[ $answer == [yY]* ]] || exit 1
    fi
fi
if [[ -n ${CLUSTER_IMAGE:-} ]]; then
    values+=(--set "image.repository=${CLUSTER_IMAGE%:*}" --set "image.tag=${CLUSTER_IMAGE##*:}")
fi

ours docwarden docwarden
if [[ ${STACK:-} != no ]]; then
    for release in kube-prometheus-stack loki alloy; do ours "$release" monitoring; done
    say "Prometheus, Alertmanager and Grafana"
    install kube-prometheus-stack kube-prometheus-stack --namespace monitoring \
        --repo https://prometheus-community.github.io/helm-charts --values "$here/prometheus.yaml"
    say "Loki, and Alloy which sends it the logs"
    install loki loki --namespace monitoring \
        --repo https://grafana.github.io/helm-charts --version '^6' --values "$here/loki.yaml"
    install alloy alloy --namespace monitoring \
        --repo https://grafana.github.io/helm-charts --values "$here/alloy.yaml"
    values+=(--set commonLabels.release=kube-prometheus-stack --set dashboards.enabled=true)
    values+=(--set serviceMonitor.enabled=true --set prometheusRule.enabled=true)
fi

say "docwarden, with the simulator as its upstream"
install docwarden "$here/../docwarden" --namespace docwarden "${values[@]}"
"$helm" test docwarden --namespace docwarden --logs

say "to open; each command runs until Ctrl-C"
cat <<TEXT
documents  kubectl -n docwarden port-forward service/docwarden 8080:80     http://127.0.0.1:8080/1
console    kubectl -n docwarden port-forward deployment/docwarden 8081     http://127.0.0.1:8081/
TEXT
if [[ ${STACK:-} != no ]]; then
    cat <<TEXT
Grafana    kubectl -n monitoring port-forward service/kube-prometheus-stack-grafana 3000:80
           http://127.0.0.1:3000/ (admin, docwarden)
Prometheus kubectl -n monitoring port-forward service/kube-prometheus-stack-prometheus 9090
           http://127.0.0.1:9090/alerts
alerts     kubectl -n monitoring port-forward service/kube-prometheus-stack-alertmanager 9093
           http://127.0.0.1:9093/
TEXT
fi
echo "make cluster-down takes it away"
