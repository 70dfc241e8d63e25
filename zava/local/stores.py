"""The eight stores of the sample data, with the well-known ids and the relative weights of the Zava sample database."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class SampleStore:
    """`customers`, `frequency` and `value` are relative weights: share of customers, of orders, and of order value."""

    slug: str
    store_id: UUID
    name: str
    location: str
    region: str
    is_online: bool
    customers: float
    frequency: float
    value: float


def _store(
    slug: str, store_id: str, location: str, region: str, customers: float, frequency: float, value: float
) -> SampleStore:
    name = f"Zava Retail {slug.title()}"
    return SampleStore(slug, UUID(store_id), name, location, region, slug == "online", customers, frequency, value)


STORES = (
    _store("seattle", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "Seattle, WA", "puget-sound", 30, 3.0, 1.3),
    _store("bellevue", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "Bellevue, WA", "puget-sound", 25, 2.6, 1.2),
    _store("tacoma", "a1b2c3d4-e5f6-7890-abcd-ef1234567890", "Tacoma, WA", "puget-sound", 20, 2.4, 1.1),
    _store("spokane", "d8e9f0a1-b2c3-4567-8901-234567890abc", "Spokane, WA", "eastern-washington", 8, 2.0, 1.0),
    _store("everett", "3b9ac9fa-cd5e-4b92-a7f2-b8c1d0e9f2a3", "Everett, WA", "puget-sound", 7, 1.8, 0.95),
    _store("redmond", "e7f8a9b0-c1d2-3e4f-5678-90abcdef1234", "Redmond, WA", "puget-sound", 6, 1.6, 0.9),
    _store("kirkland", "9c8b7a65-4321-fed0-9876-543210fedcba", "Kirkland, WA", "puget-sound", 4, 1.4, 0.85),
    _store("online", "2f4e6d8c-1a3b-5c7e-9f0a-b2d4f6e8c0a2", "Online", "online", 30, 3.0, 1.5),
)
