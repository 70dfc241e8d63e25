"""The least that settings must hold, for tests of what is built from them."""

from __future__ import annotations

from zava.platform.settings import Settings


def minimal_settings(**changes: str) -> Settings:
    """Settings with what is required and these changes; nothing is reached through them."""
    required = {
        "postgres_host": "127.0.0.1",
        "postgres_password": "p",
        "postgres_app_password": "p",
        "tenant_signing_key": "k1:" + "0" * 64,
    }
    return Settings.model_validate(required | changes)
