"""The Bicep is clean, and the reader that says so finds what a person gets wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infra.bicep.project import Project
from tests.infra.bicep.resources import check
from tests.infra.bicep.types import ResourceTypes, snapshot_file

INFRA = Path(__file__).resolve().parents[2] / "infra"


def test_nothing_is_wrong_in_syntax_names_and_modules() -> None:
    assert check(Project(INFRA, None)) == []


def test_every_property_is_one_its_resource_type_has() -> None:
    file = snapshot_file()
    if file is None:
        pytest.skip("no snapshot of resource types (ZAVA_BICEP_TYPES); no package registry has it")
    assert check(Project(INFRA, ResourceTypes(file))) == []


@pytest.mark.parametrize(
    ("source", "code"),
    [
        pytest.param("param a string\nparam a string\noutput b string = a\n", "BCP028", id="declared-twice"),
        pytest.param("var a = 'x' var b = 'y'\n", "SYNTAX", id="two-declarations-on-a-line"),
        pytest.param("output a string = 'x\n", "SYNTAX", id="string-without-an-end"),
        pytest.param("output a object = { b: 1, b: 2 }\n", "SYNTAX", id="property-twice"),
        pytest.param("param a strng\noutput b string = a\n", "SYNTAX", id="unknown-type"),
        pytest.param("output a string = b\n", "BCP057", id="unknown-name"),
        pytest.param("output a string = toLowre('A')\n", "BCP082", id="unknown-function"),
        pytest.param("@desription('x')\nparam a string\noutput b string = a\n", "BCP057", id="unknown-decorator"),
        pytest.param("var a = { b: 1 }\noutput c int = a.d\n", "BCP053", id="unknown-property-of-a-variable"),
        pytest.param("param a string\n", "unused", id="unused-parameter"),
        pytest.param("param a string = 1\noutput b string = a\n", "BCP033", id="default-of-another-type"),
        pytest.param(
            "@allowed(['x'])\nparam a string = 'y'\noutput b string = a\n", "BCP033", id="default-that-is-not-allowed"
        ),
        pytest.param("@secure()\nparam a string\noutput b string = a\n", "secret-in-output", id="secret-in-an-output"),
        pytest.param("@secure()\nparam a string = 'x'\nvar b = a\n", "secure-default", id="secret-with-a-default"),
        pytest.param("var a = b\nvar b = a\n", "BCP080", id="cycle"),
        pytest.param("module a 'gone.bicep' = { name: 'a' }\n", "BCP091", id="module-that-is-not-there"),
        pytest.param("output a string = loadTextContent('gone.kql')\n", "BCP091", id="file-that-is-not-there"),
        pytest.param(
            "resource a 'X/y@1' = { name: 'a' }\nresource b 'X/y@1' = { name: a.properties.z }\n",
            "BCP120",
            id="name-from-a-result",
        ),
        pytest.param("type a = 'x' | 'y'\n", "SYNTAX", id="a-part-of-the-language-that-is-not-known"),
    ],
)
def test_a_mistake_has_its_code(source: str, code: str, tmp_path: Path) -> None:
    (tmp_path / "main.bicep").write_text(source)
    assert code in {diagnostic.code for diagnostic in check(Project(tmp_path, None))}
