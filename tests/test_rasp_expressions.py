"""The base of every RASP expression: names, labels, ids, copies, annotations and encodings."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
from conftest import Refused

from handcraft import rasp

EQUAL = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
SOPS = {  # by their default names
    "tokens": rasp.TokensType(),
    "indices": rasp.IndicesType(),
    "length": rasp.LengthType(),
    "map": rasp.Map(len, rasp.tokens),
    "sequence_map": rasp.SequenceMap(max, rasp.tokens, rasp.indices),
    "linear_sequence_map": rasp.LinearSequenceMap(
        rasp.tokens, rasp.indices, 1, 2
    ),
    "full": rasp.Full(1),
    "constant_sop": rasp.ConstantSOp([1, 2]),
    "selector_width": rasp.SelectorWidth(EQUAL),
    "aggregate": rasp.Aggregate(EQUAL, rasp.tokens),
}
SELECTORS = {
    "select": EQUAL,
    "constant_selector": rasp.ConstantSelector([[True]]),
    "selector_and": rasp.SelectorAnd(EQUAL, EQUAL),
    "selector_or": rasp.SelectorOr(EQUAL, EQUAL),
    "selector_not": rasp.SelectorNot(EQUAL),
}
EVERY = SOPS | SELECTORS


def twice(expr: rasp.RASPExprT) -> tuple[rasp.RASPExprT, rasp.RASPExprT]:
    """Two copies of an expression, of its own class."""
    return expr.copy(), expr.copy()


def both_encodings(sop: rasp.SOpT) -> tuple[rasp.SOpT, rasp.SOpT]:
    """An s-op as numbers and as categories."""
    return rasp.numerical(sop), rasp.categorical(sop)


class OwnSOp(rasp.SOp):
    """An s-op of a reader's own."""

    @property
    def children(self) -> list[rasp.RASPExpr]:
        return [rasp.tokens]


class OwnSelector(rasp.Selector):
    """A selector of a reader's own."""

    @property
    def children(self) -> list[rasp.RASPExpr]:
        return [rasp.indices]


@pytest.mark.parametrize("name", EVERY)
def test_an_expression_is_named_after_its_kind(name: str) -> None:
    """Until an author names it, an expression's name is that of its class."""
    assert EVERY[name].name == name


def test_a_class_of_ones_own_is_named_after_what_it_is() -> None:
    """A subclass without a kind is called sop or selector."""
    assert (OwnSOp().name, OwnSelector().name) == ("sop", "selector")


@pytest.mark.parametrize("name", EVERY)
def test_an_expression_is_an_sop_or_a_selector(name: str) -> None:
    """Every class is one of the two, and both are RASPExpr."""
    expr = EVERY[name]
    assert isinstance(expr, rasp.RASPExpr)
    assert isinstance(expr, rasp.SOp) == (name in SOPS)
    assert isinstance(expr, rasp.Selector) == (name in SELECTORS)


def test_a_label_is_the_name_and_the_id() -> None:
    """The label tells two expressions of one name apart."""
    one, other = rasp.Full(1).named("one"), rasp.Full(1).named("one")
    assert one.label == f"one_{one.unique_id}"
    assert other.label == f"one_{other.unique_id}" != one.label


def test_the_label_of_what_the_input_gives_is_its_kind() -> None:
    """tokens, indices and length are labelled without a number, whatever they are called."""
    labels = [x.label for x in (rasp.tokens, rasp.indices, rasp.length)]
    assert labels == ["tokens", "indices", "length"]
    assert rasp.tokens.named("letters").label == "tokens"


