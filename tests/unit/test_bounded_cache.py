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


def test_what_entries_weigh_together_is_bounded() -> None:
    cache: BoundedCache[str, int] = BoundedCache(10)
    for key, weight in (("a", 4), ("b", 4), ("c", 6)):
        cache.put(key, 1, weight)
    assert ([cache.get(key) for key in "abc"], cache.weight) == ([None, 1, 1], 10)
    cache.put("c", 2, 1)
    assert (cache.get("c"), cache.weight) == (2, 5)
    cache.drop("b")
    cache.drop("never there")
    assert (len(cache), cache.weight) == (1, 1)


def test_what_is_heavier_than_the_limit_is_not_kept_and_displaces_only_its_predecessor() -> None:
    cache: BoundedCache[str, int] = BoundedCache(10)
    cache.put("a", 1, 5)
    cache.put("b", 1, 5)
    cache.put("b", 2, 11)
    assert ([cache.get("a"), cache.get("b")], cache.weight) == ([1, None], 5)
