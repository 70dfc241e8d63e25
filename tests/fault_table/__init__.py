"""The fault table: the whole app under load while one thing it stands on is broken; `make faults` and `make soak`."""
