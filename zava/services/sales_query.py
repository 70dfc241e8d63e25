"""Runs SQL that a model wrote: the policy decides, then the tenant's read-only transaction answers."""

from __future__ import annotations

import math

from pydantic import TypeAdapter

from zava.data.query_runner import QueryResult, QueryRunner
from zava.data.sql_policy import Refused, analyse, decide
from zava.data.tenant_context import TenantScope
from zava.errors import QueryRefusedError
from zava.platform.query_monitor import QueryMonitor
from zava.platform.tracing import span
from zava.services.call_record import CallRecord
from zava.services.calls_in_flight import CallsInFlight
from zava.services.tenant_answers import TenantAnswers

# `work_mem` bounds sorts and hashes, but nothing bounds a value that an aggregate builds from a join of many to many
# rows, nor the planning of dozens of joins: they grew by 280 and 370 MB a second (measured), so such a statement gets
# less time. Honest ones take milliseconds.
_COLLECTING_SECONDS = 3.0
_MOST_KEPT_ROWS = 1_000
_RESULT = TypeAdapter(QueryResult)


class SalesQueries:
    def __init__(
        self,
        runner: QueryRunner,
        calls_in_flight: CallsInFlight,
        monitor: QueryMonitor,
        answers: TenantAnswers,
    ) -> None:
        self._runner = runner
        self._calls_in_flight = calls_in_flight
        self._monitor = monitor
        self._answers = answers

    async def run(
        self, sql: str, scope: TenantScope, *, deadline: float, record: CallRecord | None = None
    ) -> QueryResult:
        """The rows `sql` gives within `scope`; `record` gets the statement's fingerprint, also when it is refused.

        Raises:
            QueryRefusedError: the policy does not allow the statement; message and hint say what to write instead.
            BusyError: the caller has too many queries running.
            DatabaseError: and its kin, as `QueryRunner.run` lists them.
        """
        with span("policy") as step:
            analysis = analyse(sql)
            decision = decide(analysis)
            step.set_attribute("zava.policy.allowed", not isinstance(decision, Refused))
        if record is not None:
            record.sql_fingerprint = analysis.fingerprint or None
        if isinstance(decision, Refused):
            raise QueryRefusedError(f"Refused ({decision.rule}): {decision.piece}", decision.hint)

        async def ask() -> QueryResult:
            seconds = _COLLECTING_SECONDS if decision.collects else math.inf
            # An answer that is at hand, or that another call is about to bring, takes no place among the running ones.
            async with self._calls_in_flight.one_more(scope.subject):
                with self._monitor.watch("execute_sales_query", decision.fingerprint):
                    return await self._runner.run(decision.statement, scope, deadline=deadline, at_most_seconds=seconds)

        if decision.volatile:
            return await ask()
        return await self._answers.get_or_make(
            "execute_sales_query",
            decision.statement,
            scope,
            ask,
            _RESULT,
            deadline=deadline,
            keep=lambda result: len(result.rows) <= _MOST_KEPT_ROWS,
        )
