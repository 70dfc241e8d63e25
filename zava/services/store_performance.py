"""How stores are doing: what is asked for, within the caller's scope, and the report on it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from uuid import UUID

from zava.data.repeated_read import repeated_read
from zava.data.sales_figures import RECENT_DAYS, SalesFiguresSource, SpanName
from zava.data.tenant_context import TenantScope
from zava.platform.query_monitor import QueryMonitor
from zava.services.access import Directory
from zava.services.calls_in_flight import CallsInFlight
from zava.services.performance_report import REPORT, PerformanceReport
from zava.services.store_choice import choose_store
from zava.services.tenant_answers import TenantAnswers
from zava.services.time_period import Span, TimePeriod, parse_period


class StorePerformance:
    def __init__(
        self,
        source: SalesFiguresSource,
        directory: Directory,
        calls_in_flight: CallsInFlight,
        monitor: QueryMonitor,
        answers: TenantAnswers,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._source = source
        self._directory = directory
        self._calls_in_flight = calls_in_flight
        self._monitor = monitor
        self._answers = answers
        self._clock = clock

    async def report(self, store: str, time_period: str, scope: TenantScope, *, deadline: float) -> PerformanceReport:
        """The performance of one store of `scope`, or of all of them together when `store` is empty.

        Args:
            store: an id, a name, or words of a name.
            time_period: in the grammar of `time_period.py`.
            deadline: on `time.monotonic`'s clock.

        Raises:
            ValidationError: the store or the period cannot be read; the hint lists what can.
            BusyError: the caller has too many calls running.
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        now = self._clock()
        period = parse_period(time_period, now)
        known = await self._directory.stores()
        stores = [known[store_id] for store_id in scope.store_ids if store_id in known]
        chosen = choose_store(store, stores)
        selected = scope.store_ids if chosen is None else frozenset({chosen.store_id})
        return await self._answers.get_or_make(
            "get_store_performance",
            # The day as well: the same words mean another period tomorrow.
            [time_period, now.date().isoformat(), *sorted(str(store_id) for store_id in selected)],
            scope,
            lambda: self._read(period, selected, scope, now, deadline=deadline),
            REPORT,
            deadline=deadline,
        )

    async def _read(
        self, period: TimePeriod, selected: frozenset[UUID], scope: TenantScope, now: dt.datetime, *, deadline: float
    ) -> PerformanceReport:
        spans: dict[SpanName, Span] = {
            "current": period.span,
            "previous": period.previous,
            "last_year": period.last_year,
            "before_last_year": period.before_last_year,
            "recent": Span(now - dt.timedelta(days=RECENT_DAYS), now),
        }
        if period.previous_is_last_year:  # of years nothing is summed twice
            spans["last_year"] = spans["before_last_year"] = Span(period.span.start, period.span.start)
        bounds: dict[SpanName, tuple[dt.datetime, dt.datetime]] = {
            name: (span.start, span.end) for name, span in spans.items()
        }
        # What draws conclusions comes with the first report: a start needs none of it.
        from zava.services.performance_building import build_report

        steps = (period.blocks(period.span), period.blocks(period.previous))
        async with self._calls_in_flight.one_more(scope.subject):
            with self._monitor.watch("get_store_performance"):
                found = await repeated_read(
                    lambda: self._source.read(selected, bounds, *steps, scope, deadline=deadline), deadline=deadline
                )
        return build_report(period, selected, found, now)
