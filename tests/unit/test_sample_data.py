"""The sample's generator: the same for the same seed, exact sums, and a catalogue worth searching."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from decimal import Decimal

import pytest

from zava.local.sample_rows import SampleGenerator, SampleSize, catalogue

LAST_DAY = dt.date(2026, 6, 30)


def _everything(seed: int) -> list[str]:
    generator = SampleGenerator(SampleSize(100, 400), LAST_DAY, seed)
    lines = [*generator.stores(), *generator.customers(), *generator.inventory()]
    for orders, items in generator.orders():
        lines += orders + items
    return lines


def test_the_same_seed_gives_the_same_rows_and_another_gives_others() -> None:
    assert _everything(1) == _everything(1)
    assert _everything(1) != _everything(2)


def test_an_orders_total_is_the_sum_of_its_lines() -> None:
    generator = SampleGenerator(SampleSize(100, 1_000), LAST_DAY)
    assert list(generator.stores())
    assert list(generator.customers())
    for orders, items in generator.orders():
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for line in items:
            fields = line.strip().split(",")
            sums[fields[1]] += Decimal(fields[8])
        assert {row[0]: Decimal(row[4]) for row in (line.split(",") for line in orders)} == sums


def test_nobody_orders_before_they_became_a_customer() -> None:
    generator = SampleGenerator(SampleSize(300, 2_000), LAST_DAY)
    assert list(generator.stores())
    since = {line.split(",")[0]: line.rsplit(",", 1)[1][:10] for line in generator.customers()}
    for orders, _ in generator.orders():
        for line in orders:
            _, customer, _, moment, *_ = line.split(",")
            assert since[customer] <= moment[:10] <= LAST_DAY.isoformat()


def test_the_catalogue_has_nine_categories_and_no_two_products_alike() -> None:
    products = catalogue()
    assert len(products) >= 400
    assert len({product.category for product in products}) == 9
    for field in ("sku", "name", "description", "product_id"):
        counts = Counter(getattr(product, field) for product in products)
        assert [value for value, count in counts.items() if count > 1] == []


def test_every_description_is_a_text_a_person_would_write() -> None:
    products = catalogue()
    lengths = [len(product.description) for product in products]
    assert (min(lengths) >= 80, max(lengths) <= 300) == (True, True)
    openings = Counter(" ".join(product.description.split()[:3]).lower() for product in products)
    assert [opening for opening, count in openings.items() if count > 2] == []


@pytest.mark.parametrize("scale", [0, 0.009, 10.1, -1])
def test_a_scale_outside_its_bounds_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=r"between 0\.01 and 10"):
        SampleSize.of_scale(scale)
