"""How much the log grows by a million requests: `python -m trial.log_volume [SUCCESS_SHARE]`."""

import gzip
import sys
import tempfile
from pathlib import Path

from trial.clients import Clients
from trial.gateway import running_gateway
from trial.waiting import until

REQUESTS = 20_000


def main() -> None:
    """Ask for documents from a simulator with its usual mix and measure what was written."""
    share = sys.argv[1] if len(sys.argv) > 1 else "1"
    with (
        tempfile.TemporaryDirectory() as folder,
        running_gateway(Path(folder), DOCWARDEN_LOG_SUCCESS_SHARE=share) as gateway,
    ):
        clients = Clients(gateway.url, threads=8, rate=0)
        until("the answers", lambda: sum(clients.answers.values()) >= REQUESTS, 300)
        clients.stop()
        gateway.program.stop()
        asked = sum(clients.answers.values())
        events = gateway.log.read_bytes().splitlines(keepends=True)
        lines = [each for each in events if b'"request.ended"' in each]
    written, packed = sum(map(len, lines)), len(gzip.compress(b"".join(lines)))
    per_million = 1e6 / asked / 1e6
    print(f"{asked} requests, {len(lines)} events of {written / len(lines):.0f} bytes on average")
    print(
        f"a million requests: {written * per_million:.0f} MB,"
        f" {packed * per_million:.1f} MB compressed"
    )


main()
