#!/usr/bin/env bash
# Refuse a release whose parts do not agree.
#
#   image/release_check.sh TAG
#
# An empty TAG stands for the one that comes next, so that every commit can be checked: a release
# is never more than a tag away.
set -euo pipefail
cd "$(dirname "$0")/.."

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' src/docwarden/__init__.py)
tag=${1:-v$version}
base=$(image/base.sh)
chart=$(sed -n 's/^\(version: \|appVersion: \| *image: ghcr\.io\/docwarden\/docwarden:\)//p' charts/docwarden/Chart.yaml | sort -u)

refuse() {
    echo "no release: $1" >&2
    exit 1
}

[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || refuse "the code's version is '$version', not of the form 1.2.3"
[[ $tag == "v$version" ]] || refuse "the tag is '$tag', the code is version $version"
[[ $chart == "$version" ]] || refuse "charts/docwarden/Chart.yaml has versions '${chart//$'\n'/, }', the code is $version"
grep -qE "^## \[${version//./\\.}\]( - [0-9]{4}-[0-9]{2}-[0-9]{2})?$" CHANGELOG.md || refuse "CHANGELOG.md has no section [$version]"
[[ -n $(image/release_notes.sh "$version") ]] || refuse "CHANGELOG.md says nothing of version $version"
[[ $base =~ ^[^[:space:]]+@sha256:[0-9a-f]{64}$ ]] ||
    refuse "image/base/Dockerfile names '$base', which may be another image tomorrow: make pin-base"
if [[ -n $(image/release_notes.sh Unreleased) ]]; then
    echo "note: what CHANGELOG.md has under Unreleased is not in v$version's notes: make release-files VERSION=$version" >&2
fi
echo "v$version can be released"
