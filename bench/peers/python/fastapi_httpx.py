"""FastAPI, uvicorn and httpx: the usual first choice. Verifies nothing.

One client for all requests, no access log, and uvicorn with uvloop and httptools.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response

UPSTREAM = os.environ["BENCH_UPSTREAM"]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Keep one client for the life of the process."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=10) as client:
        yield {"client": client}


app = FastAPI(lifespan=lifespan)


@app.get("/{document_id}")
async def document(document_id: int, request: Request) -> Response:
    """Fetch one document and hand it on."""
    answer = await request.state.client.get(f"{UPSTREAM}/{document_id}")
    return Response(
        content=answer.content,
        status_code=answer.status_code,
        media_type=answer.headers.get("content-type"),
    )


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        log_level="warning",
        access_log=False,
        loop="uvloop",
        http="httptools",
    )
