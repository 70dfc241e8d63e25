"""Everything that can go wrong, as one tree; every leaf carries a stable code that clients may rely on.

    MCPError                        MCP_ERROR             root: message for people, hint that says what to do
    |-- ValidationError             VALIDATION_ERROR      an argument or header is malformed
    |-- AuthenticationError         AUTHENTICATION_ERROR  no token, or one that does not verify (HTTP 401)
    |-- AuthorizationError          AUTHORIZATION_ERROR   a verified caller asks for what is not theirs (HTTP 403)
    |   `-- InsufficientScopeError  INSUFFICIENT_SCOPE    the token's permissions do not reach; one with more would
    |-- ServiceUnavailableError     SERVICE_UNAVAILABLE   something Zava stands on is away; try again (HTTP 503)
    |-- BusyError                   BUSY                  this caller has enough calls in flight; try again
    |-- RateLimitError              RATE_LIMITED          too many calls; `retry_after` says when to call again
    `-- DatabaseError               DATABASE_ERROR        PostgreSQL failed in a way the caller cannot mend
        |-- QueryRefusedError       QUERY_REFUSED         the SQL policy says no; names rule and offending piece
        |-- QueryError              QUERY_ERROR           PostgreSQL says the SQL is wrong
        |-- QueryTimeoutError       QUERY_TIMEOUT         the statement ran into its time limit
        |-- DatabaseUnavailableError DATABASE_UNAVAILABLE no connection, or it broke; try again
        `-- IsolationError          ISOLATION_FAILED      the database did not confirm the tenant; nothing was read

A message or a hint is shown to callers: neither ever holds a secret, a stack, a DSN, or a value of a row.
"""

from __future__ import annotations


class MCPError(Exception):
    """Root of the tree. `retryable` says whether the same call may succeed a little later.

    `caller` is the hash of whom a request was refused to, once its token has verified: for the audit, never shown.
    """

    code = "MCP_ERROR"
    retryable = False
    caller = ""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """The `{code, message, hint}` that an MCP tool error carries; an empty hint is left out."""
        return {"code": self.code, "message": self.message} | ({"hint": self.hint} if self.hint else {})


class ValidationError(MCPError):
    code = "VALIDATION_ERROR"


class AuthenticationError(MCPError):
    """`token_sent` decides whether the challenge carries an `error` (RFC 6750, section 3.1)."""

    code = "AUTHENTICATION_ERROR"

    def __init__(self, message: str, hint: str = "", *, token_sent: bool) -> None:
        super().__init__(message, hint)
        self.token_sent = token_sent


class AuthorizationError(MCPError):
    code = "AUTHORIZATION_ERROR"


class InsufficientScopeError(AuthorizationError):
    code = "INSUFFICIENT_SCOPE"


class ServiceUnavailableError(MCPError):
    """`retry_after` is in whole seconds: before that Zava does not ask again itself for what is away."""

    code = "SERVICE_UNAVAILABLE"
    retryable = True

    def __init__(self, message: str, hint: str = "", retry_after: int = 5) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class BusyError(MCPError):
    code = "BUSY"
    retryable = True


class RateLimitError(MCPError):
    """`retry_after` is in whole seconds."""

    code = "RATE_LIMITED"
    retryable = True

    def __init__(self, message: str, hint: str, retry_after: int) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class DatabaseError(MCPError):
    code = "DATABASE_ERROR"


class QueryRefusedError(DatabaseError):
    code = "QUERY_REFUSED"


class QueryError(DatabaseError):
    code = "QUERY_ERROR"


class QueryTimeoutError(DatabaseError):
    code = "QUERY_TIMEOUT"


class DatabaseUnavailableError(DatabaseError):
    code = "DATABASE_UNAVAILABLE"
    retryable = True


class IsolationError(DatabaseError):
    code = "ISOLATION_FAILED"


# What PostgreSQL's SQLSTATE means to a caller, by code or by class (its first two characters); the code comes first.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE: dict[str, tuple[type[DatabaseError], str, str]] = {
    "08": (
        DatabaseUnavailableError,
        "The connection to the database broke.",
        "Try the same call again in a few seconds.",
    ),
    "0A": (QueryError, "PostgreSQL does not support that.", "Write the query another way."),
    "21": (QueryError, "A subquery used as a value returned more than one row.", "Aggregate it, or add LIMIT 1."),
    "22": (
        QueryError,
        "A value does not fit the operation (a bad cast, a division by zero, or a number out of range).",
        "Guard it: NULLIF(divisor, 0), or a CASE that keeps unfit values out.",
    ),
    "25": (QueryRefusedError, "Only reading is allowed.", "Write a SELECT."),
    "26": (
        DatabaseUnavailableError,
        "The connection to the database broke.",
        "Try the same call again in a few seconds.",
    ),
    "28": (
        DatabaseUnavailableError,
        "The database did not let Zava in.",
        "Try again; if it stays so, the operator must look.",
    ),
    "40": (
        DatabaseUnavailableError,
        "The database undid the query because of another one.",
        "Try the same call again.",
    ),
    "42": (QueryError, "", "Check names and types with get_multiple_table_schemas, then correct the query."),
    "42501": (
        QueryRefusedError,
        "That object is not readable here.",
        "Use the tables get_multiple_table_schemas lists.",
    ),
    "53": (
        DatabaseUnavailableError,
        "The database is out of a resource at the moment.",
        "Try again in a few seconds, and ask for less.",
    ),
    "54": (QueryError, "The query is too complex for PostgreSQL.", "Split it or simplify it."),
    "55": (
        DatabaseUnavailableError,
        "The database is busy with something else.",
        "Try the same call again in a few seconds.",
    ),
    "57": (DatabaseUnavailableError, "The database ended the connection.", "Try the same call again in a few seconds."),
    "57014": (
        QueryTimeoutError,
        "The query ran into its time limit.",
        "Ask for less: a shorter period, fewer joins, or an aggregate instead of rows.",
    ),
}


def error_of_sqlstate(sqlstate: str, message: str) -> DatabaseError:
    """The error of this tree for one of PostgreSQL's.

    Only class 42 (syntax, unknown names) repeats PostgreSQL's own message: it names what the caller wrote, while the
    messages of other classes may quote values of rows. DETAIL and CONTEXT are never repeated.
    """
    entry = _BY_SQLSTATE.get(sqlstate) or _BY_SQLSTATE.get(sqlstate[:2])
    if entry is None:
        return DatabaseError("The database could not answer.", "Try again; if it stays so, the operator must look.")
    error, text, hint = entry
    return error(text or f"{message[:300]}.", hint)
