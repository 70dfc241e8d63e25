"""Runs the SQL file of the same name."""

from zava.data.migrations.script import run_sql_file_of

revision = "0006_context_time"
down_revision = "0005_identity"


def upgrade() -> None:
    run_sql_file_of(__file__)
