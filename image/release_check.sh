#!/usr/bin/env bash
# Refuse a release whose parts do not agree.
#
#   image/release_check.sh TAG VERSION BASE
set -euo pipefail

tag=$1
version=$2
base=$3

refuse() {
    echo "no release: $1" >&2
    exit 1
}

[[ $tag == "v$version" ]] || refuse "the tag is '$tag', the code is version $version"
grep -qF "## [$version]" CHANGELOG.md || refuse "CHANGELOG.md has no section [$version]"
[[ $base =~ @sha256:[0-9a-f]{64}$ ]] ||
    refuse "image/base.txt names '$base', which may be another image tomorrow: make pin-base"
