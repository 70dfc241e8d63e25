"""Runs the SQL file of the same name."""

from zava.data.migrations.script import run_sql_file_of

revision = "0002_guard"
down_revision = "0001_retail"


def upgrade() -> None:
    run_sql_file_of(__file__)
