#!/usr/bin/env bash
# Make a base image of Debian's packages, for places that reach Debian but no image registry.
#
#   image/make_base.sh NAME
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mmdebstrap --quiet --variant=minbase --include=ca-certificates trixie "$folder/base.tar"
podman import --quiet "$folder/base.tar" "$1"
