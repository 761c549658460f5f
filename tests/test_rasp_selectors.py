"""Selectors: comparisons, matrices, two that become one, and what is refused."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from conftest import Refused, examples
from hypothesis import given
from hypothesis import strategies as st

from handcraft import rasp
from handcraft.rasp import Comparison

MEANING = {
    Comparison.EQ: operator.eq,
    Comparison.LT: operator.lt,
    Comparison.LEQ: operator.le,
    Comparison.GT: operator.gt,
    Comparison.GEQ: operator.ge,
    Comparison.NEQ: operator.ne,
    Comparison.TRUE: lambda *_: True,
    Comparison.FALSE: lambda *_: False,
}
NUMBERS = [0, 1, -2, 0.5]


def select(
    predicate: rasp.Predicate,
    keys: rasp.SOp = rasp.tokens,
    queries: rasp.SOp = rasp.indices,
) -> rasp.Select:
    """A Select of tokens by positions, unless something else is asked for."""
    return rasp.Select(keys, queries, predicate)


def test_there_are_eight_comparisons() -> None:
    """Each is a predicate with a name."""
    assert [one.name for one in Comparison] == [
        *("EQ", "LT", "LEQ", "GT", "GEQ", "NEQ", "TRUE", "FALSE")
    ]


@pytest.mark.parametrize("comparison", Comparison)
def test_a_comparison_is_asked_of_the_key_and_then_the_query(
    comparison: Comparison,
) -> None:
    """LT means that the key is less than the query."""
    for key, query in product(NUMBERS, repeat=2):
        assert comparison(key, query) == MEANING[comparison](key, query)


@pytest.mark.parametrize("comparison", Comparison)
def test_rows_are_queries_and_columns_are_keys(comparison: Comparison) -> None:
    """Called on an input, a selector gives a list of flags for each query."""
    selector = rasp.Select(rasp.tokens, rasp.tokens, comparison)
    assert selector(NUMBERS) == [
        [MEANING[comparison](key, query) for key in NUMBERS]
        for query in NUMBERS
    ]


@pytest.mark.parametrize("comparison", Comparison)
@pytest.mark.parametrize(
    ("key", "query", "what"), [(None, 1, "key"), (1, None, "query")]
)
def test_a_comparison_with_none_is_an_error(
    comparison: Comparison, key: Any, query: Any, what: str
) -> None:
    """Every comparison, TRUE and FALSE too, refuses a key or a query that is None."""
    message = (
        f"Comparison.{comparison.name} is asked of a {what} that is None; map None to"
        " a value first, or write a predicate that allows it"
    )
    with Refused(ValueError, message):
        comparison(key, query)


def test_a_selection_that_compares_none_is_an_error() -> None:
    """The error is noted with the selector."""
    same = rasp.Select(rasp.tokens, rasp.tokens, Comparison.EQ).named("same")
    with pytest.raises(ValueError, match="a key that is None") as caught:
        same([1, None])
    assert caught.value.__notes__ == [
        f"in <Select {same.label} of tokens, tokens>"
    ]


def test_a_predicate_of_ones_own_may_ask_none() -> None:
    """A lambda is asked as it is, and what it gives is taken for true or false."""
    missing = rasp.Select(rasp.tokens, rasp.tokens, lambda k, q: k is None)
    assert missing([None, 3]) == [[True, False], [True, False]]
    itself = rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key)
    assert itself([0, "a"]) == [[False, True], [False, True]]


def test_a_selector_of_nothing_has_no_rows() -> None:
    """The empty input has no query."""
    every = rasp.Select(rasp.tokens, rasp.tokens, Comparison.TRUE)
    assert every([]) == []
    assert rasp.SelectorWidth(every)([]) == []


def test_a_constant_selector_gives_its_rows() -> None:
    """As flags, whatever they were written as, in lists of their own."""
    rows = [[1, 0], (True, "")]
    constant = rasp.ConstantSelector(rows)
    constant("ab")[0].append(True)
    assert constant("ab") == [[True, False], [True, False]]


@pytest.mark.parametrize(
    "rows", [[[True]], [[True], [True]], [[True, True], []]]
)
def test_a_constant_selector_must_be_as_large_as_the_input(
    rows: list[list[bool]],
) -> None:
    """In rows and in columns, unless check_length is False."""
    constant = rasp.ConstantSelector(rows)
    found = next(n for n in (len(rows), *map(len, rows)) if n != 2)
    with Refused(
        ValueError,
        f"{constant.label}: Constant len {found} doesn't match input len 2; give a row"
        " for each token, of a flag for each, or say check_length=False",
    ):
        constant("ab")
    assert rasp.ConstantSelector(rows, check_length=False)("ab") == rows


def test_selectors_of_different_shapes_are_not_joined() -> None:
    """Constants that were not checked do not lose rows silently."""
    small = rasp.ConstantSelector([[True]], check_length=False)
    both = rasp.SelectorAnd(small, select(Comparison.EQ))
    with Refused(
        ValueError,
        f"{both.label} joins selectors of different shapes; give its constants as many"
        " rows and flags as the input has tokens",
    ):
        both([1, 2])


JOINED = [
    (rasp.selector_and, operator.and_, rasp.SelectorAnd),
    (rasp.selector_or, operator.or_, rasp.SelectorOr),
]


@pytest.mark.parametrize(("function", "op", "kept"), JOINED)
def test_two_selects_of_the_same_become_one(
    function: Callable[..., rasp.Selector],
    op: Callable[[Any, Any], rasp.Selector],
    kept: type[rasp.Selector],
) -> None:
    """Of the same keys and queries one Select is made, unless simplify is False."""
    fst, snd = select(Comparison.GEQ), select(Comparison.LEQ)
    for one in function(fst, snd), op(fst, snd):
        assert isinstance(one, rasp.Select)
        assert one.keys is rasp.tokens
        assert one.queries is rasp.indices
    assert isinstance(function(fst, snd, simplify=False), kept)


@pytest.mark.parametrize(("function", "op", "kept"), JOINED)
def test_selects_of_other_keys_or_queries_stay_two(
    function: Callable[..., rasp.Selector],
    op: Callable[[Any, Any], rasp.Selector],
    kept: type[rasp.Selector],
) -> None:
    """Only the same object is the same, a copy of it is not; and what is no Select stays what
    it is.
    """
    fst = select(Comparison.GEQ)
    others = [
        select(Comparison.LEQ, rasp.indices),
        select(Comparison.LEQ, queries=rasp.tokens),
        select(Comparison.LEQ, rasp.tokens.copy()),
        rasp.SelectorNot(fst),
        rasp.ConstantSelector([]),
    ]
    for snd in others:
        assert isinstance(function(fst, snd), kept)
        assert isinstance(op(snd, fst), kept)


def test_a_full_fits_any_keys_and_any_queries() -> None:
    """The one Select has the keys and the queries that are no Full."""
    one = rasp.selector_and(
        select(Comparison.GEQ, keys=rasp.Full(1)),
        select(Comparison.LEQ, queries=rasp.Full(2)),
    )
    assert isinstance(one, rasp.Select)
    assert (one.keys is rasp.tokens, one.queries is rasp.indices) == (
        True,
        True,
    )


def test_the_contrary_of_a_select_is_a_select() -> None:
    """Unless simplify is False; of any other selector it is a SelectorNot."""
    fst = select(Comparison.EQ)
    assert isinstance(rasp.selector_not(fst), rasp.Select)
    assert isinstance(~fst, rasp.Select)
    kept = rasp.selector_not(fst, simplify=False)
    assert isinstance(kept, rasp.SelectorNot)
    assert isinstance(rasp.selector_not(kept), rasp.SelectorNot)


SIDES = (rasp.tokens, rasp.indices, rasp.Full(1), rasp.Full(2))
SELECTS = [
    rasp.Select(keys, queries, predicate)
    for keys, queries in product(SIDES, repeat=2)
    for predicate in (Comparison.LT, lambda k, q: k + q == 3)
]


@pytest.mark.parametrize(("function", "op", "kept"), JOINED)
def test_one_select_means_what_two_mean(
    function: Callable[..., rasp.Selector], op: object, kept: object
) -> None:
    """Whatever keys, queries and predicates they have, and their contraries."""
    for fst, snd in product(SELECTS, repeat=2):
        simple, full = (
            function(fst, rasp.selector_not(snd, simplify), simplify)([2, 0, 1])
            for simplify in (True, False)
        )
        assert simple == full


@st.composite
def trees(draw: Any, simplify: bool, depth: int = 5) -> rasp.Selector:
    """Selectors of selectors, of four Selects with the same keys and queries or a Full."""
    if depth == 0 or draw(st.integers(0, 4)) == 0:
        keys = (rasp.tokens, rasp.Full(0))[draw(st.integers(0, 1))]
        predicate = (Comparison.LT, Comparison.NEQ)[draw(st.integers(0, 1))]
        return rasp.Select(keys, rasp.indices, predicate)
    inner = draw(trees(simplify, depth - 1))
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return rasp.selector_not(inner, simplify)
    function = (rasp.selector_and, rasp.selector_or)[kind - 1]
    other = draw(trees(simplify, depth - 1))
    return function(inner, other, simplify)


def _plain(selector: rasp.Selector, key: int, query: int) -> bool:
    """The meaning of such a tree for one pair, by recursion."""
    if isinstance(selector, rasp.Select):
        own = selector.keys
        seen = own.fill if isinstance(own, rasp.Full) else key
        return bool(selector.predicate(seen, query))
    if isinstance(selector, rasp.SelectorNot):
        return not _plain(selector.inner, key, query)
    fst, snd = (_plain(x, key, query) for x in (selector.fst, selector.snd))  # type: ignore[attr-defined]
    return fst and snd if isinstance(selector, rasp.SelectorAnd) else fst or snd


@given(tree=trees(simplify=True))
@examples(200)
def test_every_tree_of_selects_of_the_same_is_one_select(
    tree: rasp.Selector,
) -> None:
    """However they are nested, `and`, `or` and `not` of them are one Select."""
    assert isinstance(tree, rasp.Select)


@given(
    kept=trees(simplify=False),
    xs=st.lists(st.integers(-1, 3), max_size=4),
)
@examples(200)
def test_a_tree_of_selectors_is_what_its_parts_say(
    kept: rasp.Selector, xs: list[int]
) -> None:
    """Kept apart or put together, it selects the same pairs."""
    expected = [[_plain(kept, k, q) for k in xs] for q in range(len(xs))]
    assert kept(xs) == expected
    assert _together(kept)(xs) == expected


def _together(selector: rasp.Selector) -> rasp.Selector:
    """The same tree, simplified."""
    if isinstance(selector, rasp.SelectorNot):
        return ~_together(selector.inner)
    if isinstance(selector, rasp.SelectorAnd):
        return _together(selector.fst) & _together(selector.snd)
    if isinstance(selector, rasp.SelectorOr):
        return _together(selector.fst) | _together(selector.snd)
    return selector


@pytest.mark.parametrize("from_the_left", [True, False])
@pytest.mark.parametrize("simplify", [True, False])
def test_thousands_of_selectors_may_be_joined(
    from_the_left: bool, simplify: bool
) -> None:
    """A chain of `and`, `or` and `not` has no greatest length, from either side."""
    joined: rasp.Selector = select(Comparison.TRUE)
    for i in range(3000):
        one = select(lambda k, q, i=i: k != i + q)
        function = (rasp.selector_and, rasp.selector_or)[i % 7 == 0]
        pair = (joined, one) if from_the_left else (one, joined)
        joined = function(*pair, simplify)
        if i % 5 == 0:
            joined = rasp.selector_not(joined, simplify)
    expected = [[True, True], [True, True]]
    for i in range(3000):
        for k, q in product(range(2), repeat=2):
            one, old = k != i + q, expected[q][k]
            new = (one or old) if i % 7 == 0 else (one and old)
            expected[q][k] = new != (i % 5 == 0)
    assert joined([0, 1]) == expected
    assert isinstance(joined, rasp.Select) == simplify


REFUSED = {
    "Select(keys) must be an s-op, found 1": lambda: rasp.Select(
        1, rasp.tokens, Comparison.EQ
    ),
    "Select(queries) must be an s-op, found 'a'": lambda: rasp.Select(
        rasp.tokens, "a", Comparison.EQ
    ),
    "Select(predicate) must be a function, found '=='": lambda: rasp.Select(
        rasp.tokens, rasp.tokens, "=="
    ),
    "Select(predicate) must be a function, found an s-op, tokens": lambda: (
        rasp.Select(rasp.tokens, rasp.tokens, rasp.tokens)
    ),
    "SelectorAnd(fst) must be a selector, found an s-op, tokens": lambda: (
        rasp.SelectorAnd(rasp.tokens, select(Comparison.EQ))
    ),
    "SelectorAnd(snd) must be a selector, found True": lambda: (
        select(Comparison.EQ) & True
    ),
    "SelectorAnd(fst) must be a selector, found False": lambda: (
        False & select(Comparison.EQ)
    ),
    "SelectorOr(snd) must be a selector, found an s-op, length": lambda: (
        select(Comparison.EQ) | rasp.length
    ),
    "SelectorOr(fst) must be a selector, found None": lambda: (
        None | select(Comparison.EQ)
    ),
    "SelectorNot(inner) must be a selector, found 3": lambda: rasp.SelectorNot(
        3
    ),
    "ConstantSelector(value) must be a list, found True": lambda: (
        rasp.ConstantSelector(True)
    ),
    "a row of ConstantSelector must be a list, found False": lambda: (
        rasp.ConstantSelector([True, False][1:])
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_no_selector_is_refused_where_it_is_written(
    message: str,
) -> None:
    """The error names the argument, what it must be, and what was found."""
    with Refused(TypeError, message):
        REFUSED[message]()
