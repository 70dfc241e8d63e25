"""Runs the SQL file of the same name."""

from zava.data.migrations.script import run_sql_file_of

revision = "0007_calendar_groups"
down_revision = "0006_context_time"


def upgrade() -> None:
    run_sql_file_of(__file__)
