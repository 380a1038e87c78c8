#!/usr/bin/env bash
# Give an image of a registry another tag, there or in another registry. A tag that another image has
# is left alone.
#
#   image/tag.sh REPOSITORY DIGEST TAG [TO]
#
# TO  the repository that gets the tag, and the image with it
set -euo pipefail
shopt -s inherit_errexit

repository=$1
digest=$2
tagged=${4:-$repository}:$3

find_digest() { docker buildx imagetools inspect "$tagged" --format '{{.Manifest.Digest}}'; }

there=$(find_digest 2>/dev/null || true)
if [[ -n $there && $there != "$digest" ]]; then
    echo "$tagged is $there, and a released tag keeps its meaning" >&2
    exit 1
fi
[[ $there == "$digest" ]] || docker buildx imagetools create --tag "$tagged" "$repository@$digest"
there=$(find_digest)
[[ $there == "$digest" ]] || { echo "$tagged became $there, not $digest" >&2; exit 1; }
echo "$tagged is $digest"
