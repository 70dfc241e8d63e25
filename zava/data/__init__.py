"""PostgreSQL: pools, signed tenant context, SQL policy, query runner, stores of rows, migrations."""
