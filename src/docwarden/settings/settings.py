"""Every setting: its variable, default, meaning and valid values.

One frozen `Settings` is read at the entry point and passed on in small parts. The reference page
docs/reference/settings.md is generated from the fields below.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from docwarden.core.client_address import FORWARDED, X_FORWARDED_FOR, Network, TrustedProxies
from docwarden.integrity.policy import Policy
from docwarden.net.units import Address, parse_address
from docwarden.settings.fields import (
    count_setting,
    mask,
    one_of,
    parse_links,
    parse_store_url,
    parse_upstream_url,
    setting,
    share,
    size_setting,
    switch_setting,
    time_setting,
)
from docwarden.settings.lists import (
    parse_header_names,
    parse_networks,
    write_header_names,
    write_networks,
)

PREFIX: Final = "DOCWARDEN_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings; durations in seconds, sizes in bytes."""

    listen: Address = setting("127.0.0.1:8080", "Public listener: documents.", parse=parse_address)
    admin_listen: Address = setting(
        "127.0.0.1:8081",
        "Operator listener: health, metrics, console. Keep it away from clients.",
        parse=parse_address,
    )
    admin_hosts: str = setting(
        "",
        "Public names of the operator listener, comma-separated; requests for others get 421."
        " Addresses, names without a dot and Kubernetes Service names are always accepted.",
    )
    upstream_url: str = setting(
        "http://127.0.0.1:3000/{id}",
        "Where documents come from; `{id}` is replaced by the document id and may be left out.",
        parse=parse_upstream_url,
    )
    request_timeout: float = time_setting(
        "10s", "Deadline of a whole request, including every attempt and wait.", "100ms", "10m"
    )
    attempt_timeout: float = time_setting(
        "3s", "Longest single attempt; never beyond the request's deadline.", "50ms", "10m"
    )
    connect_timeout: float = time_setting(
        "1s", "Longest wait for a connection to the upstream.", "10ms", "1m"
    )
    forward_deadline: bool = switch_setting(
        "true", "Tell the upstream in X-Request-Timeout-Ms how much time is left."
    )
    max_document_bytes: int = size_setting("32MiB", "Largest document.", "1KiB", "1GiB")
    max_buffered_bytes: int = size_setting(
        "128MiB",
        "Memory for all documents in progress; requests wait for memory, then are refused.",
        "1MiB",
        "64GiB",
    )
    upstream_connections: int = count_setting(
        256, "Maximum number of connections to the upstream.", 1, 10_000
    )
    upstream_max_connection_age: float = time_setting(
        "5m",
        "Maximum age of a connection to the upstream, less up to 10 % at random; DNS changes are"
        " picked up within this time.",
        "1s",
        "1d",
    )
    transport_attempts: int = count_setting(
        3, "Maximum attempts if the upstream cannot be reached or answers with an error.", 1, 10
    )
    corrupt_attempts: int = count_setting(
        4, "Maximum attempts if the upstream sends a corrupt document.", 1, 10
    )
    breaker_open: float = time_setting(
        "30s",
        "How long the circuit breaker stays open at first; repeated openings last longer.",
        "100ms",
        "5m",
    )
    max_concurrency: int = count_setting(
        200, "Maximum of the adaptive limit on requests in flight.", 1, 10_000
    )
    queue_timeout: float = time_setting(
        "100ms", "Longest wait for a free slot under the concurrency limit.", "0s", "10s"
    )
    hedging: bool = switch_setting(
        "false", "Start a second attempt when the first is slower than the 95th percentile."
    )
    single_flight: bool = switch_setting(
        "false", "Let concurrent requests for the same id share one fetch."
    )
    stale_if_error: float = time_setting(
        "0s",
        "Serve the last verified copy of a document up to this age when it cannot be fetched;"
        " 0s keeps no copies.",
        "0s",
        "30d",
    )
    store_url: str = setting(
        "memory://",
        "Where last verified copies are kept: `memory://`, `redis://` or `rediss://`.",
        parse=parse_store_url,
        write=mask,
        secret=True,
    )
    store_max_bytes: int = size_setting(
        "64MiB", "Maximum size of the in-memory store.", "1MiB", "64GiB"
    )
    integrity_tier: int = count_setting(3, "Highest tier of integrity checks to run.", 1, 4)
    integrity_checks: str = setting(
        "",
        "Checks whose mode differs from its default: `trailing-bytes=enforce,pdf-parse=observe`.",
    )
    deep_workers: int = count_setting(
        0,
        "Processes that decode documents of any size; one more decodes small ones only. 0 means one"
        " per core of the CPU quota, divided among `DOCWARDEN_WORKERS`.",
        0,
        64,
    )
    drain_delay: float = time_setting(
        "10s", "After SIGTERM: how long to keep serving while not ready.", "0s", "10m"
    )
    drain_timeout: float = time_setting(
        "20s", "After the drain delay: how long requests in flight may take to finish.", "0s", "10m"
    )
    workers: int = count_setting(1, "Processes that share the public port.", 1, 64)
    max_client_connections: int = count_setting(
        10_000,
        "Maximum number of client connections; at the limit the longest idle one is closed.",
        1,
        1_000_000,
    )
    max_header_bytes: int = size_setting(
        "16KiB", "Largest request head, request line included.", "1KiB", "1MiB"
    )
    header_timeout: float = time_setting(
        "10s", "Longest time from a request head's first byte to its last.", "100ms", "10m"
    )
    idle_timeout: float = time_setting(
        "75s", "Longest time that a keep-alive client connection may be idle.", "100ms", "1h"
    )
    send_timeout: float = time_setting(
        "30s", "Longest time without progress in sending a response to a client.", "100ms", "1h"
    )
    log_format: str = setting(
        "auto",
        "`json`, `console`, or `auto`: console on a terminal, json elsewhere.",
        parse=one_of("auto", "json", "console"),
    )
    log_level: str = setting(
        "info",
        "Lowest severity that is logged.",
        parse=one_of("debug", "info", "warning", "error"),
    )
    log_success_share: float = setting(
        "1", "Share of successful requests that is logged; failures always are.", parse=share(0, 1)
    )
    log_request_headers: tuple[str, ...] = setting(
        "",
        "Request header fields to log, such as `X-Tenant`, comma-separated: at most eight, the"
        " first 128 bytes of each, and none that holds credentials.",
        parse=parse_header_names,
        write=write_header_names,
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "",
        "Networks of trusted proxies, such as `10.0.0.0/8`, comma-separated: the client that they"
        " name is `client.address` in the log. Other peers' forwarding headers are ignored.",
        parse=parse_networks,
        write=write_networks,
    )
    trusted_proxy_header: str = setting(
        X_FORWARDED_FOR,
        "Header field in which trusted proxies name their client; the other field is not read.",
        parse=one_of(X_FORWARDED_FOR, FORWARDED),
    )

    console_links: str = setting(
        "",
        "Pages that the console links to: `Grafana=https://...,Logs=https://...`; under `Runbooks`"
        " it expects one page per alert.",
        parse=parse_links,
    )
    explain: bool = switch_setting(
        "true",
        "Let operators explain a document on the operator listener: it is fetched and verified,"
        " and the findings are returned, not the document.",
    )
    revision: str = setting(
        "unknown", "Source revision shown by `docwarden_build_info`; set in the image."
    )

    def links(self) -> dict[str, str]:
        """Return the pages that the console links to, by title."""
        pairs = (item.partition("=") for item in filter(None, self.console_links.split(",")))
        return {title.strip(): url for title, _, url in pairs}

    def proxies(self) -> TrustedProxies | None:
        """Return the trusted proxies, None if there are none."""
        if not self.trusted_proxies:
            return None
        return TrustedProxies(self.trusted_proxies, field=self.trusted_proxy_header)

    def extra_header_fields(self) -> frozenset[bytes]:
        """Return the lower-case names of header fields that settings make requests keep."""
        named = self.log_request_headers
        proxy = (self.trusted_proxy_header,) if self.trusted_proxies else ()
        return frozenset(name.encode("ascii") for name in (*named, *proxy))

    def policy(self) -> Policy:
        """Return the integrity policy that the settings describe."""
        return Policy.parse(self.integrity_checks, tier=self.integrity_tier)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as documents and the `config` command show it."""

    name: str
    variable: str
    default: str
    about: str
    value: str
    origin: str


def variables() -> dict[str, str]:
    """Return the field name of each variable."""
    return {PREFIX + each.name.upper(): each.name for each in fields(Settings)}


def describe(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Setting]:
    """Return every setting with its effective value, secrets masked, and where it came from."""
    described = []
    for each in fields(Settings):
        variable = PREFIX + each.name.upper()
        meta = each.metadata
        value = meta["write"](getattr(settings, each.name))
        default = meta["write"](meta["parse"](meta["default"]))
        origin = "default" if value == default else "command line"
        if variable in environ and _explains_value(environ[variable], value, meta):
            origin = "environment"
        described.append(
            Setting(
                name=each.name,
                variable=variable,
                default=default,
                about=meta["about"],
                value=value,
                origin=origin,
            )
        )
    return described


def _explains_value(text: str, value: str, meta: Mapping[str, Any]) -> bool:
    """Whether a setting has its value from its variable; the command line takes precedence.

    The text may be invalid then, as it was not parsed.
    """
    try:
        said: str = meta["write"](meta["parse"](text))
    except ValueError:
        return False
    return said == value
