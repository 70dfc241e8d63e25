"""Runs the SQL file of the same name."""

from zava.data.migrations.script import run_sql_file_of

revision = "0004_product_search"
down_revision = "0003_row_security"


def upgrade() -> None:
    run_sql_file_of(__file__)
