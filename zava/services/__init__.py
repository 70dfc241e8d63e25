"""Retail rules: who may see what, queries, embeddings. No HTTP, no Azure, no SQL text."""
