#!/usr/bin/env bash
# Build the image for all platforms and push it; the digest is in build/digest then.
#
#   image/push.sh REPOSITORY TAG PLATFORMS
#
# BuildKit writes an SBOM and the provenance beside the image, and gives every file one time. The
# builder that is selected must not be the engine's own, which can do neither:
# https://docs.docker.com/build/builders/drivers/
set -euo pipefail

repository=$1
tag=$2
platforms=$3

mkdir -p build
rm -f build/image.json build/digest
ENGINE=docker image/build.sh "$repository:$tag" \
    --platform "$platforms" \
    --attest type=sbom \
    --attest type=provenance,mode=max \
    --output type=image,push=true,rewrite-timestamp=true \
    --metadata-file build/image.json

python3 -c 'import json; print(json.load(open("build/image.json"))["containerimage.digest"])' |
    tee build/digest
