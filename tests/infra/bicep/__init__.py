"""Reads the project's Bicep without the Bicep compiler: a parser, checks, and an evaluator.

It knows the part of the language that `infra/` uses and refuses the rest, so nothing is passed over in silence. It does
not replace `bicep build`, which the pipelines run: it cannot see what Azure decides (names of metrics, sizes a region
offers, quotas), nor types outside its snapshot.

    python -m tests.infra.bicep infra     # exit code 0: clean, 1: diagnostics
"""
