"""Two gateways and one Redis: what was seen before outlives the upstream, and Redis' own end."""

import asyncio
import signal

PASSWORD = "correct-horse"
IDS = range(1, 21)


async def test_copies_serve_both_gateways_and_a_dead_store_hurts_nobody(
    server, serve, start_process, ask
):
    upstream = await start_process(
        "simulate", "--listen", "127.0.0.1:0", "--control", "off", "--distinct"
    )
    settings = {
        "stale_if_error": "10m",
        "store_url": f"redis://:{PASSWORD}@127.0.0.1:{server.port}/0",
        "breaker_open": "1s",
        "request_timeout": "3s",
    }
    url = f"http://127.0.0.1:{upstream.port}/{{id}}"
    one, two = await asyncio.gather(serve(url, **settings), serve(url, **settings))
    seen = {}
    for number in IDS:
        answer = await ask(one.port, f"/{number}")
        assert answer.status == 200
        assert "cache-status" not in answer.headers
        seen[number] = answer.body
    client = server.client()
    while len(client.keys("docwarden:*")) < len(IDS):
        await asyncio.sleep(0.01)

    await upstream.stop(signal.SIGKILL)
    for gateway in (one, two):
        for number in IDS:
            answer = await ask(gateway.port, f"/{number}")
            assert (answer.status, answer.body) == (200, seen[number])
            assert answer.headers["cache-status"] == "docwarden; hit; detail=stale-if-error"
            assert int(answer.headers["age"]) < 60
        unseen = await ask(gateway.port, "/999")
        assert unseen.status in (502, 503)

    server.kill()
    for gateway in (one, two):
        answers = [await ask(gateway.port, f"/{number}") for number in IDS]
        assert {answer.status for answer in answers} <= {502, 503}
        assert {answer.slug for answer in answers} <= {"upstream-error", "upstream-circuit-open"}
        assert max(answer.seconds for answer in answers) < 1.5
        assert (await ask(gateway.admin_port, "/livez")).status == 200
        assert (await ask(gateway.admin_port, "/readyz")).status == 200
        metrics = (await ask(gateway.admin_port, "/metrics")).body.decode()
        errors = [
            line for line in metrics.splitlines() if 'store_errors_total{operation="get"}' in line
        ]
        assert float(errors[0].rpartition(" ")[2]) >= 1
        assert PASSWORD not in gateway.output.read_text()
        assert await gateway.stop(signal.SIGINT) == 0
