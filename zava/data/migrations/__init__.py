"""Versioned SQL, applied by Alembic as zava_owner. The function app never runs it."""
