"""The values an argument can have for one caller: what it is completed with, and what it is checked against.

Stores and regions come from the caller's own transaction, so a name from elsewhere is neither suggested nor confirmed.
Categories, types and tables are the same for everybody.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Literal

from zava.data.schema_catalogue import SchemaCatalogue
from zava.data.tenant_context import TenantScope
from zava.data.tenant_stores import TenantStores
from zava.errors import ValidationError
from zava.services.time_period import parse_period

Kind = Literal["store", "region", "category", "product_type", "table", "month", "period", "text"]

_NAMED_PERIODS = ("last_30_days", "last_7_days", "last_month", "last_quarter", "year_to_date", "last_year")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_MONTHS_SUGGESTED = 24
_MOST_TEXT = 500
_MOST_LISTED = 10


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class OwnValues:
    def __init__(
        self, stores: TenantStores, catalogue: SchemaCatalogue, clock: Callable[[], dt.datetime] = _now
    ) -> None:
        self._stores = stores
        self._catalogue = catalogue
        self._clock = clock

    async def starting_with(
        self, kind: Kind, begun: str, scope: TenantScope, *, deadline: float, chosen: Mapping[Kind, str] | None = None
    ) -> list[str]:
        """The values that begin like `begun`, then those that hold it; upper and lower case are the same.

        Args:
            chosen: what the other arguments hold so far: with a category only its own types are suggested.

        Raises:
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        typed = begun.strip().casefold()
        values = await self._all(kind, scope, deadline)
        if kind == "product_type" and chosen and "category" in chosen:
            values = await self._types_within(chosen["category"], values)
        first = [value for value in values if value.casefold().startswith(typed)]
        return first + [value for value in values if typed in value.casefold() and value not in first]

    async def checked(self, kind: Kind, text: str, scope: TenantScope, *, deadline: float) -> str:
        """The value `text` stands for, written as it is known; a part that only one value holds will do.

        Raises:
            ValidationError: it stands for none or for several; the hint lists what there is.
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        # First: a call may hold megabytes, and looking at each character of them would hold up everybody.
        _refuse_long(text)
        text = plain(text)
        if kind == "text":
            return _not_empty(text)
        if kind == "month":
            return self._month(text)
        if kind == "period":
            return parse_period(text, self._clock()).name
        values = await self._all(kind, scope, deadline)
        found = _meant(text, values)
        if len(found) == 1:
            return found[0]
        label = kind.replace("_", " ")
        problem = f"{text[:60]!r} fits several." if found else f"You have no {label} {text[:60]!r}."
        raise ValidationError(problem, f"Choose one of: {_listed(found or values)}.")

    async def _all(self, kind: Kind, scope: TenantScope, deadline: float) -> list[str]:
        match kind:
            case "store":
                return [store.name for store in await self._stores.read(scope, deadline=deadline)]
            case "region":
                return sorted({store.region for store in await self._stores.read(scope, deadline=deadline)})
            case "category":
                return await self._known("categories", "category_name")
            case "product_type":
                return await self._known("product_types", "type_name")
            case "table":
                return list(await self._catalogue.tables())
            case "month":
                return self._months()
            case "period":
                return [*_NAMED_PERIODS, *self._quarters(), *self._months()]
            case "text":
                return []

    async def _types_within(self, category: str, types: list[str]) -> list[str]:
        """Those of a category's; all of them where the text means no category, or several."""
        meant = _meant(category.strip(), await self._known("categories", "category_name"))
        return list((await self._catalogue.product_types())[meant[0]]) if len(meant) == 1 else types

    async def _known(self, table: str, column: str) -> list[str]:
        columns = (await self._catalogue.tables())[table].columns
        return list(next(each for each in columns if each.name == column).valid_values)

    def _months(self) -> list[str]:
        """The months that are over, the latest first."""
        today = self._clock().date()
        last = today.year * 12 + today.month - 2
        return [f"{month // 12}-{month % 12 + 1:02d}" for month in range(last, last - _MONTHS_SUGGESTED, -1)]

    def _quarters(self) -> list[str]:
        """The quarters that are over, the latest first."""
        today = self._clock().date()
        last = today.year * 4 + (today.month - 1) // 3 - 1
        return [f"{quarter // 4}-Q{quarter % 4 + 1}" for quarter in range(last, last - _MONTHS_SUGGESTED // 3, -1)]

    def _month(self, text: str) -> str:
        if text.casefold() in {"", "last_month", "last month"}:
            return self._months()[0]
        if not _MONTH.fullmatch(text):
            raise ValidationError(
                f"{text[:60]!r} is not a month.", f"Write year and month, as in {self._months()[0]}, or last_month."
            )
        if text > f"{self._clock():%Y-%m}":
            raise ValidationError(f"{text} has not begun.", f"The last whole month is {self._months()[0]}.")
        return text


def _meant(text: str, values: list[str]) -> list[str]:
    """The value that is written so, in upper or lower case; if none is, those that hold it."""
    typed = text.casefold()
    same = [value for value in values if value.casefold() == typed]
    return same or [value for value in values if typed and typed in value.casefold()]


def plain(text: str) -> str:
    """The text on one line, without the characters that nobody sees: control, format and separator characters."""
    return " ".join("".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in text).split())


def _not_empty(text: str) -> str:
    if not text:
        raise ValidationError("The text is empty.", "Say in a few words what is looked for.")
    return text


def _refuse_long(text: str) -> None:
    if len(text) > _MOST_TEXT:
        raise ValidationError(
            f"The text has {len(text)} characters; at most {_MOST_TEXT} are taken.", "Say it in fewer words."
        )


def _listed(values: list[str]) -> str:
    more = f" and {len(values) - _MOST_LISTED} more" if len(values) > _MOST_LISTED else ""
    return ", ".join(values[:_MOST_LISTED]) + more
