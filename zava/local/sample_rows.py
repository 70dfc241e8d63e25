"""The rows of the sample data: the same for the same seed, scale and last day; written for this project.

Eight stores with the weights of the Zava sample database, a hand-written catalogue (`catalogue/*.json`), growth over
the years, a season for each category. Scale 1 is 50 000 customers and 200 000 orders with about half a million lines.
"""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zava.local.names import FIRST_NAMES, LAST_NAMES
from zava.local.stores import STORES, SampleStore

FIRST_DAY = dt.date(2020, 1, 1)
_CUSTOMERS, _ORDERS = 50_000, 200_000  # at scale 1
_GROWTH = {2020: 1.0, 2021: 1.1, 2022: 1.21, 2023: 1.15, 2024: 1.265, 2025: 1.392, 2026: 1.531}
_ORDERS_A_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Product:
    """`price` in cents; `season` holds twelve monthly factors."""

    product_id: str
    sku: str
    name: str
    description: str
    category: str
    type_name: str
    price: int
    popularity: float
    season: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SampleSize:
    customers: int
    orders: int

    @classmethod
    def of_scale(cls, scale: float) -> SampleSize:
        """Scale 0.01 (tests) to 10 (benchmarks). Raises ValueError outside."""
        if not 0.01 <= scale <= 10:
            raise ValueError(f"the scale of the sample data lies between 0.01 and 10, not at {scale}")
        return cls(round(_CUSTOMERS * scale), round(_ORDERS * scale))


def catalogue(seed: int = 1) -> list[Product]:
    """Every product of the hand-written catalogue, ids derived from the seed."""
    rng = random.Random(f"products {seed}")
    products: list[Product] = []
    for file in sorted((Path(__file__).parent / "catalogue").glob("*.json")):
        category = json.loads(file.read_text("utf-8"))
        for kind in category["product_types"]:
            products += [
                Product(
                    product_id=_uuid(rng),
                    sku=item["sku"],
                    name=item["name"],
                    description=item["description"],
                    category=category["category"],
                    type_name=kind["type"],
                    price=round(item["price"] * 100),
                    popularity=item["popularity"],
                    season=tuple(category["seasonality"]),
                )
                for item in kind["products"]
            ]
    return products


