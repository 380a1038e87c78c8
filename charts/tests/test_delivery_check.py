"""The script that `helm test` runs, against real answers over loopback."""

import importlib.util
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

PDF = ("application/pdf", b"%PDF-1.7\n...")
PNG = ("image/png", b"\x89PNG\r\n\x1a\n...")


@pytest.fixture
def check(chart):
    spec = importlib.util.spec_from_file_location("check", chart / "files/check_delivery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def gateway():
    """Serve `answers[path]`, a list of (status, type, body, nosniff), the last one for ever."""
    answers: dict[str, list[tuple[int, str, bytes, bool]]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            waiting = answers[self.path]
            status, media_type, body, nosniff = waiting.pop(0) if waiting[1:] else waiting[0]
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            if nosniff:
                self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", answers
        server.shutdown()
        thread.join()


def test_documents_with_the_type_of_their_bytes_pass(check, gateway, capsys):
    url, answers = gateway
    answers |= {"/1": [(200, *PDF, True)], "/2": [(200, *PNG, True)]}
    assert check.main(url, "1", "2") == 0
    assert "2 of 2 documents arrived intact" in capsys.readouterr().out


def test_a_pdf_may_begin_with_junk(check, gateway):
    url, answers = gateway
    answers["/1"] = [(200, "application/pdf", b"\n\n" + PDF[1], True)]
    assert check.main(url, "1") == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, "application/pdf", PNG[1], True), "is called application/pdf"),
        ((200, "image/png", PDF[1], True), "is called image/png"),
        ((200, "text/html", b"<html>", True), "unexpected type 'text/html'"),
        ((200, *PDF, False), "lacks X-Content-Type-Options"),
        ((502, "application/problem+json", b"{}", True), "got status 502"),
    ],
)
def test_anything_else_fails_and_says_why(check, gateway, capsys, answer, said):
    url, answers = gateway
    answers |= {"/1": [(200, *PDF, True)], "/2": [answer]}
    assert check.main(url, "1", "2", pause=0) == 1
    out = capsys.readouterr().out
    assert said in out
    assert "1 of 2 documents arrived intact" in out


def test_a_flawed_document_gets_no_second_chance(check, gateway):
    url, answers = gateway
    answers["/1"] = [(200, "image/png", PDF[1], True), (200, *PDF, True)]
    assert check.main(url, "1", pause=0) == 1


def test_a_passing_failure_is_asked_again(check, gateway):
    url, answers = gateway
    answers["/1"] = [(503, "application/problem+json", b"{}", True), (200, *PDF, True)]
    assert check.main(url, "1", pause=0) == 0


def test_no_gateway_fails(check, gateway, capsys):
    url, _ = gateway
    closed = url.rpartition(":")[0] + ":1"
    assert check.main(closed, "1", pause=0) == 1
    assert "got no answer" in capsys.readouterr().out


def test_no_documents_is_not_a_pass(check):
    assert check.main("http://127.0.0.1:1") == 1
