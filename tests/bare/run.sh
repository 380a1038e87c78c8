#!/usr/bin/env bash
# Prove the two commands of the README on a machine that has Python 3.11, make and git only.
#
#   tests/bare/run.sh [--without-tests]
#
# The machine is a container made of Debian 12's own packages, with a network of its own and an
# ordinary user. It gets the committed state of this repository as a git bundle; what `prove.py`
# does there is all that is done. The root file system is kept in .cache/bare.
#
# SSL_CERT_FILE, PIP_*  where a network has a certificate authority or a package index of its own:
#                       handed to the machine.
set -euo pipefail
cd "$(dirname "$0")/../.."

image/install_tools.sh
readonly cache=.cache/bare image=localhost/docwarden-bare:bookworm
mkdir -p "$cache"

if ! [[ -f $cache/bookworm.tar ]]; then
    echo "Making a bare Debian 12 ..."
    mmdebstrap --quiet --variant=minbase \
        --include=python3,python3-venv,make,git,ca-certificates \
        --customize-hook='chroot "$1" useradd --create-home --shell /bin/bash newcomer' \
        bookworm "$cache/part.tar"
    mv "$cache/part.tar" "$cache/bookworm.tar"
fi
podman import --quiet "$cache/bookworm.tar" "$image" >/dev/null

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git bundle create --quiet "$work/docwarden.bundle" HEAD
cp tests/bare/prove.py "$work/prove.py"
chmod -R a+rX "$work"

options=(--rm --init --user newcomer --workdir /home/newcomer --env HOME=/home/newcomer
    --volume "$work:/origin:ro")
if [[ -f ${SSL_CERT_FILE:-} ]]; then
    options+=(--volume "$SSL_CERT_FILE:/etc/ssl/certs/ca-certificates.crt:ro"
        --env PIP_CERT=/etc/ssl/certs/ca-certificates.crt)
fi
for name in PIP_DEFAULT_TIMEOUT PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST; do
    if [[ -v $name ]]; then
        options+=(--env "$name")
    fi
done
echo "Commit $(git rev-parse --short HEAD)"
podman run "${options[@]}" "$image" python3 -u /origin/prove.py "$@"
