"""Log records: one line of JSON on Azure, given to one place only, with the ids of their call."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from tests.telemetry_in_memory import spans_in_memory
from zava.errors import QueryError
from zava.platform import logs, tracing
from zava.platform.logs import JsonLines, LogLine, MaskingFilter

_log = logging.getLogger("zava.tests.logs")


@pytest.fixture
def host() -> Iterator[io.StringIO]:
    """The host's handler on the root logger, as the Functions worker adds it, set up as on Azure."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    handler.addFilter(MaskingFilter())
    handler.setFormatter(JsonLines())
    own = logging.getLogger(logs.OWN)
    level = own.level
    own.setLevel(logging.INFO)
    yield stream
    own.setLevel(level)
    logging.getLogger().removeHandler(handler)


def test_a_record_is_one_line_of_json_with_the_ids_of_its_call(host: io.StringIO) -> None:
    with spans_in_memory(), tracing.joined({}, "c1"), tracing.span("step"):
        ids = tracing.trace_ids()
        try:
            raise QueryError('column "Lovelace" does not exist')
        except QueryError:
            _log.exception("two\nlines for ada@example.com", extra={"custom_dimensions": {"rows": 3, "password": "x"}})
    (line,) = host.getvalue().splitlines()
    document = json.loads(line)
    assert ids is not None
    assert document.pop("time").endswith("+00:00")
    assert document.pop("exception").endswith("zava.errors.QueryError: QUERY_ERROR")
    assert document == {
        "level": "ERROR",
        "logger": "zava.tests.logs",
        "message": "two\nlines for ***",
        "correlation_id": "c1",
        "trace_id": ids[0],
        "span_id": ids[1],
        "dimensions": {"rows": 3, "password": "***"},
    }


@pytest.mark.parametrize(("on_azure", "lines_of_the_host"), [(True, 0), (False, 1)])
def test_what_telemetry_takes_is_not_given_to_the_host_as_well(
    on_azure: bool, lines_of_the_host: int, host: io.StringIO
) -> None:
    taken: list[LogLine] = []
    stop = logs.ship(taken.append, on_azure=on_azure)
    try:
        _log.info("once")
        logging.getLogger("another.package").warning("the host's own")
    finally:
        stop()
    _log.info("afterwards")
    messages = [json.loads(line)["message"] for line in host.getvalue().splitlines()]
    assert [line.message for line in taken] == ["once"]
    assert messages.count("once") == lines_of_the_host
    assert [message for message in messages if message != "once"] == ["the host's own", "afterwards"]
