"""The official MCP conformance suite against the real endpoint: `python -m tests.conformance.run`."""
