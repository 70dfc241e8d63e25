"""A laptop's stand-ins for the cloud: embedded PostgreSQL, sample data, token issuer, development host."""
