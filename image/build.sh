#!/usr/bin/env bash
# Build the image, with podman or docker. See docs/how-to/run-the-container.md.
#
#   image/build.sh NAME [further options of the builder]
#
# ENGINE       podman or docker
# BASE_IMAGE   another base than the one that image/base/Dockerfile names. Where podman can pull
#              neither, a base is made of Debian's own packages, which takes a minute.
# SSL_CERT_FILE  where a network has a certificate authority of its own: the bundle that podman's
#              build stage shall trust. Nothing of it gets into the image.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

name=$1
shift
engine=${ENGINE:?podman or docker}
pinned=$(image/base.sh)
base=${BASE_IMAGE:-$pinned}

# The tag tells which base the made or pulled one is, so that a renewed digest pulls anew.
podman_base() {
    local here
    if podman image exists "$base"; then
        echo "$base"
        return
    fi
    here="localhost/${base%%[:@]*}:${base##*:}"
    if ! podman image exists "$here"; then
        if podman pull --quiet "$base" >/dev/null 2>&1; then
            podman tag "$base" "$here"
        else
            echo "No registry answers: making a base of Debian's packages instead of $base ..." >&2
            image/make_base.sh "$here" >&2
        fi
    fi
    echo "$here"
}

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/docwarden/__init__.py)
revision=${REVISION:-$(git rev-parse HEAD)}
seconds=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
arguments=(
    --build-arg "VERSION=${version:?}"
    --build-arg "REVISION=$revision"
    --build-arg "CREATED=$(date --utc --date="@$seconds" +%Y-%m-%dT%H:%M:%SZ)"
    --build-arg "SOURCE=${SOURCE:-}"
    --build-arg "SOURCE_DATE_EPOCH=$seconds"
    --tag "$name"
)
if [[ $engine == podman ]]; then
    build=(podman build)
    base=$(podman_base)
    # The OCI format has no health check.
    arguments+=(--layers --format docker --timestamp "$seconds")
    if [[ -n ${SSL_CERT_FILE:-} ]]; then
        arguments+=(--volume "$SSL_CERT_FILE:/etc/ssl/certs/ca-certificates.crt:ro")
    fi
else
    # `docker build` takes the engine's own builder, whichever was selected, and that one makes no
    # image for several platforms: https://docs.docker.com/build/builders/ ("Difference between
    # docker build and docker buildx build").
    docker buildx version >/dev/null 2>&1 || {
        echo "docker has no buildx here (on Debian: apt-get install docker-buildx)" >&2
        exit 1
    }
    build=(docker buildx build)
    # Other builders than the engine's own keep what they make to themselves unless told.
    [[ " $* " == *" --output "* ]] || arguments+=(--load)
fi
"${build[@]}" --build-arg "BASE_IMAGE=$base" "${arguments[@]}" "$@" .
