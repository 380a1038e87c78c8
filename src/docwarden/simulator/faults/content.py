"""Well-formed answers with the wrong content."""

import gzip
import json

from docwarden.simulator import mangling
from docwarden.simulator.faults.fault import Fault
from docwarden.simulator.steps import Exchange, Steps

# Words that must never reach a client of the gateway, or its logs.
ERROR_PAGE = b"""<!DOCTYPE html>
<html><head><title>Internal Server Error</title></head><body>
<h1>Internal Server Error</h1>
<pre>Traceback (most recent call last):
  File "/srv/documents/handler.py", line 42, in get
    return store.fetch(password="hunter2")
DatabaseError: connection to 10.0.0.7 refused</pre>
</body></html>
"""
_JSON = json.dumps({"error": "DatabaseError", "trace": "Traceback (most recent call last)"})


def _status(exchange: Exchange, status: float) -> Steps:
    yield exchange.answer(ERROR_PAGE, status=int(status), media_type="text/html")


def _not_found(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(ERROR_PAGE, status=404, media_type="text/html")


def _gone(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(ERROR_PAGE, status=410, media_type="text/html")


def _too_many(exchange: Exchange, seconds: float) -> Steps:
    retry = f"Retry-After: {int(seconds)}"
    yield exchange.answer(ERROR_PAGE, retry, status=429, media_type="text/html")


def _redirect(exchange: Exchange, status: float) -> Steps:
    location = "Location: /document/png/redirected"
    yield exchange.answer(b"", location, status=int(status), media_type="text/html")


def _html(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(ERROR_PAGE, media_type="text/html")


def _html_as_document(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(ERROR_PAGE)


def _json_answer(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(_JSON.encode("ascii"), media_type="application/json")


def _empty(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(b"")


def _zeros(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(bytes(len(exchange.body)))


def _wrong_type(exchange: Exchange, _: float) -> Steps:
    pdf, png = "application/pdf", "image/png"
    yield exchange.answer(
        exchange.body, media_type=png if exchange.document.media_type == pdf else pdf
    )


def _gzip(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(gzip.compress(exchange.body, mtime=0), "Content-Encoding: gzip")


def _gzip_unlabelled(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(gzip.compress(exchange.body, mtime=0))


def _flip(exchange: Exchange, count: float) -> Steps:
    yield exchange.answer(mangling.with_flipped_bits(exchange.body, int(count), exchange.seed))


def _mangle_utf8(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(mangling.through_utf8(exchange.body))


def _mangle_crlf(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(mangling.with_crlf(exchange.body))


def _mangle_latin1(exchange: Exchange, _: float) -> Steps:
    yield exchange.answer(mangling.through_latin1(exchange.body))


def _junk_after(exchange: Exchange, count: float) -> Steps:
    yield exchange.answer(exchange.body + mangling.junk(int(count), exchange.seed))


def _junk_before(exchange: Exchange, count: float) -> Steps:
    yield exchange.answer(mangling.junk(int(count), exchange.seed) + exchange.body)


def _cut(exchange: Exchange, share: float) -> Steps:
    yield exchange.answer(exchange.body[: int(len(exchange.body) * share)])


FAULTS = (
    Fault("status", "an HTML error page with this status", _status, "status", "503"),
    Fault("not-found", "404 with an HTML page", _not_found),
    Fault("gone", "410 with an HTML page", _gone),
    Fault("too-many", "429 with `Retry-After`", _too_many, "seconds", "1s"),
    Fault("redirect", "a redirect to an intact PNG here", _redirect, "status", "302"),
    Fault("html", "an HTML error page with status 200", _html),
    Fault("html-as-document", "the same page, declared as the document", _html_as_document),
    Fault("json", "a JSON error with status 200", _json_answer),
    Fault("empty", "200 with no bytes", _empty),
    Fault("zeros", "zero bytes only, as many as the document has", _zeros),
    Fault("wrong-type", "the intact document, declared as another type", _wrong_type),
    Fault("gzip", "the document compressed, with `Content-Encoding: gzip`", _gzip),
    Fault("gzip-unlabelled", "the document compressed, without saying so", _gzip_unlabelled),
    Fault("flip", "one bit flipped in this many bytes", _flip, "count", "8"),
    Fault("mangle-utf8", "read as UTF-8 text and written again", _mangle_utf8),
    Fault("mangle-crlf", "each LF replaced by CR LF", _mangle_crlf),
    Fault("mangle-latin1", "read as Latin-1 text and written as UTF-8", _mangle_latin1),
    Fault("junk-after", "random bytes after the document", _junk_after, "count", "64"),
    Fault("junk-before", "random bytes before the document", _junk_before, "count", "64"),
    Fault("cut", "only this share of the document, correctly declared", _cut, "share", "0.5"),
)
