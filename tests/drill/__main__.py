"""Breaks a gateway in three ways and shows what an engineer on call gets to see: `make drill`."""

import argparse
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.drill.acts import ACTS
from tests.drill.console import verdict
from tests.drill.script import PATIENCE, Drill
from trial.clients import Clients
from trial.gateway import running_gateway
from trial.waiting import until
from trial.watch import Watch, running_watch

FAILED, INTERRUPTED = 1, 130
PROGRAMS = ("prometheus", "prometheus-alertmanager")
SETTINGS = {
    "DOCWARDEN_BREAKER_OPEN": "500ms",  # 30 s, as fast as the alerts' minutes pass here
    "DOCWARDEN_ATTEMPT_TIMEOUT": "1s",
    "DOCWARDEN_LOG_SUCCESS_SHARE": "0",
}
# Half an hour of the alerts' time: with no past, any failure is all there is.
PAST = 'count_over_time(docwarden:slo_requests:rate5m{slo="documents"}[1m]) > 120'
BEGAN = time.monotonic()


def say(who: str, what: str) -> None:
    """Write one line; `who` is empty where the one before goes on."""
    at = f"{time.monotonic() - BEGAN:5.0f} s" if who else " " * 7
    sys.stdout.write(f"{at}  {who:<8} {what}\n")
    sys.stdout.flush()


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make drill", description=__doc__)
    parser.add_argument("--only", choices=tuple(ACTS), help="one of the three ways")
    parser.add_argument("--no-pager", action="store_true", help="without Prometheus, Alertmanager")
    parser.add_argument("--no-recovery", action="store_true", help="do not wait for the recovery")
    arguments = parser.parse_args(words)
    # A job in a shell's background ignores Ctrl-C, and what is told to end has to clean up too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        play(arguments)
    except KeyboardInterrupt:
        say("drill", "interrupted; nothing is left running")
        return INTERRUPTED
    except AssertionError as error:
        say("drill", f"failed: {error}")
        return FAILED
    say("drill", "everything was observed as expected")
    return 0


def play(arguments: argparse.Namespace) -> None:
    """Start everything, play the acts, and leave nothing behind."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="docwarden-drill-")))
        say("start", "gateway and simulator")
        gateway = stack.enter_context(running_gateway(folder, **SETTINGS))
        say("", f"- documents {gateway.url}/1, console {gateway.admin}/")
        clients = Clients(gateway.url, threads=8, rate=60)
        stack.callback(clients.stop)
        watch: Watch | None = None
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing and not arguments.no_pager:
            say("start", f"no pager: {' and '.join(missing)} not installed (make monitoring-tools)")
        elif not arguments.no_pager:
            say("start", "Prometheus and Alertmanager; their minutes last a second")
            watch = stack.enter_context(running_watch(folder, gateway))
            say(
                "",
                f"- Prometheus {watch.prometheus}/alerts, Alertmanager {watch.alertmanager.url}/",
            )
            until("half an hour of theirs", lambda: watch and watch.query(PAST), PATIENCE)
        until("a hundred documents", lambda: clients.answers.get(200, 0) >= 100, PATIENCE)
        say("console", f"{verdict(gateway.admin)['title']}")
        drill = Drill(gateway, watch, say)
        for name in [arguments.only] if arguments.only else ACTS:
            drill.play(ACTS[name], recover=not arguments.no_recovery)
        stack.callback(say, "stop", "everything that was started")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
