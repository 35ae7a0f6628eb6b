"""CONTRIBUTING.md, and the README's section on the house, held to the code: read as text and syntax, never imported."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import maskedit

ROOT = Path(__file__).parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8").split("## How the house is built")[1].split("\n## ")[0]
SPANS = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", CONTRIBUTING + README)]
PATH = re.compile(r"\.?\w[\w.-]*/[\w./-]*|[\w-]+\.(?:py|md|cfg|toml|txt)|LICENSE")
NAME = re.compile(r"[A-Z]\w*(?:\.\w+)?(?:\(\))?|\w+\(\)")
"""A class, a constant, a member of a class; anything else, such as a function, is written with parentheses."""


def assigned(node: ast.AST) -> set[str]:
    """The names that a statement gives a value to, those after ``self.`` among them."""
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    parts = [part for target in targets for part in (target.elts if isinstance(target, ast.Tuple) else [target])]
    return {getattr(part, "id", None) or getattr(part, "attr", "") for part in parts if part is not None}


@cache
def definitions(file: Path) -> dict[str, ast.AST]:
    """What a module defines: name -> class, function or assignment."""
    found: dict[str, ast.AST] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        found |= dict.fromkeys([node.name] if hasattr(node, "name") else assigned(node), node)
    return found


@cache
def everywhere() -> dict[str, list[ast.AST]]:
    """What the package, and what the tests share, define under each name."""
    found: dict[str, list[ast.AST]] = {}
    for file in [*ROOT.glob("maskedit/**/*.py"), ROOT / "tests/faces.py", ROOT / "tests/gui/harness.py"]:
        for name, node in definitions(file).items():
            found.setdefault(name, []).append(node)
    return found


def members(node: ast.AST) -> set[str]:
    """The methods and attributes of a class, those of its bases in the package included."""
    if not isinstance(node, ast.ClassDef):
        return set()
    found = {part.name for part in node.body if isinstance(part, ast.FunctionDef)}
    for part in ast.walk(node):
        found |= assigned(part) if isinstance(part, ast.Assign | ast.AnnAssign) else set()
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return found.union(*(members(other) for base in bases for other in everywhere().get(base, [])))


def is_defined(name: str, where: dict[str, list[ast.AST]]) -> bool:
    first, _, member = name.removesuffix("()").partition(".")
    return first in where if not member else any(member in members(node) for node in where.get(first, []))


@pytest.mark.parametrize("path", sorted({span for span in SPANS if PATH.fullmatch(span)}))
def test_every_path_exists(path):
    assert (ROOT / path).exists()
    assert (ROOT / path).is_dir() == (path.endswith("/"))


@pytest.mark.parametrize("name", sorted({span for span in SPANS if NAME.fullmatch(span)} - {"LICENSE", "main()"}))
def test_every_name_is_defined(name):
    assert is_defined(name, everywhere())


def test_every_name_is_in_the_file_that_is_given_for_it():
    text = " ".join(f"{CONTRIBUTING} {README}".split())
    pairs = re.findall(r"`([\w.]+)(?:\(\))?` (?:\(|in )`([\w/]+\.py)`", text)
    assert len(pairs) > 40
    wrong = [
        f"{name} is not in {path}"
        for name, path in pairs
        if not is_defined(name, {key: [node] for key, node in definitions(ROOT / path).items()})
    ]
    assert not wrong


def test_every_room_has_its_line():
    rooms = {path.name for path in (ROOT / "maskedit").glob("*.py")} - {"__init__.py"}
    rooms |= {f"{path.parent.name}/" for path in (ROOT / "maskedit").glob("*/__init__.py")}
    table = CONTRIBUTING.split("## The rooms")[1].split("\n## ")[0]
    first_cells = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("|")]
    assert {span.removeprefix("maskedit/") for cell in first_cells for span in re.findall(r"`(.+?)`", cell)} == rooms


def test_the_map_is_the_same_wherever_it_stands():
    house = CONTRIBUTING.split("```\n")[1]
    assert house.startswith("EDIT ")
    assert house in README
    assert house in maskedit.__doc__


def test_it_stays_short():
    assert len(CONTRIBUTING.splitlines()) <= 200
    assert len(README.strip().splitlines()) <= 25
