"""The only wiring: builds every part once per worker. Building opens nothing; connections come with the first call."""

from __future__ import annotations

from dataclasses import dataclass

from zava.data.embedding_store import EmbeddingStore
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.query_runner import QueryLimits, QueryRunner
from zava.data.schema_catalogue import SchemaCatalogue
from zava.data.store_directory import StoreDirectory
from zava.data.tenant_context import ContextSigner, SigningKey
from zava.data.tenant_transaction import TenantTransactions
from zava.platform.embedders import HashingEmbedder
from zava.platform.jwks import JwksCache
from zava.platform.settings import Settings
from zava.platform.token_verifier import JwtVerifier, TrustedIssuer
from zava.protocol.authentication import Authentication, ProtectedResource
from zava.protocol.endpoint import McpEndpoint, kernel_server
from zava.protocol.health import Health
from zava.protocol.server import build_server
from zava.services.access import AccessRules
from zava.services.calls_in_flight import CallsInFlight
from zava.services.embedding_refresh import EmbeddingRefresh
from zava.services.sales_query import SalesQueries
from zava.services.table_schemas import TableSchemas


# Ten times the longest statement the policy reads. A hostile body of 4 MiB holds up the whole worker for up to 0.9 s.
_MAX_BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Application:
    """What the triggers call, and what the commands and tests reach the same parts by."""

    endpoint: McpEndpoint
    sales_queries: SalesQueries
    resource: ProtectedResource
    health: Health
    embedding_refresh: EmbeddingRefresh
    pools: Pools


def build(settings: Settings) -> Application:
    pools = Pools(settings)
    signing_key = SigningKey.parse(settings.tenant_signing_key.get_secret_value())
    proof = IsolationProof(pools, signing_key)
    transactions = TenantTransactions(pools, ContextSigner(signing_key), proof)
    limits = QueryLimits(settings.query_max_rows, settings.query_max_bytes, settings.query_timeout_seconds)
    sales_queries = SalesQueries(
        QueryRunner(transactions, limits), CallsInFlight(settings.calls_in_flight_per_principal)
    )
    server = build_server(sales_queries, TableSchemas(SchemaCatalogue(transactions)))

    issuer = TrustedIssuer.of(settings)
    authentication = Authentication(JwtVerifier(issuer, JwksCache(issuer.jwks_url)), AccessRules(StoreDirectory(pools)))
    resource = ProtectedResource.of(settings)
    endpoint = McpEndpoint(
        kernel_server(server),
        authentication.admit,
        allowed_origins=settings.mcp_allowed_origins,
        request_timeout=settings.request_timeout_seconds,
        max_body_bytes=_MAX_BODY_BYTES,
        challenge=resource.www_authenticate,
    )
    return Application(
        endpoint=endpoint,
        sales_queries=sales_queries,
        resource=resource,
        health=Health(proof, authentication),
        embedding_refresh=EmbeddingRefresh(EmbeddingStore(pools), HashingEmbedder()),
        pools=pools,
    )
