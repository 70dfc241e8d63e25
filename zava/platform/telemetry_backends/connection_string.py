"""Application Insights' connection string, read as it is found in the field.

`opencensus` ends the process with ValueError for a trailing semicolon, an instrumentation key in capitals, and a value
that holds an equals sign: the portal, Bicep and people produce all three.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PUBLIC_CLOUD = "https://dc.services.visualstudio.com"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where items are sent: `endpoint` has no trailing slash, the instrumentation key is in lower case."""

    instrumentation_key: str
    endpoint: str

    @classmethod
    def parse(cls, connection_string: str) -> Destination:
        """
        Raises:
            ValueError: it names no resource; the message does not repeat it.
        """
        pairs = (part.partition("=") for part in connection_string.split(";") if part.strip())
        named = {name.strip().lower(): value.strip() for name, _, value in pairs}
        key = named.get("instrumentationkey", "").lower()
        if not _KEY.fullmatch(key):
            raise ValueError("the connection string has no InstrumentationKey that is a GUID")
        endpoint = named.get("ingestionendpoint", "")
        if not endpoint and (suffix := named.get("endpointsuffix")):
            location = f"{named['location']}." if named.get("location") else ""
            endpoint = f"https://{location}dc.{suffix}"
        return cls(key, (endpoint or _PUBLIC_CLOUD).rstrip("/"))
