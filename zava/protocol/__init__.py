"""What a client sees: HTTP to MCP, bearer tokens, tools."""
