#!/usr/bin/env bash
# Build the image, with podman or docker. See docs/how-to/run-the-container.md.
#
#   image/build.sh NAME [further options of the builder]
#
# BASE_IMAGE   the base; image/base.txt says which one is meant. Where that is neither here nor to
#              be pulled, it is made of Debian's own packages, which takes a minute.
# SSL_CERT_FILE  where a network has a certificate authority of its own: the bundle that the build
#              stage shall trust. Nothing of it gets into the image.
set -euo pipefail
cd "$(dirname "$0")/.."

name=$1
shift
engine=${ENGINE:?podman or docker}
base=${BASE_IMAGE:-localhost/debian:trixie-slim}

if [[ $engine == podman ]] && ! podman image exists "$base"; then
    if [[ $base == localhost/* ]]; then
        pulled=$(<image/base.txt)
        if podman pull --quiet "$pulled" >/dev/null 2>&1; then
            podman tag "$pulled" "$base"
        else
            echo "No registry answers: making $base of Debian's packages ..."
            image/make_base.sh "$base"
        fi
    else
        podman pull --quiet "$base"
    fi
elif [[ $engine == docker && $base == localhost/* ]]; then
    base=$(<image/base.txt)
fi

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/docwarden/__init__.py)
revision=${REVISION:-$(git rev-parse HEAD)}
seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
arguments=(
    --build-arg "BASE_IMAGE=$base"
    --build-arg "VERSION=${version:?}"
    --build-arg "REVISION=$revision"
    --build-arg "CREATED=$(date --utc --date="@$seconds" +%Y-%m-%dT%H:%M:%SZ)"
    --build-arg "SOURCE=${SOURCE:-}"
    --build-arg "SOURCE_DATE_EPOCH=$seconds"
    --tag "$name"
)
if [[ $engine == podman ]]; then
    # The OCI format has no health check.
    arguments+=(--layers --format docker --timestamp "$seconds")
    if [[ -n ${SSL_CERT_FILE:-} ]]; then
        arguments+=(--volume "$SSL_CERT_FILE:/etc/ssl/certs/ca-certificates.crt:ro")
    fi
fi
"$engine" build "${arguments[@]}" "$@" .
