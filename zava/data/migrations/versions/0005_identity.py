"""Runs the SQL file of the same name."""

from zava.data.migrations.script import run_sql_file_of

revision = "0005_identity"
down_revision = "0004_product_search"


def upgrade() -> None:
    run_sql_file_of(__file__)
