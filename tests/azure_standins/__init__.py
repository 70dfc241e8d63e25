"""Azure's services on loopback, under their real names and over TLS: what the real clients talk to in tests."""