class SampleGenerator:
    """Rows as CSV lines, table by table. Amounts are counted in cents, so that sums are exact."""

    def __init__(self, size: SampleSize, last_day: dt.date, seed: int = 1) -> None:
        self._size = size
        self._rng = random.Random(seed)
        self._last_day = last_day
        self.products = catalogue(seed)
        self._days = _weighted_days(last_day)
        # Per store: customers' ids in the order of their arrival, and the days they arrived.
        self._customers: dict[SampleStore, tuple[list[str], list[int]]] = {}

    def stores(self) -> Iterator[str]:
        for store in STORES:
            yield (
                f'{store.store_id},{store.name},"{store.location}",{store.region},{store.is_online},'
                f"{_uuid(self._rng)},{FIRST_DAY}\n"
            )

    def customers(self) -> Iterator[str]:
        rng = self._rng
        total = sum(store.customers for store in STORES)
        number = 0
        for store in STORES:
            count = max(1, round(self._size.customers * store.customers / total))
            # A fifth of each store's customers is there on the first day, so that the first orders have someone.
            days = sorted([0] * (count // 5 + 1) + self._days.pick(rng, count - count // 5 - 1))
            ids = [_uuid(rng) for _ in days]
            self._customers[store] = (ids, days)
            for customer_id, day in zip(ids, days, strict=True):
                first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
                number += 1
                yield (
                    f"{customer_id},{store.store_id},{first},{last},{first.lower()}.{last.lower()}.{number}@example.com,"
                    f"({rng.randrange(201, 990)}) 555-{rng.randrange(100, 200):04d},{self._moment(day)}\n"
                )

    def inventory(self) -> Iterator[str]:
        rng = self._rng
        for store in STORES:
            for product in self.products:
                if store.is_online or rng.random() < 0.72:
                    level = 0 if rng.random() < 0.04 else int(rng.gammavariate(2.0, 12.0 * product.popularity)) + 1
                    yield f"{store.store_id},{product.product_id},{level},{self._last_day}\n"

    def orders(self) -> Iterator[tuple[list[str], list[str]]]:
        """Batches of order lines and of the lines of their items."""
        rng = self._rng
        weights = list(itertools.accumulate(store.customers * store.frequency for store in STORES))
        monthly = [
            list(itertools.accumulate(product.popularity * product.season[month] for product in self.products))
            for month in range(12)
        ]
        for start in range(0, self._size.orders, _ORDERS_A_BATCH):
            count = min(_ORDERS_A_BATCH, self._size.orders - start)
            orders: list[str] = []
            items: list[str] = []
            chosen_stores = rng.choices(STORES, cum_weights=weights, k=count)
            for store, day in zip(chosen_stores, self._days.pick(rng, count), strict=True):
                ids, arrivals = self._customers[store]
                customer = ids[int(bisect.bisect_right(arrivals, day) * rng.random() ** 1.5)]
                month = (FIRST_DAY + dt.timedelta(days=day)).month - 1
                order_id = _uuid(rng)
                total = 0
                size = 1 + min(6, int(rng.expovariate(1 / (1.55 * store.value))))
                for position in set(rng.choices(range(len(self.products)), cum_weights=monthly[month], k=size)):
                    line, amount = self._item(order_id, store, self.products[position])
                    total += amount
                    items.append(line)
                orders.append(
                    f"{order_id},{customer},{store.store_id},{self._moment(day)},{_money(total)},{self._status(day)}\n"
                )
            yield orders, items

    def _item(self, order_id: str, store: SampleStore, product: Product) -> tuple[str, int]:
        rng = self._rng
        quantity = 1 if rng.random() < 0.6 else 1 + int(rng.random() * 4)
        percent = 0 if rng.random() < 0.82 else rng.choice((5, 5, 10, 10, 15, 20))
        gross = quantity * product.price
        discount = gross * percent // 100
        return (
            f"{_uuid(rng)},{order_id},{store.store_id},{product.product_id},{quantity},{_money(product.price)},"
            f"{percent},{_money(discount)},{_money(gross - discount)}\n"
        ), gross - discount

    def _status(self, day: int) -> str:
        age = (self._last_day - FIRST_DAY).days - day
        chance = self._rng.random()
        if age < 10 and chance < 0.5:
            return "processing"
        return "returned" if chance > 0.965 else "cancelled" if chance > 0.945 else "completed"

    def _moment(self, day: int) -> str:
        """A moment of that day, during Pacific opening hours, in UTC."""
        seconds = int(self._rng.triangular(15 * 3600, 24 * 3600 - 1, 20 * 3600))
        return (
            f"{FIRST_DAY + dt.timedelta(days=day)} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}+00"
        )


class _WeightedDays:
    """Days since the first one, weighted by the year's growth and by the month."""

    def __init__(self, weights: list[float]) -> None:
        self._cumulative = list(itertools.accumulate(weights))

    def pick(self, rng: random.Random, count: int) -> list[int]:
        return rng.choices(range(len(self._cumulative)), cum_weights=self._cumulative, k=count)


def _weighted_days(last_day: dt.date) -> _WeightedDays:
    days = (last_day - FIRST_DAY).days + 1
    if days < 365:
        raise ValueError("the sample data covers at least one year")
    weights: list[float] = []
    for day in range(days):
        date = FIRST_DAY + dt.timedelta(days=day)
        growth = _GROWTH.get(date.year, _GROWTH[2026] * 1.1 ** (date.year - 2026))
        season = 1.0 + 0.2 * math.sin((date.timetuple().tm_yday - 80) / 365 * 2 * math.pi)
        weights.append(growth * season * (1.35 if date.weekday() >= 5 else 1.0))
    return _WeightedDays(weights)


def _uuid(rng: random.Random) -> str:
    """A version 4 UUID (RFC 9562) from the seeded generator, as 32 hex digits."""
    bits = rng.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
    return f"{bits:032x}"


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
