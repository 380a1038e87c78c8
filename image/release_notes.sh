#!/usr/bin/env bash
# Print what the changelog says of a version.
#
#   image/release_notes.sh VERSION
set -euo pipefail
awk -v heading="## [$1]" '/^## \[/ {inside = index($0, heading) == 1; next} inside && (NF || begun) {begun = 1; print}' \
    "$(dirname "$0")/../CHANGELOG.md"
