#!/usr/bin/env bash
# Build the image for all platforms and push it; the digest is in build/digest then.
#
#   image/push.sh REPOSITORY VERSION PLATFORMS
#
# BuildKit writes an SBOM and the provenance beside the image, and gives every file one time.
set -euo pipefail

repository=$1
version=$2
platforms=$3

# `image/build.sh` runs `docker build`, which is `docker buildx build` where buildx is installed.
image/build.sh "$repository:v$version" \
    --platform "$platforms" \
    --attest type=sbom \
    --attest type=provenance,mode=max \
    --output type=image,push=true,rewrite-timestamp=true \
    --metadata-file build/image.json

python3 -c 'import json; print(json.load(open("build/image.json"))["containerimage.digest"])' |
    tee build/digest
