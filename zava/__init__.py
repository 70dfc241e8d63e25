"""Zava: a remote MCP server that lets assistants write SQL over one multi-tenant retail database."""

VERSION = "0.1.0"
