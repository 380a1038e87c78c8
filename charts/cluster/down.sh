#!/usr/bin/env bash
# Take away what up.sh brought: kind's cluster where there is one, else the releases in the current
# context. YES=1 answers the question.
set -euo pipefail
helm=${HELM:-helm}
kubectl=${KUBECTL:-kubectl}

export KIND_EXPERIMENTAL_PROVIDER=${ENGINE:-docker}
if command -v kind >/dev/null && kind get clusters 2>/dev/null | grep -qx docwarden; then
    kind delete cluster --name docwarden
    exit
fi
context=$("$kubectl" config current-context)
if [[ ${YES:-} != 1 ]]; then
    [[ -t 0 ]] || { echo "remove docwarden from the context $context? Say so with YES=1" >&2; exit 1; }
    read -rp "Remove docwarden and its monitoring from the context $context? [y/N] " answer
    [[ $answer == [yY]* ]] || exit 1
fi
# Nothing but what make cluster labelled: a release of the same name may be somebody else's.
remove() {
    local release releases
    releases=$("$helm" list --namespace "$1" --selector made-by=docwarden-make-cluster --short)
    for release in $releases; do
        "$helm" uninstall "$release" --namespace "$1" --wait
        removed=$((removed + 1))
    done
}
removed=0
remove docwarden
if ((removed)); then "$kubectl" delete namespace docwarden --ignore-not-found; fi
remove monitoring
if ((!removed)); then echo "nothing in the context $context is from make cluster"; fi
