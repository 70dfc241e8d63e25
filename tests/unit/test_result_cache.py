"""The cache of answers: how long, how much, for whom, and what happens when several ask at once."""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue, TypeAdapter, type_adapter

from tests.clock import Clock
from tests.telemetry_in_memory import telemetry_in_memory
from zava.data.query_runner import QueryResult
from zava.platform import bounded_cache, result_cache
from zava.platform.result_cache import CacheFigures, ResultCache

_TEXT = TypeAdapter(str)
_MEBIBYTE = 1_048_576


class _Shared:
    """A shared level of this process; `age` is what it says of every value."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.age = 0.0
        self.ages_put: list[float] = []

    async def get(self, key: str) -> tuple[bytes, float] | None:
        return (self.values[key], self.age) if key in self.values else None

    async def put(self, key: str, value: bytes, age: float) -> None:
        self.values[key] = value
        self.ages_put.append(age)


class _Asked:
    """Asks a cache for one key; what is made says how often it was made."""

    def __init__(self, cache: ResultCache) -> None:
        self.cache = cache
        self.made = 0

    async def make(self) -> str:
        self.made += 1
        return f"answer {self.made}"

    async def __call__(
        self,
        make: Callable[[], Awaitable[str]] | None = None,
        *,
        key: JsonValue = "a question",
        seconds: float = 20,
        keep: Callable[[str], bool] = lambda _: True,
    ) -> str:
        deadline = time.monotonic() + seconds
        return await self.cache.get_or_make([key], make or self.make, _TEXT, deadline=deadline, keep=keep)


@pytest.fixture
def clock() -> Clock:
    return Clock(1_000.0)


@pytest.fixture
def ask(clock: Clock) -> _Asked:
    return _Asked(ResultCache(30, _MEBIBYTE, clock=clock))


async def test_an_answer_is_given_again_until_it_is_as_old_as_the_limit(ask: _Asked, clock: Clock) -> None:
    assert [await ask(), await ask()] == ["answer 1"] * 2
    clock.now += 29.999
    assert await ask() == "answer 1"
    clock.now += 0.001
    assert await ask() == "answer 2"


async def test_its_age_counts_from_before_it_was_made(ask: _Asked, clock: Clock) -> None:
    async def slow() -> str:
        clock.now += 20
        return "slow"

    assert await ask(slow) == "slow"
    clock.now += 9.9
    assert await ask() == "slow"
    clock.now += 0.1
    assert await ask() == "answer 1"


async def test_errors_and_what_shall_not_be_kept_are_not_kept(ask: _Asked) -> None:
    async def fail() -> str:
        raise ValueError

    with pytest.raises(ValueError):
        await ask(fail)
    assert [await ask(keep=lambda _: False), await ask()] == ["answer 1", "answer 2"]
    assert ask.cache.figures() == CacheFigures(0, 0, 3, 1, pytest.approx(530, abs=20))  # type: ignore[arg-type]


async def test_with_no_time_to_keep_it_nothing_is_kept() -> None:
    ask = _Asked(ResultCache(0, 0))
    assert [await ask(), await ask()] == ["answer 1", "answer 2"]
    assert ask.cache.figures() == CacheFigures(0, 0, 0, 0, 0)


@pytest.mark.parametrize("other", ["another question", ["a question"], {"a": "question"}, None, True])
async def test_another_key_is_another_answer(ask: _Asked, other: JsonValue) -> None:
    assert [await ask(), await ask(key=other)] == ["answer 1", "answer 2"]


async def test_another_namespace_is_another_answer() -> None:
    shared = _Shared()
    answers = [
        await _Asked(ResultCache(30, _MEBIBYTE, namespace, shared))(make)
        for namespace, make in (
            (["one database"], _made("one")),
            (["one database"], _made("two")),
            (["another database"], _made("three")),
        )
    ]
    assert answers == ["one", "one", "three"]


def _made(text: str) -> Callable[[], Awaitable[str]]:
    async def make() -> str:
        return text

    return make


async def test_memory_is_bounded_in_bytes() -> None:
    limit = _MEBIBYTE
    ask = _Asked(ResultCache(3_600, limit))
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(2_000):
            # Small ones, whose own weight is all overhead, and large ones in between.
            text = "" if number % 4 else "x" * (number % 97) * 100
            await ask(_made(text + str(number)), key=number)
        gc.collect()
        # Threads of other tests may still be at work: only what these modules made counts.
        ours = [
            tracemalloc.Filter(True, str(module.__file__)) for module in (bounded_cache, result_cache, type_adapter)
        ]
        held = sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(ours).traces)
    finally:
        tracemalloc.stop()
    figures = ask.cache.figures()
    assert limit * 0.9 < figures.bytes <= limit
    assert figures.entries > 300
    assert limit * 0.8 < held < limit * 1.1


async def test_no_answer_takes_more_than_an_eighth_of_the_memory(ask: _Asked) -> None:
    text = "x" * (_MEBIBYTE // 8)
    assert [await ask(_made(text)), await ask()] == [text, "answer 1"]


async def test_twenty_callers_at_once_make_one_answer(ask: _Asked) -> None:
    may_end = asyncio.Event()

    async def slow() -> str:
        await may_end.wait()
        return await ask.make()

    calls = [asyncio.ensure_future(ask(slow)) for _ in range(20)]
    await asyncio.sleep(0)
    may_end.set()
    assert await asyncio.gather(*calls) == ["answer 1"] * 20
    assert ask.cache.figures().memory_hits == 19


async def test_nobody_gets_an_error_that_is_not_his(ask: _Asked) -> None:
    may_end = asyncio.Event()

    async def fail() -> str:
        await may_end.wait()
        raise ValueError

    first = asyncio.ensure_future(ask(fail))
    others = [asyncio.ensure_future(ask()) for _ in range(3)]
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(ValueError):
        await first
    assert sorted(await asyncio.gather(*others)) == ["answer 1", "answer 2", "answer 3"]


async def test_a_caller_that_gives_up_leaves_the_others_to_themselves(ask: _Asked) -> None:
    async def endless() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    first = asyncio.ensure_future(ask(endless))
    await asyncio.sleep(0)
    waiting = asyncio.ensure_future(ask())
    impatient = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    assert not first.done()
    first.cancel()
    assert await waiting == "answer 1"


async def test_another_caller_is_waited_for_no_longer_than_the_deadline(ask: _Asked) -> None:
    async def endless() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    first = asyncio.ensure_future(ask(endless))
    await asyncio.sleep(0)
    assert await ask(seconds=0.01) == "answer 1"
    first.cancel()


def test_a_caller_on_another_event_loop_waits_for_nobody() -> None:
    ask = _Asked(ResultCache(30, _MEBIBYTE))
    left_behind = asyncio.new_event_loop()

    async def endless() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    task = left_behind.create_task(ask(endless))
    left_behind.run_until_complete(asyncio.sleep(0))
    assert asyncio.run(ask()) == "answer 1"
    task.cancel()
    left_behind.run_until_complete(asyncio.gather(task, return_exceptions=True))
    left_behind.close()


async def test_what_another_worker_made_is_given_again_and_ages_on(clock: Clock) -> None:
    shared = _Shared()
    here, there = (_Asked(ResultCache(30, _MEBIBYTE, shared=shared, clock=clock)) for _ in range(2))
    assert await there() == "answer 1"
    assert (await here(), here.made, shared.ages_put) == ("answer 1", 0, [0.0])
    assert (here.cache.figures().shared_hits, here.cache.figures().entries) == (1, 1)

    shared.age = 29.0
    late = _Asked(ResultCache(30, _MEBIBYTE, shared=shared, clock=clock))
    assert (await late(), late.made) == ("answer 1", 0)
    clock.now += 1.0
    shared.values.clear()
    assert (await late(), late.made) == ("answer 1", 1)


@pytest.mark.parametrize(("value", "age"), [(b'"old"', 30.0), (b"{not json", 0.0), (b'["not a text"]', 0.0)])
async def test_a_shared_value_that_is_old_or_unreadable_is_made_anew(value: bytes, age: float) -> None:
    shared = _Shared()
    await _Asked(ResultCache(30, _MEBIBYTE, shared=shared))()
    (name,) = shared.values
    shared.values[name], shared.age = value, age
    ask = _Asked(ResultCache(30, _MEBIBYTE, shared=shared))
    assert (await ask(), ask.made, shared.values[name]) == ("answer 1", 1, b'"answer 1"')


async def test_hits_and_misses_are_counted_for_telemetry() -> None:
    shared = _Shared()
    with telemetry_in_memory() as kept:
        for _ in range(2):
            ask = _Asked(ResultCache(30, _MEBIBYTE, shared=shared))
            await ask()
            await ask()
    assert kept.counts == [
        ("cache_miss", 1, {"cache": "answers"}),
        ("cache_hit", 1, {"cache": "answers"}),
        ("cache_hit", 1, {"cache": "answers_shared"}),
        ("cache_hit", 1, {"cache": "answers"}),
    ]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_RESULTS = st.builds(
    QueryResult,
    columns=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    rows=st.lists(st.lists(_JSON, max_size=3).map(tuple), max_size=3).map(tuple),
    truncated=st.booleans(),
    notice=st.text(),
)


@given(_RESULTS)
@settings(max_examples=50)
async def test_an_answer_comes_back_as_it_was(result: QueryResult) -> None:
    cache, kind = ResultCache(30, 64 * _MEBIBYTE), TypeAdapter(QueryResult)

    async def make() -> QueryResult:
        return result

    first, second = [await cache.get_or_make(["key"], make, kind, deadline=time.monotonic() + 9) for _ in range(2)]
    assert repr(second) == repr(first) == repr(result)
