"""What the log tells of a client and of changes of state, over real sockets."""

import os
import signal


async def last(gateway, count=1):
    return (await gateway.events("request.ended", count))[-1]


async def test_line_tells_who_asked_and_for_what_when_nothing_is_there(gateway):
    await gateway.get("/wp-login.php?x=1", User_Agent="scanner/1.0", X_Tenant="acme")
    line = await last(gateway)
    assert line["url.path"] == "/wp-login.php"
    assert line["user_agent.original"] == "scanner/1.0"
    assert line["message"].startswith("404 /wp-login.php invalid-document-id ")
    assert line["client.address"] == "127.0.0.1"
    assert "http.request.header.x-tenant" not in line


async def test_client_behind_a_trusted_proxy_and_its_tenant_are_told(start_gateway, simulator):
    gateway = await start_gateway(
        simulator.url,
        trusted_proxies="127.0.0.0/8",
        log_request_headers="X-Tenant",
    )
    told = {"X_Forwarded_For": "198.51.100.66, 192.0.2.7", "Forwarded": "for=198.51.100.66"}
    await gateway.get("/1", X_Tenant="acme", **told)
    line = await last(gateway)
    assert line["client.address"] == "192.0.2.7"
    assert line["network.peer.address"] == "127.0.0.1"
    assert line["http.request.header.x-tenant"] == "acme"


async def test_client_that_is_no_proxy_is_not_believed(start_gateway, simulator):
    gateway = await start_gateway(simulator.url, trusted_proxies="10.0.0.0/8")
    await gateway.get("/1", X_Forwarded_For="198.51.100.66")
    line = await last(gateway)
    assert line["client.address"] == "127.0.0.1"
    assert "network.peer.address" not in line


async def test_refused_head_is_told_with_the_address_of_its_peer(start_gateway, simulator):
    gateway = await start_gateway(simulator.url, trusted_proxies="127.0.0.0/8")
    await gateway.get("/1", X_Forwarded_For="192.0.2.7", Bad_Field="a\x01b")
    line = await last(gateway)
    assert (line["http.response.status_code"], line["client.address"]) == (400, "127.0.0.1")


async def test_killed_process_of_the_deep_checks_is_told_with_its_signal(
    start_gateway, simulator, until
):
    gateway = await start_gateway(simulator.url, integrity_tier="3")

    def pids():
        return [each.pid for each in gateway.app.parts.deep._workers.channels.values() if each.pid]

    await until(pids, "a process")
    os.kill(pids()[0], signal.SIGKILL)
    (event,) = await gateway.events("deep_checker.replaced", 1)
    assert event["cause"] == "died of 9, Killed"
    assert event["severity"] == "warning"
