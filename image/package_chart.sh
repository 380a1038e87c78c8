#!/usr/bin/env bash
# Package the chart so that it installs one image, by digest, without a value of its user's.
#
#   image/package_chart.sh REPOSITORY DIGEST VERSION
#
# HELM  the program
set -euo pipefail
cd "$(dirname "$0")/.."

repository=$1
digest=$2
version=$3
folder=build/chart/docwarden

rm -rf build/chart
mkdir -p build/chart
cp -R charts/docwarden "$folder"
# The chart's own page names the image, too.
grep -rlF ghcr.io/docwarden/docwarden "$folder" | xargs sed -i "s|ghcr\.io/docwarden/docwarden:[0-9.]*|$repository:$version|g"
# The first `repository:` and `digest:` of the values are those of the image; what was set is read
# back by helm below.
sed -i -e "0,/^  repository: .*/s||  repository: $repository|" -e "0,/^  digest: .*/s||  digest: $digest|" "$folder/values.yaml"
"$HELM" package "$folder" --version "$version" --app-version "$version" --destination build
shown=$("$HELM" template docwarden "build/docwarden-$version.tgz" --set simulator.enabled=true)
grep -qF "image: \"$repository@$digest\"" <<<"$shown" || grep -qF "image: $repository@$digest" <<<"$shown" || {
    echo "the packaged chart does not install $repository@$digest" >&2
    exit 1
}
