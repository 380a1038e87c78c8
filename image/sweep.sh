#!/usr/bin/env bash
# Remove the containers, pods, networks and volumes of test runs that were broken off.
#
# podman's firewall rules outlive a run that was killed. They pass a published port on to a container
# that no longer answers, so whatever is given that port next is refused its connections.
#
# Tests name what they start docwarden-test-PID-...; a run whose process lives is left alone.
set -euo pipefail
command -v podman >/dev/null || exit 0

abandoned() {
    local name
    while IFS= read -r name; do
        if [[ $name =~ ^(pod_)?docwarden-(test|try)-([0-9]+) ]] && ! kill -0 "${BASH_REMATCH[3]}" 2>/dev/null; then
            echo "removing $name" >&2
            echo "$name"
        fi
    done
}

remove() { # kind; names on standard input
    local names
    mapfile -t names
    ((${#names[@]})) || return 0
    # Stopped first, as `rm --force` fails where podman still takes a killed container for running.
    case $1 in
        pod | container) podman "$1" stop --time 0 "${names[@]}" >/dev/null 2>&1 || true ;;
    esac
    podman "$1" rm --force "${names[@]}" >/dev/null
}

podman pod ps --format '{{.Name}}' | abandoned | remove pod
podman container ps --all --format '{{.Names}}' | abandoned | remove container
podman network ls --format '{{.Name}}' | abandoned | remove network
podman volume ls --format '{{.Name}}' | abandoned | remove volume
