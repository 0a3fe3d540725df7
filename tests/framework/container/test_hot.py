"""Copies of what the team's cache holds come from there; whatever it fails to deliver comes from the store."""

from pathlib import Path

import pytest

from framework.cache.memory import MemoryCache
from framework.errors import CacheUnavailable
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.publish import Published
from tests.framework.container.ground import GOOD, Ground


class Short(MemoryCache):
    """It delivers less than was published."""

    def fetch(self, store: Store, path: str, target: Path, *, within_s: float) -> None:
        target.write_bytes(b"half")


class Dead(MemoryCache):
    """It says what it holds, and delivers nothing."""

    def fetch(self, store: Store, path: str, target: Path, *, within_s: float) -> None:
        raise CacheUnavailable("the cache did not read", where=path)


def ground_with(tmp_path: Path, cache: MemoryCache) -> tuple[Ground, Published]:
    ground = Ground(tmp_path, "copy", MemoryStore(), cache=cache)
    return ground, ground.published()


def test_what_the_cache_holds_is_read_hot(tmp_path: Path) -> None:
    ground, published = ground_with(tmp_path, MemoryCache())
    ground.cache.warm(ground.store, published.paths(), within_s=1)

    result = ground.run(GOOD)

    assert (result.bytes_hot, result.bytes_cold) == (published.output().bytes, 0)
    assert len(ground.rows()) == 2


def test_what_it_does_not_hold_is_read_cold(tmp_path: Path) -> None:
    ground, published = ground_with(tmp_path, MemoryCache())

    result = ground.run(GOOD)

    assert (result.bytes_hot, result.bytes_cold) == (0, published.output().bytes)


@pytest.mark.parametrize("cache", [Short(), Dead()], ids=["short", "dead"])
def test_what_it_fails_to_deliver_comes_from_the_store(tmp_path: Path, cache: MemoryCache) -> None:
    ground, published = ground_with(tmp_path, cache)
    cache.warm(ground.store, published.paths(), within_s=1)

    result = ground.run(GOOD)

    assert (result.bytes_hot, result.bytes_cold) == (0, published.output().bytes)
    assert len(ground.rows()) == 2
