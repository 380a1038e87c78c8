#!/usr/bin/env bash
# Give an image of a registry another tag. A tag that another image has is left alone.
#
#   image/tag.sh REPOSITORY DIGEST TAG
set -euo pipefail
shopt -s inherit_errexit

repository=$1
digest=$2
tag=$3

find_digest() { docker buildx imagetools inspect "$repository:$tag" --format '{{.Manifest.Digest}}'; }

there=$(find_digest 2>/dev/null || true)
if [[ -n $there && $there != "$digest" ]]; then
    echo "$repository:$tag is $there, and a released tag keeps its meaning" >&2
    exit 1
fi
[[ $there == "$digest" ]] || docker buildx imagetools create --tag "$repository:$tag" "$repository@$digest"
there=$(find_digest)
[[ $there == "$digest" ]] || { echo "$repository:$tag became $there, not $digest" >&2; exit 1; }
echo "$repository:$tag is $digest"
