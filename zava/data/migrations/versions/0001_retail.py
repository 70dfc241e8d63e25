"""Runs the SQL file of the same name."""

from zava.data.migrations.script import run_sql_file_of

revision = "0001_retail"
down_revision = None


def upgrade() -> None:
    run_sql_file_of(__file__)
