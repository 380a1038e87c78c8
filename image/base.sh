#!/usr/bin/env bash
# Print the name of the base image, with its digest.
set -euo pipefail
sed -n 's/^FROM //p' "$(dirname "$0")/base/Dockerfile"
