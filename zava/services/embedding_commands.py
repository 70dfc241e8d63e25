"""Refreshes the embeddings of the product catalogue, and takes it from one model to another.

    python -m zava.services.embedding_refresh               what the timer does, now
    python -m zava.services.embedding_refresh --list        models with vectors, and which one search uses
    python -m zava.services.embedding_refresh --use NAME    embed for another model, then let search use it
    python -m zava.services.embedding_refresh --index NAME  build the index over a model's vectors
    python -m zava.services.embedding_refresh --remove NAME delete the vectors of a model that search does not use

NAME is a deployment of Azure OpenAI, or all-MiniLM-L6-v2. Until --use is through, search goes on with the old vectors,
and the timer keeps those fresh; cut off, it goes on where it was. Reads the function app's settings from the
environment; --index and --remove, and --use for more than 10 000 products, also POSTGRES_ADMIN_USER and
POSTGRES_ADMIN_PASSWORD (or an access token). Exit codes: 0 done, 1 failed or incomplete, 2 a setting is missing,
3 another refresh of that model is running.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import asyncpg

from zava.data.administration import AdministratorConnection
from zava.data.embedding_lease import EmbeddingLeases
from zava.data.embedding_models import EmbeddingModels, build_index, remove_model
from zava.data.embedding_store import EmbeddingStore
from zava.data.pools import Pools
from zava.errors import MCPError
from zava.platform import settings
from zava.platform.credential import SharedCredential
from zava.platform.database_login import DatabaseLogins
from zava.platform.embedders.choice import Embedders
from zava.platform.settings import Settings, SettingsError
from zava.services.embedding_refresh import EmbeddingRefresh, RefreshReport


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        return asyncio.run(_Commands(settings.load()).run(options))
    except (SettingsError, KeyError) as problem:
        missing = problem if isinstance(problem, SettingsError) else f"Set {problem.args[0]}: see --help."
        print(missing, file=sys.stderr)
        return 2
    except MCPError as problem:
        print(problem.message, problem.hint, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; what was embedded is kept.", file=sys.stderr)
        return 130
    except (ValueError, OSError, asyncpg.PostgresError) as problem:
        print(problem, file=sys.stderr)
        return 1


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m zava.services.embedding_refresh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command = parser.add_mutually_exclusive_group()
    command.add_argument("--list", action="store_true", help="show the models that have vectors")
    command.add_argument("--use", metavar="NAME", help="embed for this model beside the other, then switch to it")
    command.add_argument("--index", metavar="NAME", help="build the index over this model's vectors")
    command.add_argument("--remove", metavar="NAME", help="delete this model's vectors and index")
    return parser.parse_args(arguments)


class _Commands:
    def __init__(self, of: Settings) -> None:
        credential = SharedCredential.of(of)
        self._pools = Pools(of, DatabaseLogins.of(of, credential=credential))
        self._models = EmbeddingModels(self._pools)
        self._embedders = Embedders(of, credential)
        self._refresh = EmbeddingRefresh(
            EmbeddingStore(self._pools), EmbeddingLeases(self._pools), self._models, self._embedders
        )

    async def run(self, options: argparse.Namespace) -> int:
        try:
            if options.list:
                return await self._list()
            if options.use:
                return await self._use(options.use)
            if options.index:
                await build_index(AdministratorConnection.of_environment(os.environ), options.index)
                return 0
            if options.remove:
                deleted = await remove_model(AdministratorConnection.of_environment(os.environ), options.remove)
                print(f"{deleted} vectors deleted")
                return 0
            return await self._run(None)
        finally:
            await self._embedders.close()
            await self._pools.close()

    async def _list(self) -> int:
        for stored in await self._models.stored():
            index = "indexed" if stored.indexed else "wants an index: --index" if stored.wants_index else "no index"
            print(f"{'*' if stored.active else ' '} {stored.model}  {stored.vectors} vectors, {index}")
        return 0

    async def _use(self, model: str) -> int:
        if code := await self._run(model):
            return code
        stored = next((known for known in await self._models.stored() if known.model == model), None)
        if stored is None:
            print(f"{model} has no vectors: every text was refused", file=sys.stderr)
            return 1
        if stored.wants_index:
            print(
                f"{model} has {stored.vectors} vectors and needs an index, which an administrator builds ...",
                flush=True,
            )
            await build_index(AdministratorConnection.of_environment(os.environ), model)
        await self._models.activate(model)
        print(f"Search uses {model}")
        return 0

    async def _run(self, model: str | None) -> int:
        report = await refresh_with_bar(self._refresh, model)
        figures = report.figures
        print(
            f"{report.model}: {report.outcome} in {report.milliseconds / 1000:.1f} s; {figures.seen} products, "
            f"{figures.embedded} embedded, {figures.refused} refused, {figures.requests} requests, "
            f"{figures.tokens} tokens" + (f"; {report.problem}" if report.problem else "")
        )
        return {"completed": 0, "busy": 3}.get(report.outcome, 1)


async def refresh_with_bar(refresh: EmbeddingRefresh, model: str | None) -> RefreshReport:
    """One run with a progress bar on standard error, if that is a terminal."""
    from tqdm import tqdm  # of the laptop's requirements, as everything that administrators run

    bar: tqdm[Any]
    with tqdm(unit=" products", desc="Embeddings", leave=False, disable=None) as bar:

        def on_progress(done: int, stale: int) -> None:
            bar.total = stale
            bar.update(done - bar.n)

        return await refresh.run(model=model, on_progress=on_progress)
