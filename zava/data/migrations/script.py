"""Runs one migration's SQL file, statement by statement, inside Alembic's transaction."""

from __future__ import annotations

from pathlib import Path

import postgast
from alembic import op


def run_sql_file_of(module_file: str) -> None:
    """Run the `.sql` file beside a migration module. PostgreSQL's own grammar splits it, so `$$` bodies stay whole."""
    for statement in postgast.split(Path(module_file).with_suffix(".sql").read_text("utf-8")):
        op.get_bind().exec_driver_sql(statement)
