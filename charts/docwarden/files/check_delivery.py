"""Fetch documents from a gateway and check that each one's type is that of its bytes.

Run by `helm test` inside the image, so it uses nothing but the standard library:
check_delivery.py BASE_URL ID...
"""

import sys
import time
import urllib.error
import urllib.request

# How each media type's bytes begin (the same signatures as the gateway's first tier).
SIGNATURES = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
    "image/tiff": (b"II*\x00", b"MM\x00*"),
}
# A PDF may begin with junk; readers look for its signature in the first KiB.
PDF_WINDOW = 1024
ATTEMPTS = 5
TIMEOUT = 15.0


def flaw(headers, body):
    """Return what is wrong with a delivered document, or None."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip()
    signature = SIGNATURES.get(media_type)
    if signature is None:
        return f"has the unexpected type {media_type!r}"
    if media_type == "application/pdf":
        matches = signature in body[:PDF_WINDOW]
    else:
        matches = body.startswith(signature)
    if not matches:
        return f"is called {media_type} and begins with {body[:8]!r}"
    if headers.get("X-Content-Type-Options") != "nosniff":
        return "lacks X-Content-Type-Options: nosniff"
    return None


def fetch(url, pause):
    """Return (flaw or None, what was seen) for one document, asking again after failures."""
    wrong = "was never asked for"
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause)
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                body = answer.read()
                wrong = flaw(answer.headers, body)
                seen = f"{answer.headers.get('Content-Type')}, {len(body)} bytes"
        except urllib.error.HTTPError as error:
            wrong, seen = f"got status {error.code}: {error.read(500)!r}", None
            error.close()
            continue
        except OSError as error:
            wrong, seen = f"got no answer: {error}", None
            continue
        # A delivered document with a flaw is what must never happen: no second try.
        return wrong, seen
    return wrong, None


def main(base_url, *ids, pause=1.0):
    """Return the exit status: 0 when every document arrived as it should."""
    failures = 0
    for document_id in ids:
        wrong, seen = fetch(f"{base_url}/{document_id}", pause)
        print(f"document {document_id}: {wrong or seen}", flush=True)
        failures += wrong is not None
    print(f"{len(ids) - failures} of {len(ids)} documents arrived intact", flush=True)
    return 1 if failures or not ids else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
