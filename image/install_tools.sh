#!/usr/bin/env bash
# Install the programs that building and testing the image needs, where that is possible.
set -euo pipefail

packages=(podman runc catatonit containernetworking-plugins mmdebstrap haproxy)
commands=(podman runc catatonit haproxy mmdebstrap)
missing=()
for command in "${commands[@]}"; do
    command -v "$command" >/dev/null || missing+=("$command")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi
if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "Installing ${packages[*]} ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends --yes \
        -o DPkg::Lock::Timeout=300 "${packages[@]}" >/dev/null
else
    echo "Missing: ${missing[*]}. On Debian or Ubuntu: sudo apt-get install ${packages[*]}" >&2
    exit 1
fi
