import random
import sys
import time

import pytest

from docwarden.fetching.store import MemoryStore, RedisStore, open_store
from docwarden.fetching.store.redis import RedisMissingError

SECRET = "s3cr3t-pass"


def opened(url, ttl=60.0):
    return open_store(
        url,
        ttl=ttl,
        max_bytes=1_000_000,
        clock=time.monotonic,
        wall_clock=time.time,
        random=random.random,
    )


def test_memory_url_opens_a_store_in_memory():
    assert isinstance(opened("memory://"), MemoryStore)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://cache", "cache:6379/0"),
        ("redis://cache:6380/2", "cache:6380/2"),
        (f"redis://:{SECRET}@cache", "cache:6379/0"),
        (f"rediss://user:{SECRET}@cache:6380/", "cache:6380/0"),
        ("rediss://cache?ssl_ca_certs=/etc/ca.pem", "cache:6379/0"),
    ],
)
async def test_redis_url_opens_a_redis_store_that_shows_where_but_no_password(url, shown):
    store = opened(url)
    assert isinstance(store, RedisStore)
    assert repr(store) == f"RedisStore({shown})"
    await store.close()


@pytest.mark.parametrize(
    "url",
    [
        f"http://:{SECRET}@cache",
        f"redis:///{SECRET}",
        f"redis://:{SECRET}@",
        f"redis://:{SECRET}@cache:99999",
        f"redis://:{SECRET}@cache:port",
        f"redis://:{SECRET}@cache/first",
        f"redis://:{SECRET}@cache/0#x",
        f"redis://cache?password={SECRET}",
        f"rediss://cache?ssl_cert_reqs={SECRET}",
        "rediss://cache?ssl_cert_reqs=none",
        "redis://cache?ssl_ca_certs=/etc/ca.pem",
        "memory",
        "memory://large",
        "",
    ],
)
def test_wrong_url_is_refused_with_what_is_right_and_without_the_password(url):
    with pytest.raises(ValueError, match=r"rediss?://") as caught:
        opened(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", ["memory://", "redis://cache"])
def test_no_store_is_opened_for_copies_without_time_to_live(url):
    assert opened(url, ttl=0.0) is None


def test_missing_redis_client_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(RedisMissingError, match=r"pip install 'docwarden\[redis\]'"):
        opened("redis://cache")
