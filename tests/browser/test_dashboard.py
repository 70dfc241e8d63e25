"""The dashboard in a chat client's frame: the official host side of MCP Apps, the policy a host must enforce."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.browser.chat_client import violations
from tests.browser.conftest import OpenApp
from tests.browser.reports import EMPTY, FULL, ONE_STORE, refusal, result_of
from zava.services.performance_report import Comparison, Insight

_ERROR = json.dumps(
    {"code": "VALIDATION_ERROR", "message": "There is no store 'Mars'.", "hint": "Choose from: Seattle."}
)
_RESULTS = {"full": result_of(FULL), "empty": result_of(EMPTY), "error": refusal(_ERROR)}


@pytest.mark.parametrize("state", [*_RESULTS, "waiting"])
async def test_every_state_is_accessible_fits_its_frame_and_asks_for_nothing(state: str, open_app: OpenApp) -> None:
    app = await open_app(call_tool=lambda _: _RESULTS["full"])
    if state in _RESULTS:
        await app.show(_RESULTS[state])
    for width, theme in ((1100, "light"), (1100, "dark"), (320, "dark"), (320, "light")):
        await app.page.set_viewport_size({"width": width, "height": 800})
        await app.page.evaluate("theme => bridge.setHostContext({theme})", theme)
        await app.frame.locator(f"html[data-theme={theme}]").wait_for()
        assert await violations(app.frame) == []
        assert await app.frame.evaluate("document.documentElement.scrollWidth") <= width
        await app.screenshot(f"dashboard-{state}-{width}-{theme}")
    assert app.problems == []


async def test_the_figures_arrive_as_the_locale_writes_them(open_app: OpenApp) -> None:
    app = await open_app()
    await app.show(result_of(FULL))
    assert await app.text("#subject") == "All 8 stores"
    assert await app.text("#period") == "Oct 1 \N{EN DASH} 31, 2026"
    tiles = [text.split("\n") for text in await app.frame.locator(".tile").all_inner_texts()]
    assert tiles[0] == ["Revenue", "$1,284,311", "▲ +12.3% vs previous", "▲ +6.3% vs last year"]
    assert tiles[4] == ["Gross margin", "32.8%", "▼ -0.3 pts vs previous", "▼ -0.1 pts vs last year"]
    assert await app.frame.locator(".tile .bad").all_inner_texts() == [
        "▼ -0.3 pts vs previous",
        "▼ -0.1 pts vs last year",
        "▲ +1.3 pts vs previous",
        "▲ +1.2 pts vs last year",
        "▼ -9.8% vs previous",
        "▼ -3.9% vs last year",
    ]
    await app.page.evaluate("bridge.setHostContext({locale: 'de-DE', theme: 'dark'})")
    await app.frame.locator("html[data-theme=dark]").wait_for()
    assert (await app.text(".tile:first-child .value")).replace("\xa0", " ") == "1.284.311 $"
    assert app.problems == []


async def test_what_is_compared_is_said_with_where_its_orders_begin(open_app: OpenApp) -> None:
    app = await open_app()
    begun = Comparison(dt.date(2026, 9, 1), dt.date(2026, 9, 30), orders_begin=dt.date(2026, 9, 12))
    await app.show(result_of(replace(FULL, previous_period=begun, last_year=None, notes=("A note.",))))
    assert await app.frame.locator(".notes li").all_inner_texts() == [
        "A note.",
        "The previous period is Sep 1 \N{EN DASH} 30, 2026, with orders from Sep 12, 2026 on.",
        "Amounts are US dollars; a day ends at midnight UTC.",
    ]


async def test_the_trend_begins_at_zero_and_has_every_value_as_a_table(open_app: OpenApp) -> None:
    app = await open_app()
    await app.show(result_of(FULL))
    ticks = await app.frame.locator(".chart svg text[text-anchor=end]").all_text_contents()
    assert ticks[0] == "$0"
    label = await app.frame.locator(".chart svg").get_attribute("aria-label")
    assert label is not None
    assert label.startswith("Revenue by day: $38,000 on Oct 1, ")
    await app.frame.get_by_text("Show the 31 values as a table").focus()
    await app.page.keyboard.press("Enter")
    rows = app.frame.locator("details tbody tr")
    assert await rows.count() == 31
    assert await rows.last.locator("td, th").all_inner_texts() == ["Oct 31", "$45,498", "478", "\N{EN DASH}"]
    await app.frame.locator(".chart svg").hover(position={"x": 550, "y": 80})
    assert (await app.text(".readout")).startswith("Oct 1")
    assert app.problems == []


async def test_choosing_a_store_or_a_period_calls_the_tool_again_through_the_host(open_app: OpenApp) -> None:
    answers = [result_of(ONE_STORE), refusal(_ERROR)]
    app = await open_app(call_tool=lambda _: answers.pop(0))
    await app.show(result_of(FULL))
    tacoma = next(store.store_id for store in ONE_STORE.stores if store.selected)
    await app.frame.get_by_role("combobox", name="Store").select_option(label="Zava Retail Tacoma")
    await app.frame.get_by_role("heading", name="Zava Retail Tacoma").wait_for()
    assert await app.frame.get_by_role("combobox", name="Store").input_value() == tacoma
    await app.screenshot("dashboard-one-store")
    await app.frame.get_by_role("combobox", name="Period").select_option(label="Last quarter")
    await app.frame.get_by_role("alert").wait_for()
    assert await app.text("#problem") == "There is no store 'Mars'.\n\nChoose from: Seattle."
    assert await app.frame.locator("#report").is_visible(), "what was there stays"
    assert await app.seen("calls") == [
        {"name": "show_sales_dashboard", "arguments": {"time_period": "2026-10", "store": tacoma}},
        {"name": "show_sales_dashboard", "arguments": {"time_period": "last_quarter", "store": tacoma}},
    ]
    assert await app.seen("contexts") == ["In the dashboard the user now looks at Zava Retail Tacoma, 2026-10."]
    assert app.problems == []


async def test_an_answer_that_was_overtaken_by_a_later_choice_is_not_shown(open_app: OpenApp) -> None:
    first, second = asyncio.Event(), asyncio.Event()

    async def answer(params: dict[str, Any]) -> dict[str, Any]:
        if params["arguments"]["time_period"] == "last_quarter":
            second.set()
            return result_of(EMPTY)
        await second.wait()
        first.set()
        return result_of(ONE_STORE)

    app = await open_app(call_tool=answer)
    await app.show(result_of(FULL))
    await app.frame.get_by_role("combobox", name="Store").select_option(label="Zava Retail Tacoma")
    await app.frame.get_by_role("combobox", name="Period").select_option(label="Last quarter")
    await first.wait()
    await app.frame.locator("#dashboard:not([aria-busy])").wait_for()
    assert await app.text("#subject") == "Zava Retail Kirkland"
    assert app.problems == []


async def test_only_the_host_is_listened_to(open_app: OpenApp) -> None:
    app = await open_app()
    await app.show(result_of(FULL))
    forged = {"jsonrpc": "2.0", "method": "ui/notifications/tool-result", "params": result_of(EMPTY)}
    await app.page.evaluate(
        """forged => new Promise(done => {
            window.addEventListener("message", ({data}) => data === "sent" && done());
            const frame = document.createElement("iframe");
            frame.srcdoc = `<script>
              parent.frames[0].postMessage(${JSON.stringify(forged)}, "*");
              parent.postMessage("sent", "*");
            </` + `script>`;
            document.body.append(frame);
        })""",
        forged,
    )
    await app.page.evaluate("bridge.sendToolInput({arguments: {}})")
    await app.frame.get_by_text("Asking for the figures ...").wait_for()
    assert await app.text("#subject") == "All 8 stores"


async def test_a_host_without_tools_and_a_caller_with_one_store_get_no_filter_for_it(open_app: OpenApp) -> None:
    without_tools = await open_app()
    await without_tools.show(result_of(FULL))
    assert not await without_tools.frame.locator("#filters").is_visible()
    one_store = await open_app(call_tool=lambda _: result_of(EMPTY))
    await one_store.show(result_of(EMPTY))
    assert await one_store.frame.get_by_role("combobox", name="Period").is_visible()
    assert not await one_store.frame.get_by_role("combobox", name="Store").is_visible()


async def test_names_that_look_like_markup_stay_text(open_app: OpenApp) -> None:
    attack = '<img src=x onerror="parent.postMessage(1)"><script>document.title = "taken"</script>&lt;b&gt;'
    report = replace(
        FULL,
        subject=attack,
        insights=(Insight("growth", attack, {}),),
        categories=tuple(replace(category, name=attack) for category in FULL.categories),
        top_products=tuple(replace(product, name=attack, sku=attack) for product in FULL.top_products),
        stock_at_risk=tuple(replace(risk, name=attack, store=attack) for risk in FULL.stock_at_risk),
        stores=tuple(replace(store, name=attack, store_id=attack) for store in FULL.stores),
        notes=(attack,),
    )
    app = await open_app(call_tool=lambda _: refusal(json.dumps({"message": attack, "hint": attack})))
    await app.show(result_of(report))
    await app.frame.get_by_role("combobox", name="Store").select_option(index=1)
    await app.frame.get_by_role("alert").wait_for()
    assert await app.text("#subject") == attack
    assert await app.text("#problem") == f"{attack}\n\n{attack}"
    assert await app.frame.locator("img, b, main script, [onerror]").count() == 0
    assert await app.frame.title() == "Zava sales dashboard"
    assert app.problems == []


async def test_the_host_is_told_the_height_and_may_end_the_app(open_app: OpenApp) -> None:
    app = await open_app()
    await app.show(result_of(FULL))
    height = await app.frame.evaluate("Math.ceil(document.documentElement.getBoundingClientRect().height)")
    assert (await app.seen("heights"))[-1] == height
    assert await app.page.evaluate("bridge.teardownResource({})") == {}
    told: Any = await app.seen("heights")
    await app.frame.evaluate("document.body.style.paddingBottom = '100px'")
    await app.frame.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert await app.seen("heights") == told
    assert app.problems == []


async def test_a_cancelled_call_says_so(open_app: OpenApp) -> None:
    app = await open_app()
    await app.page.evaluate("bridge.sendToolCancelled({reason: 'The user stopped it.'})")
    await app.frame.get_by_role("alert").wait_for()
    assert await app.text("#problem") == "The call was cancelled.\n\nThe user stopped it."


async def test_a_last_step_that_is_cut_short_is_known_as_such(open_app: OpenApp) -> None:
    app = await open_app()
    cases = [
        ("day", "2026-03-31", "2026-03-31", False, False),
        ("day", "2026-03-31", "2026-03-31", True, True),
        ("week", "2026-03-25", "2026-03-31", False, False),
        ("week", "2026-03-26", "2026-03-31", False, True),
        ("month", "2024-02-01", "2024-02-29", False, False),
        ("month", "2024-02-01", "2024-02-28", False, True),
        ("quarter", "2026-10-01", "2026-12-31", False, False),
        ("quarter", "2026-10-01", "2026-11-30", False, True),
    ]
    for step, first_day, last_day, partial, short in cases:
        given = [{"first_day": first_day}, step, {"last_day": last_day, "partial": partial}]
        assert await app.frame.evaluate("given => isShort(...given)", given) == short, given


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        pytest.param(1, [0, 0.2, 0.4, 0.6, 0.8, 1], id="next to nothing"),
        pytest.param(21_375, [0, 5_000, 10_000, 15_000, 20_000, 25_000], id="a day's revenue"),
        pytest.param(500_000, [0, 100_000, 200_000, 300_000, 400_000, 500_000], id="a round number is the top"),
    ],
)
async def test_the_axis_has_round_numbers_from_zero(most: float, ticks: list[float], open_app: OpenApp) -> None:
    app = await open_app()
    found: Any = await app.frame.evaluate("most => niceTicks(most)", most)
    assert found == pytest.approx(ticks)


async def test_a_label_of_the_axis_is_its_number_and_not_a_rounder_one(open_app: OpenApp) -> None:
    app = await open_app()
    labels = await app.frame.evaluate("niceTicks(1250).concat(12_500_000).map(tick => state.format.short(tick))")
    assert labels == ["$0", "$250", "$500", "$750", "$1K", "$1.25K", "$12.5M"]
