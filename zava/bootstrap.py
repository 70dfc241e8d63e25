"""The only wiring: builds every part once per worker. Building opens nothing; connections come with the first call."""

from __future__ import annotations

from dataclasses import astuple, dataclass

from zava import VERSION
from zava.data.call_rates import SharedCallRates
from zava.data.context_signers import SecretSigners
from zava.data.embedding_lease import EmbeddingLeases
from zava.data.embedding_models import EmbeddingModels
from zava.data.embedding_store import EmbeddingStore
from zava.data.grants import StoredGrants
from zava.data.isolation_proof import IsolationProof
from zava.data.pools import Pools
from zava.data.product_search import ProductSearch
from zava.data.product_words import read_product_words
from zava.data.query_runner import QueryLimits, QueryRunner
from zava.data.repeated_read import repeated_read
from zava.data.revocations import Revocations
from zava.data.sales_figures import SalesFiguresSource
from zava.data.schema_catalogue import SchemaCatalogue
from zava.data.store_directory import StoreDirectory
from zava.data.tenant_stores import TenantStores
from zava.data.tenant_transaction import TenantTransactions
from zava.platform.credential import SharedCredential
from zava.platform.database_login import DatabaseLogins
from zava.platform.embedders.choice import Embedders
from zava.platform.jwks import JwksCache
from zava.platform.operator_key import OperatorKeys
from zava.platform.pseudonyms import Pseudonyms
from zava.platform.query_monitor import QueryMonitor
from zava.platform.redis_level import RedisLevel
from zava.platform.result_cache import ResultCache
from zava.platform.secrets import Secrets
from zava.platform.settings import Settings
from zava.platform.telemetry_backends import choice as telemetry
from zava.platform.token_verifier import JwtVerifier, TrustedIssuer
from zava.protocol.authentication import Authentication, ProtectedResource
from zava.protocol.edge import Edge
from zava.protocol.endpoint import McpEndpoint, kernel_server
from zava.protocol.health import Health
from zava.protocol.resources import ZavaResources
from zava.protocol.server import build_server
from zava.protocol.shutdown import Shutdown
from zava.services.access import AccessRules
from zava.services.calls_in_flight import CallsInFlight
from zava.services.embedding_refresh import EmbeddingRefresh
from zava.services.health_checks import HealthChecks
from zava.services.health_probes import (
    AiServiceProbe,
    ApplicationProbe,
    CacheProbe,
    DatabaseProbe,
    IsolationProbe,
    SecretsProbe,
    SystemProbe,
)
from zava.services.own_values import OwnValues
from zava.services.product_search import ProductSearches
from zava.services.query_embedding import QueryEmbeddings
from zava.services.rate_limit import RateLimit
from zava.services.sales_query import SalesQueries
from zava.services.spelling import ProductVocabulary
from zava.services.store_performance import StorePerformance
from zava.services.table_schemas import TableSchemas
from zava.services.tenant_answers import TenantAnswers

# Ten times the longest statement the policy reads. A hostile body of 4 MiB holds up the whole worker for up to 0.9 s.
_MAX_BODY_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Application:
    """What the triggers call, and what the commands and tests reach the same parts by."""

    edge: Edge
    endpoint: McpEndpoint
    sales_queries: SalesQueries
    product_searches: ProductSearches
    performance: StorePerformance
    resource: ProtectedResource
    health: Health
    embedding_refresh: EmbeddingRefresh
    pools: Pools
    monitor: QueryMonitor
    result_cache: ResultCache
    shutdown: Shutdown
    redis_level: RedisLevel


def build(settings: Settings) -> Application:
    credential = SharedCredential.of(settings)
    telemetry.start(settings, credential)
    secrets = Secrets.of(settings, credential)
    pools = Pools(settings, DatabaseLogins.of(settings, secrets, credential))
    signers = SecretSigners(secrets)
    proof = IsolationProof(pools, signers)
    transactions = TenantTransactions(pools, signers, proof)
    limits = QueryLimits(settings.query_max_rows, settings.query_max_bytes, settings.query_timeout_seconds)
    calls_in_flight = CallsInFlight(settings.calls_in_flight_per_principal)
    monitor = QueryMonitor(settings.slow_query_seconds)
    redis_level = RedisLevel(secrets, settings.query_cache_seconds)
    result_cache = ResultCache(
        settings.query_cache_seconds,
        settings.query_cache_bytes,
        # Deployments that share a Redis share no answers, unless they are of one code and ask one database.
        [
            VERSION,
            settings.postgres_host,
            settings.postgres_reader_host,
            settings.postgres_port,
            settings.postgres_database,
            *astuple(limits),
        ],
        redis_level,
    )
    answers = TenantAnswers(result_cache)
    sales_queries = SalesQueries(QueryRunner(transactions, limits), calls_in_flight, monitor, answers)

    embedders = Embedders(settings, credential)
    models = EmbeddingModels(pools)
    query_embeddings = QueryEmbeddings(embedders)
    product_searches = ProductSearches(
        ProductSearch(transactions),
        models,
        query_embeddings,
        ProductVocabulary(lambda: repeated_read(lambda: read_product_words(pools))),
        calls_in_flight,
        monitor,
    )
    catalogue, stores = SchemaCatalogue(pools), TenantStores(transactions)
    table_schemas = TableSchemas(catalogue, stores, monitor)
    directory = StoreDirectory(pools)
    performance = StorePerformance(SalesFiguresSource(transactions), directory, calls_in_flight, monitor, answers)
    server = build_server(
        sales_queries,
        table_schemas,
        product_searches,
        performance,
        ZavaResources(table_schemas, stores),
        OwnValues(stores, catalogue),
    )

    issuer = TrustedIssuer.of(settings)
    authentication = Authentication(
        JwtVerifier(issuer, JwksCache(issuer.jwks_url or OperatorKeys(secrets))),
        AccessRules(directory, StoredGrants(pools)),
        Revocations(pools),
        RateLimit(SharedCallRates(pools), settings.rate_limit_per_minute, settings.rate_limit_burst),
        Pseudonyms(secrets),
    )
    essential = [DatabaseProbe(pools), IsolationProbe(proof), SecretsProbe(secrets)]
    others = [
        AiServiceProbe(query_embeddings, embedders.configured_model),
        CacheProbe(query_embeddings, result_cache, redis_level),
        SystemProbe(),
        ApplicationProbe(monitor),
    ]
    resource = ProtectedResource.of(settings)
    endpoint = McpEndpoint(
        kernel_server(server),
        authentication.admit,
        allowed_origins=settings.mcp_allowed_origins,
        request_timeout=settings.request_timeout_seconds,
        max_body_bytes=_MAX_BODY_BYTES,
        challenge=resource.www_authenticate,
    )
    edge = Edge.of(settings)

    async def close() -> None:
        await redis_level.close()
        await pools.close()

    return Application(
        edge=edge,
        endpoint=endpoint,
        sales_queries=sales_queries,
        product_searches=product_searches,
        performance=performance,
        resource=resource,
        health=Health(HealthChecks(essential), HealthChecks([*essential, *others]), authentication),
        embedding_refresh=EmbeddingRefresh(EmbeddingStore(pools), EmbeddingLeases(pools), models, embedders),
        pools=pools,
        monitor=monitor,
        result_cache=result_cache,
        shutdown=Shutdown(edge, close, seconds=settings.request_timeout_seconds),
        redis_level=redis_level,
    )
