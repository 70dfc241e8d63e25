"""The refresh command in a process of its own, signed in to a stand-in: `python -m ... PORT [arguments]`."""

from __future__ import annotations

import sys

from tests import network_guard
from tests.azure_standins.openai_service import HOST, FixedCredential
from zava.platform import credential
from zava.services import embedding_commands


def _credential(_client_id: str, *, on_azure: bool) -> FixedCredential:
    assert not on_azure
    return FixedCredential()


if __name__ == "__main__":
    network_guard.install()
    network_guard.route(HOST, int(sys.argv[1]))
    credential.azure_credential = _credential
    sys.exit(embedding_commands.main(sys.argv[2:]))
