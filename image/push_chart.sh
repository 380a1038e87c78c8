#!/usr/bin/env bash
# Push a packaged chart to a container registry; its digest is in build/chart-digest then.
#
#   image/push_chart.sh ARCHIVE REGISTRY/FOLDER
#
# HELM  the program. It finds the credentials of `docker login`:
#       https://helm.sh/docs/topics/registries/
set -euo pipefail

rm -f build/chart-digest
"$HELM" push "$1" "oci://$2" 2>&1 | tee build/chart-push.log
# Signatures name what they sign by digest, which helm only prints.
sed -n 's/^Digest: \(sha256:[0-9a-f]\{64\}\)$/\1/p' build/chart-push.log >build/chart-digest
[[ -s build/chart-digest ]] || { echo "helm printed no digest" >&2; exit 1; }
