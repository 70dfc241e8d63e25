"""Coverage-guided fuzzing of the SQL policy: `python tests/security/fuzz_sql_policy.py --seconds 60`.

Starts from both tables of SQL and fails when an input crashes the process, raises, is misread by the walk, takes more
than 100 ms, or is allowed and then is no subquery on its own. The input that fails is printed, also in base64. Needs
the package `atheris`, which is no requirement of the project.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_TABLES = ("sql_accepted.json", "sql_refused.json")
_MOST_SECONDS = 0.1
_LONGEST_INPUT = 4_096


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=int, default=60)
    seconds = arguments.parse_args().seconds
    # libFuzzer ends its process in its own way: a child keeps the temporary folder and the verdict out of it.
    with tempfile.TemporaryDirectory() as folder:
        corpus = _write_seeds(Path(folder))
        command = [sys.executable, __file__, "--child", f"-max_total_time={seconds}", f"-max_len={_LONGEST_INPUT}"]
        options = ["-timeout=5", "-rss_limit_mb=2048", f"-artifact_prefix={folder}/", f"-dict={folder}/words"]
        return subprocess.run([*command, *options, str(corpus)], check=False, cwd=_ROOT).returncode


def _write_seeds(folder: Path) -> Path:
    corpus = folder / "corpus"
    corpus.mkdir()
    words: set[str] = set()
    for table in _TABLES:
        for case in json.loads(Path(__file__).with_name(table).read_text("utf-8")):
            (corpus / case["id"]).write_bytes(case["sql"].encode(errors="surrogatepass"))
            words |= {word for word in case["sql"].split() if word.isascii() and word.isalnum()}
    (folder / "words").write_text("".join(f'"{word}"\n' for word in sorted(words)), "utf-8")
    return corpus


def _fuzz(options: list[str]) -> None:
    # By name, because a machine that only checks types need not have it.
    atheris: Any = importlib.import_module("atheris")
    sys.path.insert(0, str(_ROOT))
    with atheris.instrument_imports(include=["zava.data.sql_policy"]):
        from zava.data.sql_policy import Allowed, Refused, analyse, decide, grammar

    def decided(sql: str) -> tuple[Allowed | Refused, float]:
        start = time.perf_counter()
        decision = decide(analyse(sql))
        return decision, time.perf_counter() - start

    def check(data: bytes) -> None:
        sql = data.decode(errors="ignore")
        decision, seconds = decided(sql)
        if seconds > _MOST_SECONDS:  # the machine may have been busy with something else
            seconds = min(decided(sql)[1] for _ in range(5))
        assert seconds <= _MOST_SECONDS, f"{seconds:.3f} s for {sql!r}"
        if isinstance(decision, Refused):
            assert (decision.rule, decision.piece) != ("unknown_syntax", "statement"), f"misread: {sql!r}"
        else:
            (wrapped,) = grammar.parse(f"SELECT * FROM (\n{decision.statement}\n) AS q LIMIT 11".encode())
            select = wrapped["stmt"]["SelectStmt"]
            assert [next(iter(item)) for item in select["fromClause"]] == ["RangeSubselect"], f"not wrapped: {sql!r}"
            assert len(select["targetList"]) == 1, f"not wrapped: {sql!r}"

    atheris.Setup([sys.argv[0], *options], check)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _fuzz(sys.argv[2:])
    else:
        sys.exit(main())
