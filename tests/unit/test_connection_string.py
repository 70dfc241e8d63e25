"""Application Insights' connection string: as the portal, Bicep and people write it."""

from __future__ import annotations

import pytest

from tests.azure_standins.collector import KEY
from zava.platform.telemetry_backends.connection_string import Destination

_ENDPOINT = "https://westeurope-5.in.applicationinsights.azure.com"
_HERE = Destination(KEY, _ENDPOINT)


@pytest.mark.parametrize(
    ("text", "destination"),
    [
        (f"InstrumentationKey={KEY};IngestionEndpoint={_ENDPOINT}/", _HERE),
        (f"InstrumentationKey={KEY};IngestionEndpoint={_ENDPOINT}/;LiveEndpoint=https://x/;ApplicationId=1;", _HERE),
        (f"InstrumentationKey={KEY.upper()};IngestionEndpoint={_ENDPOINT}", _HERE),
        (f" instrumentationkey = {KEY} ; ingestionendpoint = {_ENDPOINT}// ;; ", _HERE),
        (f"InstrumentationKey={KEY};IngestionEndpoint={_ENDPOINT}?a=b=c", Destination(KEY, f"{_ENDPOINT}?a=b=c")),
        (f"InstrumentationKey={KEY}", Destination(KEY, "https://dc.services.visualstudio.com")),
        (
            f"InstrumentationKey={KEY};EndpointSuffix=ai.example;Location=north",
            Destination(KEY, "https://north.dc.ai.example"),
        ),
    ],
)
def test_what_is_found_in_the_field_is_read(text: str, destination: Destination) -> None:
    assert Destination.parse(text) == destination


@pytest.mark.parametrize("text", ["nonsense", "InstrumentationKey=;", f"InstrumentationKey=x{KEY}", ";;;"])
def test_what_names_no_resource_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match="no InstrumentationKey that is a GUID"):
        Destination.parse(text)
