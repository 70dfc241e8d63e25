"""The bounded cache: what it keeps, what it lets go, what it counts."""

from __future__ import annotations

from zava.platform.bounded_cache import BoundedCache


def test_the_entry_that_was_not_used_for_longest_goes_first() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
    assert (len(cache), cache.hits, cache.misses) == (2, 3, 1)


def test_an_entry_that_is_put_again_takes_no_second_place() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    for value in range(5):
        cache.put("a", value)
    cache.put("b", 9)
    assert (cache.get("a"), cache.get("b"), len(cache)) == (4, 9, 2)
