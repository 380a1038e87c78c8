#!/usr/bin/env bash
# Check a rollout from outside: the image is the one that was meant, and documents arrive.
#
#   image/smoke.sh NAMESPACE DIGEST URL
set -euo pipefail

namespace=$1
digest=$2
url=${3%/}
documents=20

[[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "'$digest' is no digest" >&2; exit 2; }

# A pod that runs a platform's own digest names the index that it was pulled by in its spec. Pods
# that are being replaced are running until they have drained.
staying='{{range .items}}{{if not .metadata.deletionTimestamp}}{{(index .spec.containers 0).image}}{{"\n"}}{{end}}{{end}}'
images=$(kubectl --namespace "$namespace" get pods \
    --selector app.kubernetes.io/name=docwarden --field-selector status.phase=Running \
    --output "go-template=$staying")
[[ -n $images ]] || { echo "no pod runs" >&2; exit 1; }
if grep --invert-match --fixed-strings "@$digest" <<<"$images"; then
    echo "these pods run another image" >&2
    exit 1
fi

for ((id = 1; id <= documents; id++)); do
    read -r status media_type < <(
        curl --silent --show-error --max-time 15 --output build/document \
            --write-out '%{http_code} %{content_type}\n' "$url/$id"
    )
    case $status:$media_type in
        200:application/pdf) [[ $(head --bytes=5 build/document) == %PDF- ]] ;;
        200:image/*) ;;
        *) echo "$url/$id: $status $media_type" >&2; exit 1 ;;
    esac
done
echo "$documents documents arrived from $url"
