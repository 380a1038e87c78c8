#!/usr/bin/env bash
# Run an image as gateway and upstream, and fetch documents through it.
#
#   image/try.sh IMAGE PLATFORM[,PLATFORM...]
#
# ENGINE  podman or docker (default)
# LIMIT   seconds until the first document has to arrive
#
# Platforms other than the host's need QEMU's handlers.
set -euo pipefail

image=$1
engine=${ENGINE:-docker}
documents=20
limit=${LIMIT:-180} # seconds; under emulation a start takes a while

work=$(mktemp -d)
name=docwarden-try-$$
trap '"$engine" rm --force "$name-gateway" "$name-upstream" >/dev/null 2>&1 || true
    "$engine" network rm "$name" >/dev/null 2>&1 || true
    rm -rf "$work"' EXIT

run() {
    "$engine" run --detach --platform "$platform" --network "$name" --read-only --cap-drop=ALL \
        --security-opt=no-new-privileges "$@" >/dev/null
}

fetch() { # id; prints status and media type
    curl --silent --max-time 30 --output "$work/document" --write-out '%{http_code} %{content_type}' "$url/$1" || true
}

try() {
    "$engine" network create "$name" >/dev/null
    run --name "$name-upstream" "$image" simulate --listen 0.0.0.0:3000 --control off --mix png=60,pdf=40
    run --name "$name-gateway" --publish 127.0.0.1::8080 --env "DOCWARDEN_UPSTREAM_URL=http://$(address):3000/{id}" "$image"
    url=http://$("$engine" port "$name-gateway" 8080/tcp | head -n 1)
    local deadline=$((SECONDS + limit))
    until [[ $(fetch 1) == 200\ * ]]; do
        if ((SECONDS > deadline)); then
            echo "$platform: no document within $limit s" >&2
            "$engine" logs "$name-gateway" >&2
            return 1
        fi
        sleep 0.5
    done
    local id answer
    for ((id = 1; id <= documents; id++)); do
        answer=$(fetch "$id")
        case $answer in
            "200 application/pdf") [[ $(head --bytes=5 "$work/document") == %PDF- ]] ;;
            "200 image/png") [[ $(head --bytes=4 "$work/document" | tail --bytes=3) == PNG ]] ;;
            *) echo "$platform: /$id: $answer" >&2 && return 1 ;;
        esac
    done
    "$engine" rm --force "$name-gateway" "$name-upstream" >/dev/null
    "$engine" network rm "$name" >/dev/null
    echo "$platform: $documents documents arrived"
}

# By its address: not every engine's network here has names.
address() {
    "$engine" inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$name-upstream"
}

IFS=, read -ra platforms <<<"$2"
for platform in "${platforms[@]}"; do
    try
done
