"""aiohttp as server and as client, as its manual shows. Verifies nothing.

One session for all requests, no limit on its connections, no access log. BENCH_LOOP=uvloop runs it
on uvloop.
"""

import asyncio
import os
from collections.abc import AsyncIterator

import aiohttp
import uvloop
from aiohttp import web

UPSTREAM = os.environ["BENCH_UPSTREAM"]
SESSION = web.AppKey("session", aiohttp.ClientSession)


async def session(app: web.Application) -> AsyncIterator[None]:
    """Keep one session for the life of the process."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        app[SESSION] = client
        yield


async def document(request: web.Request) -> web.Response:
    """Fetch one document and hand it on."""
    async with request.app[SESSION].get(UPSTREAM + request.path) as answer:
        body = await answer.read()
        return web.Response(body=body, status=answer.status, content_type=answer.content_type)


def main() -> None:
    """Serve until a signal."""
    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_get("/{document_id}", document)
    new_loop = uvloop.new_event_loop if os.environ.get("BENCH_LOOP") == "uvloop" else None
    loop = new_loop() if new_loop else asyncio.new_event_loop()
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        access_log=None,
        print=None,
        loop=loop,
    )


if __name__ == "__main__":
    main()
