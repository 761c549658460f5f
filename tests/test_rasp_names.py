"""The door of the room: every name that users of RASP know is there, and the programs of the
tests use each.
"""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from handcraft import rasp

CLASSES = {
    *("RASPExpr", "SOp", "Selector", "Encoding", "Comparison", "Predicate"),
    *("TokensType", "IndicesType", "LengthType", "Map", "SequenceMap"),
    *("LinearSequenceMap", "Full", "ConstantSOp", "SelectorWidth", "Aggregate"),
    *("Select", "ConstantSelector", "SelectorAnd", "SelectorOr", "SelectorNot"),
    *("RASPEvaluator", "DefaultRASPEvaluator", "CausalEvaluator"),
}
FUNCTIONS = {
    *("annotate", "numerical", "categorical", "get_encoding"),
    *("is_numerical", "is_categorical", "evaluate", "sop_not"),
    *("selector_and", "selector_or", "selector_not"),
    "compile_rasp_to_model",
}
VALUES = {"tokens", "indices", "length"}
TYPES = {"Value", "NumericValue", "SelectorValue", "VT", "SOpT", "RASPExprT"}
NAMES = CLASSES | FUNCTIONS | VALUES | TYPES


@cache
def used(path: Path) -> Counter[str]:
    """The number of times that a file reads each name of the room, by `rasp.` or by itself."""
    tree = list(ast.walk(ast.parse(path.read_text())))
    imported = {
        alias.name
        for node in tree
        if isinstance(node, ast.ImportFrom) and node.module == "handcraft.rasp"
        for alias in node.names
    }
    names = [n.id for n in tree if isinstance(n, ast.Name) and n.id in imported]
    names += [
        node.attr
        for node in tree
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "rasp"
    ]
    return Counter(names)


def test_every_name_is_there_and_no_other() -> None:
    """The room offers what users of RASP know, and `import *` brings it."""
    assert set(rasp.__all__) == NAMES
    assert all(hasattr(rasp, name) for name in NAMES)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_is_used_by_the_programs_of_the_tests(name: str) -> None:
    """Each is written at least three times in the tests."""
    files = Path(__file__).parent.glob("test_rasp_*.py")
    assert sum((used(path) for path in files), Counter())[name] >= 3


def test_there_are_more_than_a_hundred_programs() -> None:
    """Each with a plain Python function above it."""
    files = Path(__file__).parent.glob("test_rasp_*.py")
    texts = [path.read_text() for path in files]
    assert sum(text.count("\n@programs.against(") for text in texts) > 100
