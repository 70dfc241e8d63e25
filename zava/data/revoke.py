"""Ends tokens before they expire; every worker refuses them ten seconds later at the latest.

    python -m zava.data.revoke token ID                 # one token, by its jti (Entra ID: uti)
    python -m zava.data.revoke subject ISSUER SUBJECT    # all tokens a subject was issued up to now
    python -m zava.data.revoke list

A subject's new tokens are good again: to keep somebody out, take the role away at the issuer first, then revoke. (A new
token is refused for a minute, one of Entra ID for six, because its `iat` lies that far back.) What is written here is
deleted once every token it could mean has expired. Connects as an administrator, as `python -m zava.data.grant` does.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence

from zava.data import command
from zava.data.administration import AdministratorConnection
from zava.platform.token_verifier import LEEWAY_SECONDS, LONGEST_LIFETIME_SECONDS

_KEPT = dt.timedelta(seconds=LONGEST_LIFETIME_SECONDS + 2 * LEEWAY_SECONDS)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m zava.data.revoke", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show what is revoked")
    commands.add_parser("token", help="end one token").add_argument("token_id", metavar="ID")
    subject = commands.add_parser("subject", help="end all tokens of a subject issued up to now")
    subject.add_argument("issuer", metavar="ISSUER")
    subject.add_argument("subject", metavar="SUBJECT")
    options = parser.parse_args(arguments)

    async def work(administrator: AdministratorConnection) -> str:
        if options.command == "list":
            return await revoked(administrator)
        if options.command == "token":
            return await revoke_token(administrator, options.token_id)
        return await revoke_subject(administrator, options.issuer, options.subject)

    return command.run(work)


async def revoked(administrator: AdministratorConnection) -> str:
    async with command.as_role(administrator, "zava_owner") as connection:
        tokens = await connection.fetch("SELECT token_id, keep_until FROM zava.revoked_tokens ORDER BY 2, 1")
        subjects = await connection.fetch("SELECT issuer, subject, not_before FROM zava.revoked_subjects ORDER BY 3")
    lines = [f"token {row['token_id']}  (forgotten {row['keep_until']:%Y-%m-%d %H:%M} UTC)" for row in tokens]
    lines += [
        f"subject {row['issuer']}  {row['subject']}  issued up to {row['not_before']:%Y-%m-%d %H:%M:%S} UTC"
        for row in subjects
    ]
    return "\n".join(lines) or "Nothing is revoked."


async def revoke_token(administrator: AdministratorConnection, token_id: str) -> str:
    async with command.as_role(administrator, "zava_owner") as connection:
        await connection.execute("DELETE FROM zava.revoked_tokens WHERE keep_until <= now()")
        await connection.execute(
            """INSERT INTO zava.revoked_tokens (token_id, keep_until) VALUES ($1, now() + $2::interval)
               ON CONFLICT (token_id) DO UPDATE SET keep_until = excluded.keep_until""",
            token_id,
            _KEPT,
        )
    return f"The token {token_id} is revoked."


async def revoke_subject(administrator: AdministratorConnection, issuer: str, subject: str) -> str:
    async with command.as_role(administrator, "zava_owner") as connection:
        await connection.execute("DELETE FROM zava.revoked_subjects WHERE keep_until <= now()")
        not_before: dt.datetime | None = await connection.fetchval(
            """INSERT INTO zava.revoked_subjects (issuer, subject, keep_until) VALUES ($1, $2, now() + $3::interval)
               ON CONFLICT (issuer, subject) DO UPDATE SET not_before = now(), keep_until = excluded.keep_until
               RETURNING not_before""",
            issuer,
            subject,
            _KEPT,
        )
    if not_before is None:
        raise ValueError("the database did not say what is revoked now")
    return f"Every token of {subject} issued up to {not_before:%Y-%m-%d %H:%M:%S} UTC is revoked."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
