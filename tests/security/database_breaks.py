"""Databases broken on purpose, each in one place: the statement that does it, and the attempt that must show it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.security.forgeries import FORGERIES
from tests.security.hidden_row_oracles import HIDDEN_ROW_ORACLES
from tests.security.planted import Planted
from tests.security.ways import (
    AllWalls,
    ForgedTransactions,
    PolicyOff,
    ReadWriteTransactions,
    SimpleProtocol,
    TrustingProof,
    Unwrapped,
    Way,
)
from zava.data.isolation_proof import IsolationProof
from zava.data.tenant_context import TenantScope
from zava.data.tenant_transaction import TenantTransactions


def trusting(parts: Planted) -> IsolationProof:
    """The proof would stop every call in a broken database; here the wall behind it is looked at."""
    return TrustingProof(parts.pools, parts.signer)


def as_the_app(parts: Planted) -> TenantTransactions:
    return TenantTransactions(parts.pools, parts.signer, trusting(parts))


def writable(parts: Planted) -> TenantTransactions:
    return ReadWriteTransactions(parts.pools, parts.signer, trusting(parts))


def forged(name: str) -> Callable[[Planted], TenantTransactions]:
    return lambda parts: ForgedTransactions(
        parts.pools, trusting(parts), lambda scope: FORGERIES[name](parts.signing_key, scope)
    )


_GUARD = """
DO $do$
DECLARE source text := pg_get_functiondef('guard.current_store_ids()'::regprocedure);
BEGIN
    EXECUTE replace(source, $a${before}$a$, $a${after}$a$);
    ASSERT pg_get_functiondef('guard.current_store_ids()'::regprocedure) <> source, 'nothing was replaced';
END $do$
"""


@dataclass(frozen=True, slots=True)
class Break:
    """What is done to the database, what is tried there, and what must be found: by the attempt, and by the proof.

    The proof cannot know a retired key: where it has nothing to say, `proof` is empty.
    """

    statement: str
    attempt: str
    found: str
    proof: str
    way: Callable[[TenantTransactions, TenantScope], Way] = Unwrapped
    transactions: Callable[[Planted], TenantTransactions] = as_the_app
    own: tuple[str, ...] = ("seattle",)
    mended: str = ""


DATABASE_BREAKS = {
    "policy without a condition": Break(
        "ALTER POLICY stores_in_scope ON retail.customers USING (true)",
        "SELECT email FROM customers",
        "rows of bellevue",
        "policies_are_ours",
        AllWalls,
    ),
    "policy that a count betrays": Break(
        "ALTER POLICY stores_in_scope ON retail.orders USING (true)",
        "SELECT count(*) FROM orders",
        "depends on rows of others",
        "policies_are_ours",
        AllWalls,
    ),
    "policy that an error betrays": Break(
        "ALTER POLICY stores_in_scope ON retail.orders USING (true)",
        HIDDEN_ROW_ORACLES["division in a filter"],
        "depends on rows of others",
        "policies_are_ours",
        AllWalls,
    ),
    "row security off": Break(
        "ALTER TABLE retail.inventory DISABLE ROW LEVEL SECURITY",
        "SELECT max(stock_level) FROM retail.inventory GROUP BY store_id",
        "rows of online",
        "row_security_is_forced",
        PolicyOff,
    ),
    "login that row security does not bind": Break(
        "ALTER ROLE zava_reader BYPASSRLS",
        "TABLE retail.stores",
        "rows of tacoma",
        "login_is_plain",
        mended="ALTER ROLE zava_reader NOBYPASSRLS",
    ),
    "login that is a member of the owner": Break(
        "GRANT zava_guard TO zava_reader",
        "SET LOCAL ROLE zava_guard; SELECT encode(inner_pad, 'hex') FROM guard.context_key",
        "rows of the signing key",
        "login_is_member_of_nothing",
        SimpleProtocol,
        mended="REVOKE zava_guard FROM zava_reader",
    ),
    "keys to read": Break(
        "GRANT SELECT (inner_pad, outer_pad) ON guard.context_key TO zava_reader",
        "SELECT encode(inner_pad, 'hex') FROM guard.context_key",
        "rows of the signing key",
        "login_reads_only_retail",
    ),
    "directory to read": Break(
        "GRANT SELECT ON guard.store_directory TO zava_reader",
        "SELECT store_id FROM guard.store_directory",
        "rows of everett",
        "login_reads_only_retail",
    ),
    "view with its owner's rights": Break(
        "CREATE VIEW retail.everybody AS TABLE retail.customers; GRANT SELECT ON retail.everybody TO zava_reader",
        "TABLE retail.everybody",
        "rows of kirkland",
        "every_readable_table_is_known",
    ),
    "function that lends rights": Break(
        "CREATE FUNCTION retail.everybody() RETURNS SETOF retail.customers LANGUAGE sql SECURITY DEFINER "
        "AS 'TABLE retail.customers'",
        "SELECT * FROM retail.everybody()",
        "rows of redmond",
        "no_other_function_lends_rights",
    ),
    "column that may be written": Break(
        "GRANT INSERT (category_name) ON retail.categories TO zava_reader",
        "INSERT INTO retail.categories (category_name) VALUES ('written')",
        "wrote into retail.categories",
        "login_only_reads",
        transactions=writable,
    ),
    "expiry ignored": Break(
        _GUARD.format(before="remaining <= 0 OR remaining > 120", after="false"),
        "TABLE retail.customers",
        "rows of spokane",
        "expired_context_sees_nothing",
        transactions=forged("expired"),
        own=(),
    ),
    "end far ahead allowed": Break(
        _GUARD.format(before="OR remaining > 120", after=""),
        "TABLE retail.customers",
        "rows of spokane",
        "long_lived_context_sees_nothing",
        transactions=forged("valid for a year"),
        own=(),
    ),
    "signature ignored": Break(
        _GUARD.format(before="<> decode(right(context, 64), 'hex')", after="IS NULL"),
        "TABLE retail.customers",
        "rows of spokane",
        "forged_context_sees_nothing",
        transactions=forged("altered scope"),
        own=(),
    ),
    "retired keys accepted": Break(
        _GUARD.format(before="AND (k.not_after IS NULL OR k.not_after > transaction_timestamp())", after=""),
        "TABLE retail.customers",
        "rows of spokane",
        "",
        transactions=forged("retired key"),
        own=(),
    ),
}
