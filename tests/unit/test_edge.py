"""What every answer carries, who browsers may be told to let in, and how many requests one address may send."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.clock import Clock
from zava.platform.call_rate import CallRate
from zava.protocol.edge import Edge, client_address
from zava.protocol.http import HttpReply, reply

_ORIGIN = "https://shop.example"
_ALWAYS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


def edge(*, on_azure: bool = False, origins: tuple[str, ...] = (), flood: CallRate | None = None) -> Edge:
    return Edge(on_azure=on_azure, allowed_origins=frozenset(origins), flood=flood)


async def work() -> HttpReply:
    return reply(200, b"{}", "0" * 32)


async def answer(door: Edge, method: str = "POST", *, any_origin: bool = False, **headers: str | None) -> HttpReply:
    """A header (`_` for `-`) that is None is left out."""
    named = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
    return await door.answer(method, named, work, any_origin=any_origin)


def cross_origin(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("access-control") or name == "vary"}


async def test_every_answer_carries_the_security_headers_and_no_cors() -> None:
    headers = dict((await answer(edge(), origin=_ORIGIN)).headers)
    assert headers == _ALWAYS | {"content-type": "application/json", "x-correlation-id": "0" * 32}


async def test_on_azure_browsers_are_told_to_stay_with_https() -> None:
    headers = (await answer(edge(on_azure=True))).headers
    assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"


async def test_a_page_may_bring_its_own_policy() -> None:
    async def page() -> HttpReply:
        return reply(
            200, b"<p>", "0" * 32, content_type="text/html", extra={"content-security-policy": "style-src 'x'"}
        )

    assert (await edge().answer("GET", {}, page)).headers["content-security-policy"] == "style-src 'x'"


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [
        pytest.param((), _ORIGIN, {}, id="no origin is listed"),
        pytest.param((_ORIGIN,), None, {"vary": "Origin"}, id="no browser"),
        pytest.param((_ORIGIN,), "https://evil.example", {"vary": "Origin"}, id="another origin"),
        pytest.param(("null",), "null", {}, id="null is nobody"),
        pytest.param(
            (_ORIGIN,),
            "https://SHOP.example",
            {
                "vary": "Origin",
                "access-control-allow-origin": "https://SHOP.example",
                "access-control-expose-headers": "retry-after, www-authenticate, x-correlation-id",
            },
            id="a listed origin",
        ),
    ],
)
async def test_which_origins_may_read_an_answer(
    origins: tuple[str, ...], origin: str | None, expected: dict[str, str]
) -> None:
    assert cross_origin((await answer(edge(origins=origins), origin=origin)).headers) == expected


async def test_a_preflight_of_a_listed_origin_is_answered_without_asking_the_endpoint() -> None:
    got = await answer(
        edge(origins=(_ORIGIN,)),
        "OPTIONS",
        origin=_ORIGIN,
        access_control_request_method="POST",
        access_control_request_headers="authorization, Mcp-Param-Region, mcp-param-bad header, x-other",
    )
    assert (got.status, got.body) == (204, b"")
    assert cross_origin(got.headers) == {
        "vary": "Origin",
        "access-control-allow-origin": _ORIGIN,
        "access-control-expose-headers": "retry-after, www-authenticate, x-correlation-id",
        "access-control-allow-methods": "POST, GET, OPTIONS",
        "access-control-allow-headers": "accept, authorization, content-type, last-event-id, mcp-method, mcp-name, "
        "mcp-protocol-version, mcp-session-id, traceparent, x-rls-user-id, mcp-param-region",
        "access-control-max-age": "600",
    }


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
async def test_a_preflight_of_any_other_origin_is_refused(origin: str | None) -> None:
    got = await answer(edge(origins=(_ORIGIN,)), "OPTIONS", origin=origin)
    assert (got.status, cross_origin(got.headers)) == (403, {"vary": "Origin"})


async def test_a_public_document_may_be_read_from_anywhere() -> None:
    got = await answer(edge(), "GET", any_origin=True, origin="https://any.example")
    preflight = await answer(edge(), "OPTIONS", any_origin=True, origin="https://any.example")
    assert (cross_origin(got.headers), preflight.status) == ({"access-control-allow-origin": "*"}, 204)
    assert preflight.headers["access-control-allow-origin"] == "*"


async def test_an_address_that_floods_gets_429_and_others_go_on() -> None:
    clock = Clock(100.0)
    door = edge(on_azure=True, flood=CallRate(0.5, 3, clock))
    statuses = [(await answer(door, x_forwarded_for="9.9.9.9, 1.2.3.4:55")).status for _ in range(5)]
    refused = await answer(door, x_forwarded_for="7.7.7.7, 1.2.3.4:56")
    other = await answer(door, x_forwarded_for="1.2.3.4, 5.6.7.8:55")
    clock.now += 0.5
    later = await answer(door, x_forwarded_for="1.2.3.4:57")
    assert statuses == [200, 200, 200, 429, 429]
    assert (refused.status, other.status, later.status) == (429, 200, 200)
    assert refused.headers["retry-after"] == "1"
    assert _ALWAYS.items() <= refused.headers.items()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3.4:8080", "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4:1", "1.2.3.4"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2:ffff::1]:443", "2001:db8:1:2::/64"),
        ("[::ffff:1.2.3.4]:443", "1.2.3.4"),
        ("1.2.3.4, ", "unknown"),
        ("", "unknown"),
        ("1.2.3.4, evil", "unknown"),
        ("x" * 10_000, "unknown"),
    ],
)
def test_the_address_is_the_last_one_and_nobodys_invention(header: str, expected: str) -> None:
    assert client_address({"x-forwarded-for": header}) == expected
