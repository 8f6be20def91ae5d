"""Every test that SECURITY.md names is there, and is not left out."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| ([^|]+) \| `(tests/[\w/]+\.py)::(test_\w+)` \|$", re.MULTILINE)
ROWS = ROW.findall((ROOT / "SECURITY.md").read_text())


def test_no_row_is_read_wrongly() -> None:
    table = (ROOT / "SECURITY.md").read_text().partition("| sentence | test |")[2]
    assert len(ROWS) == len([line for line in table.splitlines() if line.startswith("| ")]) > 30
    assert len({sentence for sentence, _, _ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("sentence", "file", "name"), ROWS, ids=[name for _, _, name in ROWS])
def test_the_named_test_is_there(sentence: str, file: str, name: str) -> None:
    path = ROOT / file
    assert path.exists(), f"{sentence}: there is no {file}"
    found = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    assert found, f"{sentence}: {file} has no {name}"
    marks = " ".join(ast.unparse(mark) for mark in found[0].decorator_list)
    assert "skip" not in marks, f"{sentence}: {name} is left out"
    assert "xfail" not in marks, f"{sentence}: {name} may fail"
