"""How connections to PostgreSQL are protected."""

from __future__ import annotations

import ssl
from typing import Literal


def tls(sslmode: str) -> ssl.SSLContext | Literal[False]:
    """What asyncpg is given for POSTGRES_SSLMODE: `verify-full`, or `disable`.

    A context of our own: by the mode's name alone asyncpg looks for a certificate file in the user's home, which a
    function app has not, and refuses to connect. Azure's servers have certificates of authorities every system knows.
    """
    return False if sslmode == "disable" else ssl.create_default_context()