def test_ids_are_unique() -> None:
    """Of all expressions, copies included, no two have the same id."""
    copies = [
        *(expr.copy() for expr in EVERY.values()),
        *(copy.copy(expr) for expr in EVERY.values()),
        *(copy.deepcopy(expr) for expr in EVERY.values()),
        *(expr.named("x") for expr in EVERY.values()),
    ]
    ids = [expr.unique_id for expr in [*EVERY.values(), *copies]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", EVERY)
def test_a_copy_has_all_but_the_id(name: str) -> None:
    """A copy is another expression of the same class, the same children and annotations."""
    expr = rasp.annotate(EVERY[name], note="kept")
    twin, other = twice(expr)
    assert twin is not expr is not other is not twin
    assert type(twin) is type(expr)
    assert all(
        a is b for a, b in zip(twin.children, expr.children, strict=True)
    )
    assert dict(twin.annotations) == dict(expr.annotations)


def test_naming_gives_a_copy() -> None:
    """The expression that is named keeps its own name."""
    doubled = rasp.tokens * 2
    assert doubled.named("doubled").name == "doubled"
    assert doubled.name == "map"


def test_a_named_expression_means_the_same() -> None:
    """A name changes no value."""
    reverse = rasp.Aggregate(
        rasp.Select(
            rasp.indices, rasp.length - 1 - rasp.indices, rasp.Comparison.EQ
        ).named("flip"),
        rasp.tokens,
    ).named("reverse")
    assert reverse("abc") == ["c", "b", "a"]


def test_annotations_are_added_to_a_copy() -> None:
    """A later note goes over an earlier one; the expression that is annotated stays as it is."""
    first = rasp.annotate(rasp.Full(1), a=1, b=2)
    second = first.annotated(b=3, c=4)
    assert {k: second.annotations[k] for k in "abc"} == {"a": 1, "b": 3, "c": 4}
    assert dict(first.annotations)["b"] == 2
    assert "c" not in first.annotations


def test_name_and_encoding_are_always_there() -> None:
    """The defaults are part of the table, though nobody noted them."""
    found = rasp.Full(1).annotations
    assert isinstance(found, Mapping)
    assert dict(found) == {
        "name": "full",
        "encoding": rasp.Encoding.CATEGORICAL,
    }
    assert len(found) == 2
    assert repr(EQUAL.annotations) == "{'name': 'select'}"


def test_a_selector_has_no_encoding() -> None:
    """Asking a selector for its encoding is a TypeError; the key is not in its table."""
    assert "encoding" not in EQUAL.annotations
    with Refused(
        TypeError,
        f"only an s-op has an encoding, found a selector, {EQUAL.label}",
    ):
        EQUAL.annotations["encoding"]


def test_an_annotation_that_is_missing_is_a_key_error() -> None:
    """The error lists the annotations that there are; `get` gives its default."""
    noted = rasp.annotate(rasp.Full(1), colour="red")
    assert noted.annotations.get("size", 3) == 3
    with pytest.raises(KeyError) as caught:
        noted.annotations["size"]
    assert caught.value.args == (
        "there is no annotation 'size'; there is name, encoding, colour",
    )


def test_annotations_cannot_be_changed_in_place() -> None:
    """The table is read-only."""
    with pytest.raises(TypeError, match="does not support item assignment"):
        rasp.Full(1).annotations["name"] = "x"  # type: ignore[index]


def test_annotations_can_be_assigned() -> None:
    """A whole table can be put in the place of the old one; the defaults come back."""
    one = rasp.Full(1).named("one")
    one.annotations = {"note": 1}
    assert (one.name, one.annotations["note"]) == ("full", 1)


def test_assigned_annotations_are_not_shared() -> None:
    """An expression keeps a copy of the table, without the defaults of another expression."""
    table = {"note": 1}
    one, other = rasp.Full(1), EQUAL.copy()
    one.annotations = table
    table["note"] = 2
    other.annotations = one.annotations
    assert (one.annotations["note"], other.annotations["note"]) == (1, 1)
    assert other.name == "select"


@pytest.mark.parametrize("name", SOPS)
def test_sops_are_categorical_until_they_are_said_to_be_numerical(
    name: str,
) -> None:
    """Setting an encoding gives a copy; the s-op keeps its own."""
    sop = SOPS[name]
    assert rasp.get_encoding(sop) is rasp.Encoding.CATEGORICAL
    number, category = both_encodings(sop)
    assert rasp.get_encoding(category) is rasp.Encoding.CATEGORICAL
    assert rasp.get_encoding(number) is rasp.Encoding.NUMERICAL
    assert rasp.is_numerical(number)
    assert not rasp.is_categorical(number)
    assert rasp.is_categorical(rasp.categorical(number))
    assert rasp.is_categorical(sop)
    assert not rasp.is_numerical(sop)


def test_an_encoding_keeps_the_name() -> None:
    """Encoding and name are annotations of their own."""
    flags = rasp.numerical((rasp.tokens == "x").named("flags"))
    assert (flags.name, rasp.is_numerical(flags)) == ("flags", True)


@pytest.mark.parametrize(
    "function",
    [rasp.get_encoding, rasp.numerical, rasp.categorical],
    ids=lambda f: f.__name__,
)
def test_an_encoding_of_a_selector_is_refused(function: object) -> None:
    """Only s-ops have an encoding."""
    name = function.__name__  # type: ignore[attr-defined]
    message = f"{name}(sop) must be an s-op, found a selector, {EQUAL.label}"
    with Refused(TypeError, message):
        function(EQUAL)  # type: ignore[operator]


@pytest.mark.parametrize("asked", [rasp.is_numerical, rasp.is_categorical])
def test_a_selector_is_not_asked_for_its_encoding(asked: object) -> None:
    """It is neither numerical nor categorical: a TypeError, not False."""
    with pytest.raises(TypeError, match="must be an s-op, found a selector"):
        asked(EQUAL)  # type: ignore[operator]


def test_expressions_are_keys_by_identity() -> None:
    """A table and a set tell expressions apart, though `==` of s-ops is an s-op."""
    ones = [rasp.Full(1), rasp.Full(1)]
    table = {ones[0]: "first", ones[1]: "second", EQUAL: "third"}
    assert [table[x] for x in (*ones, EQUAL)] == ["first", "second", "third"]
    assert len({*ones, *ones, ones[0].copy()}) == 3


def test_an_sop_is_equal_to_no_selector() -> None:
    """Of an s-op and a selector `==` is False, so that a list can be searched."""
    assert rasp.tokens not in [EQUAL, EQUAL.copy()]
    assert EQUAL not in [rasp.tokens, rasp.indices]


@pytest.mark.parametrize("name", EVERY)
def test_an_expression_shows_its_label_and_what_it_is_made_of(
    name: str,
) -> None:
    """The repr is one line, however deep the expression is."""
    expr = EVERY[name]
    parts = ", ".join(child.label for child in expr.children)
    kind = type(expr).__name__
    shown = (
        f"<{kind} {expr.label} of {parts}>"
        if parts
        else f"<{kind} {expr.label}>"
    )
    assert repr(expr) == (name if expr.label == name else shown)


def test_children_are_what_an_expression_is_made_of() -> None:
    """In the order of the arguments, and none for what the input or a constant gives."""
    flip = rasp.Select(rasp.tokens, rasp.indices, rasp.Comparison.EQ)
    assert list(map(id, flip.children)) == [id(rasp.tokens), id(rasp.indices)]
    taken = rasp.Aggregate(flip, rasp.length)
    assert list(map(id, taken.children)) == [id(flip), id(rasp.length)]
    nothing = (
        rasp.tokens,
        rasp.Full(1),
        rasp.ConstantSOp([]),
        rasp.ConstantSelector([]),
    )
    assert [len(x.children) for x in nothing] == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", [rasp.RASPExpr, rasp.SOp, rasp.Selector])
def test_the_classes_above_cannot_be_made(kind: type[rasp.RASPExpr]) -> None:
    """A class without children is no expression yet."""
    with pytest.raises(TypeError, match="abstract"):
        kind()


def test_only_an_expression_is_annotated() -> None:
    """A value has no annotations."""
    with Refused(TypeError, "annotate(expr) must be an expression, found 3"):
        rasp.annotate(3, name="three")  # type: ignore[type-var]
