"""Fetch documents and say what came: fetch.py URL COUNT [AT_ONCE].

It runs inside a pod. Prints a JSON object that counts the answers by status and media type, with
` stale` where a copy was delivered. A document whose bytes begin otherwise than its type says is
`wrong`.
"""

# ruff: noqa: T201 - what it prints is its answer

import collections
import concurrent.futures
import json
import sys
import time
import urllib.error
import urllib.request

BEGINS = {"application/pdf": b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n"}
TIMEOUT = 30.0
PATIENCE = 20.0
PIECE = 1 << 18


def fetch(url):
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
            media_type = answer.headers["Content-Type"]
            begins = answer.read(8)
            while answer.read(PIECE):
                pass
            stale = " stale" if "Age" in answer.headers else ""
            right = begins.startswith(BEGINS.get(media_type, b"none"))
            return f"{answer.status} {media_type}{stale}" if right else f"wrong {media_type}"
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.code)
    except OSError as error:
        return f"no answer: {type(error).__name__}"


def main(url, count, at_once="1"):
    until = time.monotonic() + PATIENCE
    while fetch(f"{url}/0").startswith("no answer") and time.monotonic() < until:
        time.sleep(0.3)
    with concurrent.futures.ThreadPoolExecutor(int(at_once)) as pool:
        urls = (f"{url}/{number}" for number in range(1, int(count) + 1))
        print(json.dumps(collections.Counter(pool.map(fetch, urls))))


if __name__ == "__main__":
    main(*sys.argv[1:])
