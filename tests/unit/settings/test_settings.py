"""Settings: read, refused with one clear line, described, masked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docwarden.net.units import (
    Address,
    format_duration,
    format_size,
    parse_address,
    parse_duration,
    parse_size,
)
from docwarden.settings.loading import SettingError, load
from docwarden.settings.settings import Settings, describe, variables


def test_defaults_are_those_of_the_contract():
    settings = load(environ={})
    assert settings.listen == Address("127.0.0.1", 8080)
    assert settings.admin_listen == Address("127.0.0.1", 8081)
    assert settings.upstream_url == "http://127.0.0.1:3000/{id}"
    assert settings.request_timeout == 10
    assert settings.attempt_timeout == 3
    assert settings.max_document_bytes == 32 * 2**20
    assert settings.stale_if_error == 0
    assert (settings.drain_delay, settings.drain_timeout) == (10, 20)
    assert settings.workers == 1


def test_environment_is_read_and_the_command_line_wins():
    environ = {"DOCWARDEN_REQUEST_TIMEOUT": "5s", "DOCWARDEN_LISTEN": "0.0.0.0:80"}
    settings = load({"listen": "[::1]:9"}, environ)
    assert settings.request_timeout == 5
    assert settings.listen == Address("::1", 9)


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("DOCWARDEN_REQUEST_TIMEOUT", "10", "a duration with its unit"),
        ("DOCWARDEN_REQUEST_TIMEOUT", "-1s", "a duration with its unit"),
        ("DOCWARDEN_REQUEST_TIMEOUT", "1h", "at most 10m"),
        ("DOCWARDEN_MAX_DOCUMENT_BYTES", "lots", "a size such as"),
        ("DOCWARDEN_MAX_DOCUMENT_BYTES", "1GiB", "at least DOCWARDEN_MAX_DOCUMENT_BYTES"),
        ("DOCWARDEN_LISTEN", "8080", "HOST:PORT"),
        ("DOCWARDEN_LISTEN", "127.0.0.1:99999", "0 to 65535"),
        ("DOCWARDEN_LISTEN", "a..b:80", "HOST:PORT"),
        ("DOCWARDEN_LISTEN", f"{'a' * 64}.local:80", "labels have 1 to 63 characters"),
        ("DOCWARDEN_UPSTREAM_URL", "ftp://x/{id}", "a URL such as"),
        ("DOCWARDEN_UPSTREAM_URL", "http://documents..local/{id}", "a URL such as"),
        ("DOCWARDEN_UPSTREAM_URL", "http://[::1/{id}", "a URL such as"),
        ("DOCWARDEN_UPSTREAM_URL", "http://x/{id}\r\nX: y", "a URL such as"),
        ("DOCWARDEN_UPSTREAM_URL", "http://x:99999/", "a URL such as"),
        ("DOCWARDEN_UPSTREAM_URL", "http://x/{id}/{id}", "with {id} once or not at all"),
        ("DOCWARDEN_UPSTREAM_URL", "http://{id}.x/{id}", "with {id} once or not at all"),
        ("DOCWARDEN_UPSTREAM_URL", "http://{id}.x/", "with {id} in its path only"),
        ("DOCWARDEN_REVISION", "\udcff", "UTF-8"),
        ("DOCWARDEN_WORKERS", "0", "at least 1 and at most 64"),
        ("DOCWARDEN_WORKERS", "two", "a number from 1 to 64"),
        ("DOCWARDEN_HEDGING", "maybe", "true or false"),
        ("DOCWARDEN_LOG_FORMAT", "xml", "auto or json or console"),
        ("DOCWARDEN_LOG_REQUEST_HEADERS", "X-Tenant,Authorization", "hold no credentials"),
        ("DOCWARDEN_LOG_REQUEST_HEADERS", "x-csrf-token", "hold no credentials"),
        ("DOCWARDEN_LOG_REQUEST_HEADERS", "X Tenant", "at most 8 header field names"),
        ("DOCWARDEN_LOG_REQUEST_HEADERS", "a,b,c,d,e,f,g,h,i", "at most 8 header field names"),
        ("DOCWARDEN_TRUSTED_PROXIES", "10.0.0.1/8", "networks such as 10.0.0.0/8"),
        ("DOCWARDEN_TRUSTED_PROXIES", "proxy.internal", "networks such as 10.0.0.0/8"),
        ("DOCWARDEN_TRUSTED_PROXY_HEADER", "x-real-ip", "x-forwarded-for or forwarded"),
        ("DOCWARDEN_STORE_URL", "mysql://x", "memory://"),
        ("DOCWARDEN_STORE_URL", "redis://h:99999/0", "redis://[[USER]:PASSWORD@]HOST[:PORT]"),
        ("DOCWARDEN_STORE_URL", "redis://[::1/0", "redis://[[USER]:PASSWORD@]HOST[:PORT]"),
        ("DOCWARDEN_INTEGRITY_CHECKS", "nonsense=enforce", "no check is named 'nonsense'"),
        ("DOCWARDEN_INTEGRITY_TIER", "5", "at least 1 and at most 4"),
        ("DOCWARDEN_REQEST_TIMEOUT", "1s", "did you mean DOCWARDEN_REQUEST_TIMEOUT?"),
    ],
)
def test_wrong_setting_names_variable_value_and_what_is_right(variable, value, hint):
    with pytest.raises(SettingError) as caught:
        load(environ={variable: value})
    message = str(caught.value)
    assert "\n" not in message
    assert hint in message
    if "at least DOCWARDEN_" not in hint and "did you mean" not in hint:
        assert message.startswith(f"{variable}={value!r}")


def test_all_wrong_settings_are_told_at_once():
    environ = {
        "DOCWARDEN_WORKERS": "0",
        "DOCWARDEN_HEDGING": "maybe",
        "DOCWARDEN_REQEST_TIMEOUT": "1s",
        "DOCWARDEN_MAX_BUFFERED_BYTES": "1MiB",
    }
    with pytest.raises(SettingError) as caught:
        load(environ=environ)
    assert len(caught.value.problems) == 4
    assert all(name in str(caught.value) for name in environ)


def test_attempt_timeout_above_the_requests_is_refused_where_somebody_set_it():
    assert load({"request_timeout": "1s"}, environ={}).request_timeout == 1.0
    with pytest.raises(SettingError, match=r"at most DOCWARDEN_REQUEST_TIMEOUT \(1s\)"):
        load({"request_timeout": "1s", "attempt_timeout": "2s"}, environ={})


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@host/{id}", "http://hunter2@host/{id}", "http://h/?key=hunter2"]
)
def test_credentials_in_the_upstreams_url_are_refused_and_not_shown(url):
    with pytest.raises(SettingError) as caught:
        load(environ={"DOCWARDEN_UPSTREAM_URL": url})
    assert "without credentials" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_service_links_of_kubernetes_are_no_settings():
    environ = {
        "DOCWARDEN_SERVICE_HOST": "10.0.0.1",
        "DOCWARDEN_SERVICE_PORT": "8080",
        "DOCWARDEN_SERVICE_PORT_HTTP": "8080",
        "DOCWARDEN_PORT": "tcp://10.0.0.1:8080",
        "DOCWARDEN_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "DOCWARDEN_PORT_8080_TCP_ADDR": "10.0.0.1",
        "DOCWARDEN_ADMIN_SERVICE_HOST": "10.0.0.2",
        "DOCWARDEN_ADMIN_PORT_8081_TCP_PROTO": "tcp",
    }
    assert load(environ=environ) == Settings()


def test_description_tells_value_and_origin_and_masks_secrets():
    environ = {"DOCWARDEN_STORE_URL": "redis://me:hunter2@host:1/0"}
    settings = load({"listen": "127.0.0.1:0"}, environ)
    rows = {row.variable: row for row in describe(settings, environ)}
    assert set(rows) == set(variables())
    store = rows["DOCWARDEN_STORE_URL"]
    assert (store.value, store.origin) == ("redis://me:********@host:1/0", "environment")
    assert rows["DOCWARDEN_LISTEN"].origin == "command line"
    assert rows["DOCWARDEN_WORKERS"].origin == "default"
    assert not any("hunter2" in str(row) for row in rows.values())


@pytest.mark.parametrize("text", ["127.0.0.1:1", "nonsense"])
def test_description_tells_of_a_variable_that_the_command_line_overrides(text):
    environ = {"DOCWARDEN_LISTEN": text, "DOCWARDEN_WORKERS": "1"}
    rows = describe(load({"listen": "127.0.0.1:0"}, environ), environ)
    origins = {row.variable: row.origin for row in rows}
    assert origins["DOCWARDEN_LISTEN"] == "command line"
    assert origins["DOCWARDEN_WORKERS"] == "environment"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:hunter2@host/0",
        "redis://me:hunter2/@host/0",
        "redis://:a#hunter2@host/0",
        "redis://:a?hunter2@host/0",
        "redis://:a@hunter2@host:port",
        "redis://me:hunter2@[::1/0",
        "redis://host/0?password=hunter2",
        "me:hunter2@host",
    ],
)
def test_secret_is_masked_in_the_refusal_too(url):
    with pytest.raises(SettingError) as caught:
        load(environ={"DOCWARDEN_STORE_URL": url})
    assert "hunter2" not in str(caught.value)


@given(st.integers(0, 10**9))
def test_durations_and_sizes_survive_being_written_and_read(number):
    assert parse_size(format_size(number)) == number
    assert parse_duration(format_duration(number / 1000)) == pytest.approx(number / 1000)


@given(st.text(max_size=30))
def test_units_refuse_with_value_error_only(text):
    for parse in (parse_duration, parse_size, parse_address):
        try:
            parse(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017 - most texts are refused, some are read
