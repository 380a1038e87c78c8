#!/usr/bin/env bash
# Run the stack of compose.yaml in the foreground, with Docker or podman; Ctrl-C ends and removes it.
#
# COMPOSE          the command that reads compose.yaml; found by itself
# STACK_IMAGE  an image to run instead of the one that is built from this tree
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."

find_compose() {
    if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
        echo "docker compose"
    elif command -v podman-compose >/dev/null; then
        echo podman-compose
    elif podman info >/dev/null 2>&1 && podman compose version >/dev/null 2>&1; then
        echo "podman compose"
    else
        cat >&2 <<'END'
Neither Docker with its Compose plugin nor podman with podman-compose runs here. One of these does:
  Docker   https://docs.docker.com/compose/install/
  podman   apt-get install podman podman-compose
END
        return 1
    fi
}

found=${COMPOSE:-$(find_compose)}
read -ra compose <<<"$found"
case ${compose[*]} in
    docker*) engine=docker ;;
    *) engine=podman ;;
esac

if [[ ${1:-} == wipe ]]; then
    "${compose[@]}" down --volumes
    exit
fi

if [[ $engine == podman && ! -e /usr/lib/cni/dnsname &&
    $(podman info --format '{{.Host.NetworkBackend}}') == cni ]]; then
    echo "Containers would not find each other by name here:" \
        "apt-get install golang-github-containernetworking-plugin-dnsname" >&2
    exit 1
fi

if [[ -z ${STACK_IMAGE:-} ]]; then
    export STACK_IMAGE=localhost/docwarden:test
    ENGINE=$engine image/build.sh "$STACK_IMAGE"
fi

following=
down() {
    trap - EXIT INT TERM
    # Started in the background, it does not get Ctrl-C itself.
    [[ -z $following ]] || kill "$following" 2>/dev/null || true
    "${compose[@]}" down >/dev/null 2>&1 || true
}
trap down EXIT
trap 'down; exit 130' INT TERM

"${compose[@]}" up --detach
cat <<'END'

  http://localhost:8180/7    a document
  http://localhost:8181      operator console
  http://localhost:8182      make the upstream fail
  http://localhost:8183      dashboards and logs (Grafana)
  http://localhost:8184      metrics (Prometheus)
  http://localhost:8185      alerts (Alertmanager)

Ctrl-C ends it. Metrics and logs are kept until: make stack-wipe
END
"${compose[@]}" logs --follow gateway &
following=$!
wait "$following"
