"""Benchmarks: ratios measured inside one run, each against the target it has to reach."""
