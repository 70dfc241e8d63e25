"""The resources: the schema, one table of it, and the caller's own stores."""

from __future__ import annotations

import re
from urllib.parse import unquote
from uuid import UUID

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import Resource, ResourceTemplate
from pydantic import BaseModel

from zava.data.tenant_stores import TenantStores
from zava.protocol.request import McpRequest
from zava.protocol.schema_answer import schema_answer, schema_text
from zava.services.table_schemas import TableSchemas

SCHEMA = "zava://schema"
TABLE = "zava://schema/{table}"
STORES = "zava://stores"

_TABLE = re.compile(r"zava://schema/([^/?#]+)")
_TEXT, _JSON = "text/plain", "application/json"

LISTED = (
    Resource(
        uri=SCHEMA,
        name="schema",
        title="All tables",
        description="Columns, keys, valid values, joins and an example query of every retail table.",
        mime_type=_TEXT,
    ),
    Resource(
        uri=STORES,
        name="stores",
        title="My stores",
        description="The stores you may see: id, name, location, region, and whether it is the online store.",
        mime_type=_JSON,
    ),
)
TEMPLATES = (
    ResourceTemplate(
        uri_template=TABLE,
        name="table_schema",
        title="One table",
        description="The same of one retail table.",
        mime_type=_TEXT,
    ),
)


class OwnStore(BaseModel):
    store_id: UUID
    name: str
    location: str
    region: str
    is_online: bool


class OwnStores(BaseModel):
    stores: list[OwnStore]


def known_as(uri: str) -> str:
    """The resource or the template a URI belongs to; the URI itself if it is none of ours."""
    return TABLE if _TABLE.fullmatch(uri) else uri


class ZavaResources:
    def __init__(self, table_schemas: TableSchemas, stores: TenantStores) -> None:
        self._table_schemas = table_schemas
        self._stores = stores

    async def read(self, uri: str, request: McpRequest) -> ReadResourceContents | None:
        """The content of a resource for one caller; None if the URI is none of ours.

        Raises:
            ValidationError: there is no such table.
            DatabaseError: and its kin, as `TenantTransactions.open` lists them.
        """
        scope, deadline = request.caller.scope, request.deadline
        if uri == STORES:
            own = await self._stores.read(scope, deadline=deadline)
            document = OwnStores(stores=[OwnStore.model_validate(store, from_attributes=True) for store in own])
            return ReadResourceContents(document.model_dump_json(), _JSON)
        table = _TABLE.fullmatch(uri)
        if uri != SCHEMA and table is None:
            return None
        names = [unquote(table[1])] if table else []
        described = await self._table_schemas.describe(names, scope, deadline=deadline)
        return ReadResourceContents(schema_text(schema_answer(described)), _TEXT)
