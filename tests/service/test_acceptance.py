"""The main job at scale: the usual mix, three processes, 20,000 requests.

One connection, so that the seeded simulator gives each request the same answers in every run.
"""

import collections
import hashlib

from docwarden.simulator.server import Simulator

REQUESTS = 20_000
# Four attempts at 10 % corruption leave 0.01 % failing; three times that allows for chance.
MOST_FAILURES = 6


async def test_no_broken_document_in_twenty_thousand(serve, simulator_process, connect):
    upstream = f"http://127.0.0.1:{simulator_process.port}/{{id}}"
    gateway = await serve(upstream, log_success_share="0")
    held = Simulator().held
    statuses: collections.Counter[int] = collections.Counter()
    kinds: collections.Counter[str] = collections.Counter()
    connection = await connect(gateway.port)
    for number in range(REQUESTS):
        answer = await connection.get(f"/{number}")
        statuses[answer.status] += 1
        if answer.status == 200:
            assert hashlib.sha256(answer.body).hexdigest() in held
            kinds[answer.headers["content-type"]] += 1
        else:
            assert answer.slug == "document-corrupt"
    connection.close()
    assert statuses.total() == REQUESTS
    assert REQUESTS - statuses[200] <= MOST_FAILURES
    # 50 PNG to 40 PDF among the intact ones: five in nine, within five standard deviations.
    assert abs(kinds["image/png"] / statuses[200] - 5 / 9) < 0.02
