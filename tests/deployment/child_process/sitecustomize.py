"""Python imports this in a child process whose PYTHONPATH names this folder: names of Azure lead to stand-ins."""

from __future__ import annotations

import json
import os

from tests import network_guard

network_guard.install()
for host, port in json.loads(os.environ["ZAVA_TEST_ROUTES"]).items():
    network_guard.route(host, port)
