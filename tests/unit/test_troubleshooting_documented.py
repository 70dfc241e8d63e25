"""Every text that docs/troubleshooting.md quotes is one the program says, and every setting and code one it has."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from zava import errors
from zava.platform.settings import Settings

_PROJECT = Path(__file__).parents[2]
_PAGE = (_PROJECT / "docs/troubleshooting.md").read_text("utf-8")
_QUOTED = re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", _PAGE, flags=re.DOTALL))


@cache
def _said() -> str:
    """All texts in the code, whatever stands between their pieces as `\\0`, and the Makefile."""
    texts = [(_PROJECT / "Makefile").read_text("utf-8")]
    for folder in ("zava", "scripts"):
        for file in sorted((_PROJECT / folder).rglob("*.py")):
            tree = ast.parse(file.read_text("utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.JoinedStr):
                    texts.append(
                        "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
                    )
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return "\n".join(texts)


def _is_said(text: str) -> bool:
    pattern = ".{0,80}?".join(re.escape(piece.strip()) for piece in text.split("...") if piece.strip(" .:"))
    pattern = pattern.replace("application/json", "(?:application/json|\0)")
    return re.search(pattern, _said()) is not None


def test_every_sentence_quoted_is_said_by_the_program() -> None:
    sentences = [
        text
        for text in _QUOTED
        if re.match(r"\[?[\w.']+( \S+){3}", text)
        and not re.match(r"make |az |azd |python |pip |apt |SELECT |npx ", text)
    ]
    assert len(sentences) > 45
    assert [text for text in sentences if not _is_said(text)] == []


def test_every_setting_named_exists() -> None:
    known = {name.upper() for name in Settings.model_fields}
    of_others = {"DATA", "PORT", "PYTHON", "EBADENGINE", "ZAVA_TOKEN", "DEPLOYER_ADDRESS", "AZURE_LOCATION"}
    never = {"WEBSITE_RUN_FROM_PACKAGE", "FUNCTIONS_WORKER_RUNTIME", "WEBSITE_TIME_ZONE"}
    codes = {
        value.code for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.MCPError)
    }
    named = {text for text in _QUOTED if re.fullmatch("[A-Z][A-Z_]+", text)}
    assert named - known - of_others - never - codes == set()
