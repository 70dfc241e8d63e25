"""Zava: a remote MCP server that lets assistants write SQL over one multi-tenant retail database."""
