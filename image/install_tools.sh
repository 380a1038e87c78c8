#!/usr/bin/env bash
# Install the programs that building and testing the image needs, where that is possible.
#
#   image/install_tools.sh [--names|--registry]
#
# --names     containers shall find each other by name, too
# --registry  for the workflows' steps: a container registry, a certificate for it, and Debian's Python
#
# What is there is used as it is. Above all no runtime is installed beside one that is there: the
# containerd of Docker's packages conflicts with the package runc, so that apt would remove Docker
# to install it (https://github.com/moby/moby/issues/38185). GitHub's runner has Docker, podman
# and a runtime.
#
# CONTAINERS_CONF  podman's settings; a runtime that they name is needed, otherwise any.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # where Debian has runc and haproxy, and ordinary users do not look

there() { command -v "$1" >/dev/null; }

packages=()
for command in podman catatonit haproxy mmdebstrap; do
    there "$command" || packages+=("$command")
done
if ! there podman; then # what it needs for networks, and for users other than root
    packages+=(containernetworking-plugins slirp4netns uidmap)
fi
# Podman before version 5 may use CNI, whose plugin for names is a package of its own.
if [[ ${1:-} == --names && ! -e /usr/lib/cni/dnsname ]] &&
    { ! there podman || [[ $(podman info --format '{{.Host.NetworkBackend}}') == cni ]]; }; then
    packages+=(golang-github-containernetworking-plugin-dnsname)
fi
if [[ ${1:-} == --registry ]]; then
    for command in docker-registry openssl; do
        there "$command" || packages+=("$command")
    done
    # The steps are run as a user who may not reach a Python in somebody's home.
    /usr/bin/python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
fi
wanted=$(sed -n 's/^runtime = "\(.*\)"$/\1/p' "${CONTAINERS_CONF:-/dev/null}")
if [[ -n $wanted ]]; then
    there "$wanted" || packages+=("$wanted")
elif ! there crun && ! there runc; then
    packages+=(runc)
fi

if ((${#packages[@]} == 0)); then
    exit 0
fi
if [[ $(id -u) == 0 ]] && there apt-get; then
    echo "Installing ${packages[*]} ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends --no-remove --yes \
        -o DPkg::Lock::Timeout=300 "${packages[@]}" >/dev/null
else
    echo "Missing: ${packages[*]}. On Debian or Ubuntu: sudo apt-get install ${packages[*]}" >&2
    exit 1
fi
