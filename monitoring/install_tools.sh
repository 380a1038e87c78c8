#!/bin/sh
# Installs the programs of Debian's packages without letting their services start.
set -eu
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    echo "Needed on the PATH: prometheus, promtool, prometheus-alertmanager, amtool, curl, jq, redis-cli" >&2
    exit 1
fi
# invoke-rc.d asks this file; 101 is "not allowed" (Debian policy, section 9.3.3.1).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    prometheus prometheus-alertmanager curl jq redis-tools >/dev/null
