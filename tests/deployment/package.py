"""The package that azd makes: what `.funcignore` leaves, and with a local build what the app imports."""

from __future__ import annotations

import shlex
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
    """The local build as `docs/deployment.md` tells it, with this Python."""
    text = (PROJECT / "docs" / "deployment.md").read_text("utf-8").partition("## The package")[2]
    for line in text.partition("```bash\n")[2].partition("```")[0].splitlines():
        program, *arguments = shlex.split(line)
        assert program == "python3"
        subprocess.run([sys.executable, *arguments], cwd=folder, check=True)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=PROJECT, check=True, capture_output=True, text=True).stdout
