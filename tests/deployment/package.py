"""The package that azd makes: what `.funcignore` leaves, and with a local build what the app imports."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SITE_PACKAGES = Path(".python_packages", "lib", "site-packages")


def files() -> list[str]:
    """Paths of the tracked files that are packaged. git reads `.funcignore` as it is meant: it has git's syntax."""
    left_out = set(_git("ls-files", "--cached", "--ignored", "--exclude-from=.funcignore").splitlines())
    return [name for name in _git("ls-files", "--cached").splitlines() if name not in left_out]


def is_left_out(path: str, folder: Path) -> bool:
    """Whether a file that is not tracked stays out of the package."""
    shutil.copyfile(PROJECT / ".funcignore", folder / ".gitignore")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    asked = subprocess.run(["git", "check-ignore", "--quiet", path], cwd=folder, check=False)
    return asked.returncode == 0


def write(folder: Path) -> None:
    for name in files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, target)


def build(folder: Path) -> None:
    """The local build of docs/deployment.md: dependencies beside the code, and all of it compiled.

    Bytecode that is never checked against its source, because a package's times are not those of the build.
    """
    packages = folder / SITE_PACKAGES
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-warn-conflicts"]
    subprocess.run(
        [sys.executable, *install, "--target", str(packages), "-r", str(folder / "requirements.txt")], check=True
    )
    compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    subprocess.run([sys.executable, *compile_all], check=True)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
