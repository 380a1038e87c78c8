#!/usr/bin/env bash
# Install the programs whose documents the test serves, where that is possible.
set -euo pipefail

packages=(chromium fonts-dejavu-core imagemagick libreoffice-writer-nogui libtiff-tools qpdf webp)
commands=(chromium convert soffice tiffcp qpdf cwebp)
missing=()
for command in "${commands[@]}"; do
    command -v "$command" >/dev/null || missing+=("$command")
done
if ((${#missing[@]} == 0)); then
    exit 0
fi
if [[ $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "Installing ${packages[*]} ..."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends --yes \
        -o DPkg::Lock::Timeout=300 "${packages[@]}" >/dev/null
else
    echo "Missing: ${missing[*]}. On Debian or Ubuntu: sudo apt-get install ${packages[*]}" >&2
    exit 1
fi
