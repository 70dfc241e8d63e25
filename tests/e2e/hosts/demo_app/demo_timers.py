"""Timers of the demo app, in a blueprint: what they were given is read by the tests."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import azure.functions as func

timers = func.Blueprint()
runs: asyncio.Queue[tuple[str, str, object]] = asyncio.Queue()
_loop = asyncio.get_running_loop()  # fails where the app is not imported inside the loop, as the worker does it


def _given(timer: func.TimerRequest) -> Any:
    """The public type declares `past_due` only; what a function gets has more."""
    return timer


@timers.timer_trigger(schedule="%TICK_SCHEDULE%", arg_name="timer", run_on_startup=False)
async def tick(timer: func.TimerRequest) -> None:
    await runs.put(("tick", f"past due: {timer.past_due}", _given(timer).schedule_status["Last"]))


@timers.timer_trigger(schedule="0 0 0 1 Jan *", arg_name="timer", run_on_startup=False)
def tock(timer: func.TimerRequest) -> None:
    in_main_thread = threading.current_thread() is threading.main_thread()
    _loop.call_soon_threadsafe(
        runs.put_nowait, ("tock", f"main thread: {in_main_thread}", _given(timer).schedule["AdjustForDST"])
    )


@timers.timer_trigger(schedule="0 0 0 1 Jan *", arg_name="timer", run_on_startup=False)
async def failing(timer: func.TimerRequest) -> None:
    await runs.put(("failing", f"past due: {timer.past_due}", None))
    raise ValueError("the host goes on")
