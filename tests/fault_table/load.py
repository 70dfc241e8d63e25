"""A steady load of mixed tenants over HTTP, and a tally of what they got, by code, and of every foreign row in it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.fault_table.questions import NEW, Caller, Question, questions
from tests.security.canaries import Evidence

CALLS_AT_ONCE = 2
"""Of one caller: as many as one may have running."""
_PATIENCE_SECONDS = 40.0
OK, BY_WORDS, NO_CONNECTION, NO_ANSWER = "OK", "OK, by words only", "no connection", "no answer"
"""Codes of the tally's own; `BY_WORDS` is a search without the embedder."""
GOOD = frozenset({OK, BY_WORDS})
_KEEP_SECONDS = 2.0
"""Less than a server keeps an idle connection: it would end one that is just about to be used again."""

# What an answer that is an error must not hold: stacks, drivers, addresses, paths, logins.
_INSIDES = re.compile(
    r"Traceback|asyncpg|psycopg|redis|127\.0\.0\.1|zava_(reader|app)|/[a-z]+/[a-z_]+\.py", re.IGNORECASE
)


@dataclass(slots=True)
class Tally:
    """What came of calls; `violations` are what must never happen, `slowest` is in seconds."""

    codes: Counter[str] = field(default_factory=Counter[str])
    violations: list[str] = field(default_factory=list[str])
    slowest: float = 0.0

    @property
    def calls(self) -> int:
        return self.codes.total()


class Load:
    """Args: `pause` is the least time between the beginnings of two calls of one line of calls, in seconds.

    Attributes:
        tally: of the calls so far; may be replaced by a new one.
        asked_as_well: what every caller asks after each of its own questions, if anything.
    """

    def __init__(self, who: Sequence[Caller], evidence: Evidence, *, pause: float = 0.12) -> None:
        self.tally = Tally()
        self.asked_as_well: Question | None = None
        self._who = who
        self._evidence = evidence
        self._pause = pause
        self._questions = {caller.name: questions() for caller in who}
        self._good_since = {(caller.name, tool): 0.0 for caller in who for tool in NEW}
        self._news = asyncio.Event()
        self._ended = False

    @asynccontextmanager
    async def running(self, url: str) -> AsyncGenerator[None]:
        """Call the endpoint while the block runs; then let the calls under way end."""
        limits = httpx2.Limits(max_connections=40, keepalive_expiry=_KEEP_SECONDS)
        async with httpx2.AsyncClient(timeout=_PATIENCE_SECONDS, limits=limits) as client:
            calling = [
                asyncio.ensure_future(self._call_on(client, url, caller))
                for caller in self._who
                for _ in range(CALLS_AT_ONCE)
            ]
            try:
                yield
            finally:
                self._ended = True
                await asyncio.gather(*calling)

    async def got(self, codes: Collection[str], *, seconds: float) -> None:
        """Wait until somebody got one of the codes, or so long."""
        ends_at = time.monotonic() + seconds
        while not self.tally.codes.keys() & set(codes) and await self._news_until(ends_at):
            pass

    async def calls(self, number: int, *, seconds: float) -> None:
        """Wait until the tally has so many.

        Raises:
            AssertionError: it has not after `seconds`.
        """
        ends_at = time.monotonic() + seconds
        while self.tally.calls < number:
            assert await self._news_until(ends_at), self.tally.codes

    async def good_answers(self, new: Collection[str] = NEW, *, since: float, seconds: float) -> float:
        """Wait until every caller has had good answers to new questions of these kinds, all asked after `since`.

        Returns the moment that was so.

        Raises:
            AssertionError: it was not so after `seconds`.
        """
        ends_at = time.monotonic() + seconds
        while waiting := [key for key, moment in self._good_since.items() if key[1] in new and moment <= since]:
            more = await self._news_until(ends_at)
            assert more, f"{waiting} had no good answer for {seconds:g} s; {self.tally.codes}"
        return time.monotonic()

    async def _news_until(self, moment: float) -> bool:
        """Whether another call ended before it."""
        self._news.clear()
        try:
            async with asyncio.timeout(max(0.0, moment - time.monotonic())):
                await self._news.wait()
        except TimeoutError:
            return False
        return True

    async def _call_on(self, client: httpx2.AsyncClient, url: str, caller: Caller) -> None:
        while not self._ended:
            began = time.monotonic()
            await self._call(client, url, caller, next(self._questions[caller.name]))
            if self.asked_as_well is not None:
                await self._call(client, url, caller, self.asked_as_well)
            await asyncio.sleep(max(0.0, began + self._pause - time.monotonic()))

    async def _call(self, client: httpx2.AsyncClient, url: str, caller: Caller, question: Question) -> None:
        began = time.monotonic()
        try:
            response = await client.send(caller.request(url, question.parameters))
        except (httpx2.NetworkError, httpx2.ProtocolError):
            code = NO_CONNECTION
        except httpx2.TimeoutException:
            code = NO_ANSWER
        else:
            code = self._judged(caller, question, response)
        self.tally.codes[code] += 1
        self.tally.slowest = max(self.tally.slowest, time.monotonic() - began)
        if code in GOOD and question.new:
            key = (caller.name, question.parameters["name"])
            self._good_since[key] = max(began, self._good_since[key])
        self._news.set()

    def _judged(self, caller: Caller, question: Question, response: httpx2.Response) -> str:
        """The code of an answer; what is wrong with it goes to the tally."""
        text = response.text
        if others := self._evidence.of_others(text, *caller.stores, asked=json.dumps(question.parameters)):
            self.tally.violations.append(f"{caller.name} got rows of {sorted(others)}: {text[:300]}")
        code, result = code_of(response)
        if code == OK:
            if question.telling and not self._evidence.owners(text):
                self.tally.violations.append(f"{caller.name} got an empty answer to {question.parameters}")
            if result.get("structuredContent", {}).get("mode") == "lexical":
                return BY_WORDS
        elif _INSIDES.search(text):
            self.tally.violations.append(f"{caller.name} learned from an error: {text[:300]}")
        return code


def code_of(response: httpx2.Response) -> tuple[str, Mapping[str, Any]]:
    """OK and the result, or the code of the error, by whichever of the three ways it came."""
    try:
        document: dict[str, Any] = response.json()
    except ValueError:
        return f"HTTP {response.status_code}", {}
    if response.status_code != 200 or "error" in document:
        error = document.get("error") or {}
        return str((error.get("data") or {}).get("code") or error.get("code")), {}
    result: dict[str, Any] = document["result"]
    if result.get("isError"):
        return json.loads(result["content"][0]["text"])["code"], {}
    return OK, result
