"""Versioned SQL, applied by Alembic as zava_owner. Only the laptop and the deployment run it; the function app never does."""
