"""Ways in which bytes get damaged in transit; pure functions."""

import random


def through_utf8(body: bytes) -> bytes:
    """Decode and encode bytes as UTF-8: what cannot be decoded becomes U+FFFD."""
    return body.decode("utf-8", errors="replace").encode("utf-8")


def through_latin1(body: bytes) -> bytes:
    """Decode bytes as Latin-1 and encode as UTF-8: every byte above 127 becomes two."""
    return body.decode("latin-1").encode("utf-8")


def with_crlf(body: bytes) -> bytes:
    """Turn every line feed into carriage return and line feed, as a text-mode transfer does."""
    return body.replace(b"\n", b"\r\n")


def with_flipped_bits(body: bytes, count: int, seed: int) -> bytes:
    """Flip one bit in each of up to `count` different bytes, the places chosen by `seed`."""
    places = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
    flipped = bytearray(body)
    for place in places.sample(range(len(body)), min(count, len(body))):
        flipped[place] ^= 1 << places.randrange(8)
    return bytes(flipped)


def junk(count: int, seed: int) -> bytes:
    """Make `count` random bytes, repeatable by `seed`."""
    return random.Random(seed).randbytes(count)  # noqa: S311 - repeatable, not a secret
