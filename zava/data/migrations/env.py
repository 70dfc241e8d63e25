"""Alembic's entry: every migration in a transaction of its own, as zava_owner, with the version kept in schema zava."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

connection: Connection = context.config.attributes["connection"]
connection.exec_driver_sql("SET ROLE zava_owner")
connection.commit()
context.configure(
    connection=connection,
    version_table="migrations",
    version_table_schema="zava",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
