"""What the process stands on: settings, identity, embedders."""
