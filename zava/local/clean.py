"""`make clean-data`: throw the local database, keys and tokens away.

Standard library only, and nothing newer than Python 3.8: it runs before anything is installed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from zava.local import data_folder
from zava.local.data_folder import MARKER, DataFolderError


def remove(home: Path) -> bool:
    """Remove a data folder and what its server keeps elsewhere. Returns whether there was one.

    Raises:
        DataFolderError: the folder is not Zava's, a Zava is running on it, or a file in it cannot be removed.
    """
    home = home.resolve()
    if not home.exists():
        return False
    if not (home / MARKER).is_file():
        raise DataFolderError(f"{home} does not look like Zava's data (it holds no {MARKER}): nothing was removed.")
    descriptor = data_folder.lock(home)
    try:
        outside = data_folder.elsewhere(home)  # by name, not by the link: that of a moved folder leads to another's
        if outside.is_dir() and not outside.is_symlink():
            shutil.rmtree(outside)
        for path in home.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MARKER:
                path.unlink()
        (home / MARKER).unlink()  # last: what is left after a failure is still known as Zava's
        home.rmdir()
    except OSError as problem:
        raise DataFolderError(data_folder.explain(home, problem)) from problem
    finally:
        os.close(descriptor)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="make clean-data", description="Throw the local data away.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    home: Path = parser.parse_args().data
    try:
        found = remove(home)
    except DataFolderError as problem:
        sys.exit(str(problem))
    print(f"Removed {home}." if found else f"There is no data in {home}: nothing to do.")


if __name__ == "__main__":
    main()
