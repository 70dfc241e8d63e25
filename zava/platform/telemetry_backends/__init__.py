"""Where telemetry can go; a module each, and each the only one that imports its vendor's packages."""
