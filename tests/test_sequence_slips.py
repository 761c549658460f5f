"""Slips in the language of sequences: what is written, and the one sentence that answers it."""

from __future__ import annotations

import copy
import pickle
import re
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Refused

from handcraft import (
    Head,
    Program,
    answers,
    each,
    last,
    position,
    residual,
    token,
)
from handcraft.core.errors import ProgramError
from handcraft.recipes import mean
from handcraft.sequence import words
from handcraft.sequence.expression import Expression
from handcraft.sequence.words import (
    count,
    fetch,
    here,
    indices,
    map_,
    most,
    own,
    there,
    tokens,
)

same = there(tokens) == tokens
before = there(indices) < indices
WORDS = vars(words) | {
    "__name__": "slip",
    "np": np,
    "same": same,
    "before": before,
}

SLIPS: list[tuple[str, list[str]]] = [  # the answer, and what it answers
    # a condition has no truth: Python asks for it at once
    (
        (
            "claim: a condition has no truth: it is asked for each pair of "
            "positions; write (a) & (b) for `and`, (a) | (b) for `or`, ~(a) for"
            " `not`, (a < b) & (b < c) for a chain a < b < c, where(a, b, c) "
            "for `b if a else c`, min_ and max_ for `min` and `max`"
        ),
        [
            "count(same and before)",
            "count(same or before)",
            "count(not same)",
            "count(0 < there(indices) < 3)",
            "count(same if before else same)",
            'count(there(tokens) in ["a", "b"])',
            "any([same, before])",
            "max(there(indices), 3)",
        ],
    ),
    # nothing in it reads the key position, so Python compares at once
    (
        (
            "claim: a condition was expected, found False: Python compared (or "
            "inverted) at once, since nothing in it is read at the key "
            "position; write there(tokens) == 'a' for the key's token, "
            "equal(tokens, 'a') for the query's"
        ),
        [
            'count(tokens == "a")',
            'total(1, tokens == "a")',
            'same & (tokens == "a")',
            'where(tokens == "a", 1, 2)',
            'cases((tokens in ["a", "b"], 1), 2)',
            'given(tokens == "a", 1)',
        ],
    ),
    (
        (
            "claim: a condition was expected, found True: Python compared (or "
            "inverted) at once, since nothing in it is read at the key "
            "position; write there(tokens) == 'a' for the key's token, "
            "equal(tokens, 'a') for the query's"
        ),
        [
            'count(tokens != "a")',
        ],
    ),
    (
        (
            "claim: a condition was expected, found -1: Python compared (or "
            "inverted) at once, since nothing in it is read at the key "
            "position; write there(tokens) == 'a' for the key's token, "
            "equal(tokens, 'a') for the query's"
        ),
        [
            'count(~(tokens == "a"))',
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so < "
            "cannot compare it; write there(a) < b for a condition on "
            "positions, below(a, b) or equal(a, b) for 1 or 0, min_(a, b) or "
            "max_(a, b) for one of them"
        ),
        [
            'count(tokens < "a")',
        ],
    ),
    # missing parentheses
    (
        (
            "claim: & joins conditions: put each comparison in parentheses, "
            "such as (there(tokens) == 'a') & (there(indices) < indices); of two"
            " values that are 1 or 0 write a * b"
        ),
        [
            'count(there(tokens) == "a" & before)',
            "count(there(tokens) == tokens & there(indices) < indices)",
            "tokens & indices",
        ],
    ),
    # what is no condition
    (
        (
            "claim: there(tokens) is a token, not a condition; write "
            "there(tokens) == 'a'"
        ),
        [
            "count(there(tokens))",
        ],
    ),
    (
        (
            "claim: tokens is a token, not a condition; write there(tokens) == "
            "'a'"
        ),
        [
            "count(tokens)",
            "where(tokens, 1, 2)",
        ],
    ),
    (
        (
            "claim: a condition was expected, found 'a'; write there(tokens) =="
            " 'a'"
        ),
        [
            'count("a")',
        ],
    ),
    (
        (
            "claim: a condition was expected, found None; write there(tokens) "
            "== 'a'"
        ),
        [
            "count(None)",
        ],
    ),
    (
        (
            "claim: a condition was expected, found 1; write there(tokens) == "
            "'a'"
        ),
        [
            "count(1)",
        ],
    ),
    (
        (
            "claim: a condition was expected, found [there(tokens) == tokens, "
            "there(indices) < indices]; write (a) & (b) for several"
        ),
        [
            "count([same, before])",
        ],
    ),
    (
        (
            "claim: count takes before= and every= with {distance: token} only;"
            " beside a condition write & (there(here) < position)"
        ),
        [
            "count(same, before=3)",
        ],
    ),
    (
        (
            "claim: total takes a condition beside an expression, not beside a "
            "table"
        ),
        [
            'total({"a": 1}, same)',
        ],
    ),
    # a token beside a number
    (
        (
            "claim: == compares a token with a number: there(tokens) == 3; "
            "write lookup({token: number}, tokens) for the number of a token"
        ),
        [
            "count(there(tokens) == 3)",
        ],
    ),
    (
        (
            "claim: < compares a token with a number: there(indices) < tokens; "
            "write lookup({token: number}, tokens) for the number of a token"
        ),
        [
            "count(there(indices) < tokens)",
        ],
    ),
    (
        (
            "claim: equal compares a token with a number: equal(tokens, 3); "
            "write lookup({token: number}, tokens) for the number of a token"
        ),
        [
            "equal(tokens, 3)",
        ],
    ),
    (
        (
            "total: total takes numbers, but in total(tokens, there(tokens) == "
            "tokens) its tokens can be a token; write lookup({token: number}, e) "
            "for a token's number"
        ),
        [
            "total(tokens, same)",
        ],
    ),
    (
        (
            "claim: min_ takes two values or more, all at one position; among all "
            "positions write fetch(e, best(0 - e))"
        ),
        [
            "min_(indices)",
        ],
    ),
    (
        (
            "claim: max_ takes two values or more, all at one position; among all "
            "positions write fetch(e, best(e))"
        ),
        [
            "max_(indices)",
        ],
    ),
    (
        ("Expression: min_ takes numbers, found 'a'"),
        [
            'min_("a", 3)',
        ],
    ),
    (
        ("claim: min_ takes numbers, found 'a'"),
        [
            'min_(tokens, 3).all("ab")',
        ],
    ),
    # a condition is no value
    (
        (
            "claim: a condition is no key of a table or member of a set; write "
            "cases((condition, value), ...), with equal(a, b) as the condition"
        ),
        [
            "{same: 1}",
        ],
    ),
    (
        (
            "claim: there(...) is no key of a table or member of a set; write "
            "cases((condition, value), ...), with equal(a, b) as the condition"
        ),
        [
            "{there(tokens)}",
        ],
    ),
    (
        (
            "claim: a condition is compared with nothing; write each comparison"
            " in parentheses: (a == b) & (c < d)"
        ),
        [
            "same == before",
        ],
    ),
    (
        (
            "claim: a condition is no number; write count(condition), or "
            "equal(a, b) and below(a, b), which are 1 or 0"
        ),
        [
            "same + 1",
            "round(same)",
        ],
    ),
    (
        (
            "claim: a selection reads a value at the key position, not a "
            "condition; write equal(a, b) or below(a, b), without there(...)"
        ),
        [
            "total(same)",
        ],
    ),
    (
        (
            "claim: a condition cannot be gone through; write count(condition) "
            "for how many positions it selects, total(e, condition) for a sum "
            "over them"
        ),
        [
            "[*same]",
            "a, b = same",
        ],
    ),
    (
        (
            "claim: `in` cannot search there(...); write any_(there(e) == "
            "value), or (there(e) == a) | (there(e) == b) for one of several "
            "values"
        ),
        [
            '"a" in there(tokens)',
        ],
    ),
    (
        (
            "claim: len() cannot count a condition; write count(condition) for "
            "the number of positions that it selects"
        ),
        [
            "len(same)",
        ],
    ),
    (
        (
            "claim: there(tokens) has no 'all': it is asked in a selection; write "
            "count(condition) or fetch(value, condition), or, of one position alone, "
            "e for there(e) and equal(a, b) for there(a) == b"
        ),
        [
            'there(tokens).all("abc")',
        ],
    ),
    (
        ("claim: ^ joins no conditions; write (a & ~b) | (~a & b)"),
        [
            "same ^ before",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with abs: write max_(a, 0 - a)"
        ),
        [
            "abs(there(indices))",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with /: write a // b, or the exact ratio(a, b)"
        ),
        [
            "there(indices) / 2",
        ],
    ),
    # `there` stands in a condition, once
    (
        (
            "claim: there(there(tokens)) is read at the key position already; "
            "write there(...) around each value that is read at the key, once"
        ),
        [
            "there(there(tokens))",
            "distinct(there(tokens))",
        ],
    ),
    (
        (
            "claim: there(there(tokens) == tokens) is read at the key position "
            "already; write there(...) around each value that is read at the "
            "key, once"
        ),
        [
            "there(same)",
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "there(indices) - 1; there(...) stands in a selection, as in "
            "count(there(tokens) == tokens)"
        ),
        [
            "token_at(there(indices) - 1)",
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "there(tokens); there(...) stands in a selection, as in "
            "count(there(tokens) == tokens)"
        ),
        [
            "count({-1: there(tokens)})",
            "fetch(tokens, same, default=there(tokens))",
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "there(indices); there(...) stands in a selection, as in "
            "count(there(tokens) == tokens)"
        ),
        [
            'count({0: "a"}, before=there(indices))',
            'most({"a": there(indices)})',
        ],
    ),
    (
        (
            "claim: the value of a selection is read at the key position as a "
            "whole; write it without there(...), found there(indices) + 1"
        ),
        [
            "total(there(indices) + 1)",
        ],
    ),
    # a position or a condition
    (
        (
            "claim: fetch takes a position, found equal(own, 'a'), which is 1 "
            "or 0; a condition has there(...) in it, such as there(tokens) == "
            "'a'"
        ),
        [
            'fetch(tokens, equal(tokens, "a"))',
        ],
    ),
    (
        (
            "claim: fetch takes a condition, or a position that is not in "
            "there(...), found there(indices) - 1; write there(indices) == "
            "position, or the position itself"
        ),
        [
            "fetch(tokens, there(indices) - 1)",
        ],
    ),
    (
        (
            "claim: there(tokens) is a token, not a condition; write "
            "there(tokens) == 'a'"
        ),
        [
            "fetch(tokens, there(tokens))",
        ],
    ),
    (
        ("Expression: token_at takes numbers, found 'a'"),
        [
            'fetch(tokens, "a")',
        ],
    ),
    (
        (
            "claim: a condition was expected, found False: Python compared (or "
            "inverted) at once, since nothing in it is read at the key "
            "position; write there(tokens) == 'a' for the key's token, "
            "equal(tokens, 'a') for the query's"
        ),
        [
            'fetch(tokens, tokens == "a")',
        ],
    ),
    (
        (
            "fetch: takes 2 arguments without a name, found 3: write "
            "fetch(value, place, default=...)"
        ),
        [
            'fetch(tokens, same, "x")',
        ],
    ),
    (
        ("fetch > place: is required"),
        [
            "fetch(tokens)",
        ],
    ),
    # functions of Python's
    (
        (
            "claim: an expression has no value before there is a context, so it"
            " cannot be gone through; write token_at(i) for a token of the "
            "context, count(condition) and total(e) for all of them"
        ),
        [
            "sum(tokens)",
            "list(map(str, tokens))",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so > "
            "cannot compare it; write there(a) > b for a condition on "
            "positions, below(a, b) or equal(a, b) for 1 or 0, min_(a, b) or "
            "max_(a, b) for one of them"
        ),
        [
            "min(indices, 3)",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so < "
            "cannot compare it; write there(a) < b for a condition on "
            "positions, below(a, b) or equal(a, b) for 1 or 0, min_(a, b) or "
            "max_(a, b) for one of them"
        ),
        [
            "sorted([indices, length])",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so "
            "it has no length; write length for the number of tokens, "
            "count(condition) for that of positions"
        ),
        [
            "len(tokens)",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with round: write round_(a)"
        ),
        [
            "round(indices)",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with abs: write max_(a, 0 - a)"
        ),
        [
            "abs(indices)",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so it"
            " is no number; write token_at(i), or lookup(table, x)"
        ),
        [
            "int(indices)",
            "range(indices)",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so it"
            " cannot be turned round; write fetch(a, length - 1 - indices) for "
            "what stands as far from the end"
        ),
        [
            "reversed(tokens)",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with divmod: write a // b and a % b"
        ),
        [
            "divmod(indices, 2)",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with **: write a * a"
        ),
        [
            "indices ** 2",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with /: write a // b, or the exact ratio(a, b)"
        ),
        [
            "indices / 2",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with a sign alone: write 0 - a"
        ),
        [
            "-indices",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so it"
            " has no items; write token_at(i) for a token, lookup(table, x) for"
            " an entry"
        ),
        [
            "tokens[0]",
        ],
    ),
    (
        (
            "claim: expressions are computed with +, -, *, // and %, and not "
            "with ^: write 1 - equal(a, b)"
        ),
        [
            "tokens ^ tokens",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so "
            "`if`, `and`, `or` and `not` cannot ask for its truth; write "
            "cases((condition, value), default)"
        ),
        [
            '1 if equal(tokens, "a") else 2',
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so "
            "`in` cannot search it; write lookup({token: 1, ...}, x) or "
            "count({0: token})"
        ),
        [
            '"a" in tokens',
        ],
    ),
    # values that the language has not
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "1.5; write whole numbers, or ratio(a, b)"
        ),
        [
            "indices + 1.5",
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "None; given(condition, value) leaves a value undefined"
        ),
        [
            "indices + None",
            'where(equal(tokens, "a"), 1, None)',
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "True; == compares expressions themselves, equal(a, b) what they "
            "say"
        ),
        [
            "indices + True",
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "0.5; write whole numbers, or ratio(a, b)"
        ),
        [
            "there(indices) == 0.5",
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "array([1, 2]); write lookup({...}, indices) for a number at each "
            "position"
        ),
        [
            "np.array([1, 2]) + indices",
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "np.int64(3); write int(...) around a number of numpy's"
        ),
        [
            "np.int64(3) * indices",
            "there(indices) < np.int64(3)",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so "
            "numpy's add cannot compute it; write the words of "
            "handcraft.sequence"
        ),
        [
            "np.sum(indices)",
        ],
    ),
    (
        (
            "claim: an expression has no value before there is a context, so "
            "numpy makes no array of it; write count, total, where, ... of "
            "handcraft.sequence"
        ),
        [
            "np.where(same, 1, 0)",
        ],
    ),
    (
        (
            "claim: an expression is asked about a text, 'abc' or ['ab', 'c'], "
            "found 3"
        ),
        [
            "tokens.all(3)",
        ],
    ),
    (
        (
            "claim: an expression is asked about a text, 'abc' or ['ab', 'c'], "
            "found [1, 2]"
        ),
        [
            "tokens([1, 2])",
        ],
    ),
    # a set and a table have no order
    (
        (
            "claim: an expression is asked about a text, 'abc' or ['ab', 'c'], "
            "found {'a'}"
        ),
        [
            "tokens({'a'})",
            "tokens.all({'a'})",
        ],
    ),
    (
        "causal: must be True or False, found 'no'",
        [
            "tokens.all('ab', causal='no')",
        ],
    ),
    (
        (
            "claim: a value is an expression, a whole number or a token, found "
            "['a', 'b']; for one of several tokens write lookup({'a': 1, 'b': 1}, "
            "x, default=0), which is 1 or 0"
        ),
        [
            "count(there(tokens) == ['a', 'b'])",
            "equal(tokens, ['a', 'b'])",
        ],
    ),
    (
        ("Expression: divide by zero"),
        [
            "indices // 0",
        ],
    ),
    (
        ("Expression: a number in an expression may be 1000000000 at most"),
        [
            "indices + 10**10",
        ],
    ),
    # tables and functions
    (
        (
            "claim: lookup takes a table of whole numbers and tokens, found "
            "1.5; for a value that is computed write cases((condition, value), "
            "...), and leave out what is undefined"
        ),
        [
            'lookup({"a": 1.5}, tokens)',
        ],
    ),
    (
        (
            "claim: lookup takes a table of whole numbers and tokens, found "
            "True; for a value that is computed write cases((condition, value),"
            " ...), and leave out what is undefined"
        ),
        [
            'lookup({"a": True}, tokens)',
        ],
    ),
    (
        (
            "claim: lookup takes a table of whole numbers and tokens, found "
            "own; for a value that is computed write cases((condition, value), "
            "...), and leave out what is undefined"
        ),
        [
            'lookup({"a": tokens}, tokens)',
        ],
    ),
    (
        ("claim: lookup takes a table {value: value} and what is looked up"),
        [
            'lookup({"a", "b"}, tokens)',
        ],
    ),
    (
        (
            "Expression: lookup takes a table whose keys are 2 values, as many "
            "as are looked up"
        ),
        [
            'lookup({"a": 1}, tokens, 0)',
        ],
    ),
    (
        ("claim: most takes {token: number} with at least one token"),
        [
            'most({"a", "b"})',
        ],
    ),
    (
        ("claim: lowest takes {token: whole number}"),
        [
            'lowest({"a": 0.5})',
        ],
    ),
    (
        ("claim: state takes {state: {token: next state}} and a start"),
        [
            'state({"p": {"a"}}, "p")',
        ],
    ),
    (
        (
            "claim: map_ takes over=, the values that it is asked for, such as "
            "'abc' or range(9)"
        ),
        [
            "map_(len, tokens)",
            "map_(len, tokens, over=3)",
        ],
    ),
    (
        ("claim: map_ takes a function first, then what it is asked for"),
        [
            'map_("ab", tokens, over="ab")',
        ],
    ),
    (
        (
            "claim: map_: the function of 'a' raises ZeroDivisionError: integer"
            " division or modulo by zero"
        ),
        [
            'map_(lambda t: 1 // 0, tokens, over="ab")',
        ],
    ),
    (
        (
            "claim: map_: the function of 'a' gives a whole number, a token or "
            "None; found 0.5"
        ),
        [
            'map_(lambda t: 0.5, tokens, over="ab")',
        ],
    ),
    (
        (
            "claim: map_: the function of 'a' gives a whole number, a token or "
            "None; found own"
        ),
        [
            'map_(lambda t: tokens, tokens, over="ab")',
        ],
    ),
    (
        ("claim: map_ takes a tuple of 2 values for each row of over="),
        [
            'map_(lambda a, b: 0, tokens, indices, over="ab")',
        ],
    ),
    (
        ("claim: map_ takes whole numbers and tokens in over=, found 0.5"),
        [
            "map_(len, tokens, over=[0.5])",
        ],
    ),
    (
        (
            "claim: cases takes (condition, value) pairs, and one value at the "
            "end as the default"
        ),
        [
            'cases({equal(tokens, "a"): 1})',
            'cases((equal(tokens, "a"), 1, 2))',
            'cases(equal(tokens, "a"), 1)',
            "cases(())",
        ],
    ),
    (
        (
            "claim: a condition was expected, found 'a'; write there(tokens) =="
            " 'a'"
        ),
        [
            'cases(("a", 1), 2)',
        ],
    ),
    (
        ("claim: count takes {distance: token} with whole numbers, found 'a'"),
        [
            'count({"a": 0})',
        ],
    ),
    (
        (
            "claim: count takes a token, an expression or several tokens at "
            "each distance"
        ),
        [
            "count({0: 1})",
        ],
    ),
    (
        ("Expression: min_ takes numbers, found none"),
        [
            "min_()",
        ],
    ),
    (
        ("otherwise > default: is required"),
        [
            "otherwise(tokens)",
        ],
    ),
]
DATA: list[tuple[dict[str, Any], str]] = [
    ({"nodes": []}, ("Expression: takes 1 to 5000 nodes, found 0")),
    ({"nodes": 3}, ("Expression: takes several values, found 3")),
    (
        {"nodes": [{"op": "here"}], "op": "here"},
        (
            "Expression > nodes: has no such argument; it takes op, args, "
            "where, before, every, table"
        ),
    ),
    (
        {"nodes": [{"node": 0}]},
        (
            "Expression: a node of an expression is a table with its op, found "
            "{'node': 0}"
        ),
    ),
    (
        {"nodes": [{"op": "here"}, {"node": 0}]},
        (
            "Expression: a node of an expression is a table with its op, found "
            "{'node': 0}"
        ),
    ),
    (
        {"nodes": [{"op": "token_at", "args": [{"node": 1}]}, {"op": "here"}]},
        (
            "Expression: a node of an expression refers to an earlier one by "
            "its number, found 1"
        ),
    ),
    (
        {
            "nodes": [
                {"op": "here"},
                {"op": "token_at", "args": [{"node": True}]},
            ]
        },
        (
            "Expression: a node of an expression refers to an earlier one by "
            "its number, found True"
        ),
    ),
    (
        {"nodes": [{"op": "here"}, {"op": "token_at", "args": [{"node": -1}]}]},
        (
            "Expression: a node of an expression refers to an earlier one by "
            "its number, found -1"
        ),
    ),
    (
        {
            "nodes": [
                {"op": "here"},
                {"op": "token_at", "args": [{"node": "0"}]},
            ]
        },
        (
            "Expression: a node of an expression refers to an earlier one by "
            "its number, found '0'"
        ),
    ),
    (
        {"node": True},
        (
            "Expression > node: has no such argument; it takes op, args, where,"
            " before, every, table"
        ),
    ),
    (
        {"op": "lenght"},
        ("Expression: there is no operation 'lenght'; did you mean 'length'?"),
    ),
    ({"op": ["here"]}, ("Expression: there is no operation ['here']")),
    ({"op": "there"}, ("Expression: there takes 1 values, found 0")),
    (
        {"op": "there", "args": [{"op": "there", "args": [{"op": "here"}]}]},
        (
            "Expression: there(...) stands in the condition of a selection "
            "only; here it is in another place of there"
        ),
    ),
    (
        {"op": "count_where", "args": ["a"]},
        ("Expression: count takes numbers, found 'a'"),
    ),
    (
        {"op": "fetch", "args": [{"op": "here"}]},
        ("Expression: fetch takes 2 or 3 values, found 1"),
    ),
    ({"op": "least"}, ("Expression: min_ takes numbers, found none")),
    (
        {"op": "length", "args": [1]},
        ("Expression: length takes 0 values, found 1"),
    ),
    (
        {"op": "count_where", "args": [1], "before": 3},
        ("Expression: count takes no before"),
    ),
    (
        {"op": "value_at", "args": [{"op": "there", "args": [1]}, 0]},
        (
            "Expression: there(...) stands in the condition of a selection "
            "only; here it is in another place of fetch"
        ),
    ),
    (
        {"op": "precedes", "args": ["a", 3]},
        ("Expression: below compares tokens, found 3"),
    ),
    (
        {"op": "add", "args": [None, 1]},
        (
            "Expression > args: a value is an expression, a whole number or a "
            "token, found None; given(condition, value) leaves a value "
            "undefined"
        ),
    ),
    (
        {"op": "add", "args": "ab"},
        ("Expression > args: takes several values, found 'ab'"),
    ),
]


def answered(error: ProgramError) -> str:
    """The message without the place."""
    return str(ProgramError(error.message, error.path))


@pytest.mark.filterwarnings("ignore:Bitwise inversion:DeprecationWarning")
@pytest.mark.parametrize(
    ("written", "answer"),
    [
        pytest.param(written, answer, id=written)
        for answer, several in SLIPS
        for written in several
    ],
)
def test_a_slip_is_answered(written: str, answer: str) -> None:
    """In the author's words, with the line, and with what would work."""
    with pytest.raises(ProgramError) as caught:
        exec(compile("\n" + written, "slip.py", "exec"), dict(WORDS))
    assert answered(caught.value) == answer
    asked = ".all(" in written and caught.value.source is None
    assert asked or str(caught.value.source) == "slip.py:2"


@pytest.mark.parametrize(
    "written",
    ["f'{tokens:.2f}'", "f'{there(tokens):>9}'", "format(same, '4d')"],
)
def test_a_format_asks_for_a_value(written: str) -> None:
    """Which there is not yet."""
    with pytest.raises(ProgramError) as caught:
        eval(written, dict(WORDS))
    assert answered(caught.value) == (
        "claim: an expression has no value before there is a context, so it cannot be"
        " formatted; write claim(context) for a value"
    )


def test_there_are_many() -> None:
    """At least forty slips."""
    assert sum(len(several) for _, several in SLIPS) >= 40


@pytest.mark.parametrize(("data", "answer"), DATA)
def test_data_that_is_no_expression(data: dict[str, Any], answer: str) -> None:
    """What comes from a file is held to the same rules, and answered in the same words."""
    with Refused(ProgramError, answer, here=True):
        Expression(**data)


@pytest.mark.parametrize("inner", ["args", "where", "before", "nodes", "list"])
def test_data_that_is_nested_too_deeply(inner: str) -> None:
    """Ten thousand levels are refused before they are walked."""
    data: Any = {"op": "here"}
    for _ in range(10_000):
        data = {
            "args": {"op": "token_at", "args": [data]},
            "where": {"op": "count", "where": [[0, data]]},
            "before": {"op": "count", "before": data},
            "nodes": {"nodes": [data]},
            "list": [data],
        }[inner]
    found = {"op": "token_at", "args": data} if inner == "list" else data
    with Refused(
        ProgramError,
        "Expression: an expression may be nested 40 deep",
        here=True,
    ):
        Expression(**found)


def test_what_is_too_deep() -> None:
    """Forty levels of words; what stands twice counts once."""
    deep: Expression = here
    for _ in range(39):
        deep = fetch(deep, 0)
    with Refused(
        ProgramError,
        "Expression: an expression may be nested 40 deep",
        here=True,
    ):
        fetch(deep, 0)
    twice: Expression = here
    for _ in range(39):
        twice = twice + twice
    assert (twice.size, twice.spread) == (40, 2**40 - 1)


@pytest.mark.slow
def test_what_is_too_large() -> None:
    """Five thousand nodes, each counted once."""
    wide = most({str(i): here + i for i in range(4_998)})
    with Refused(
        ProgramError,
        "Expression: an expression may have 5000 parts, found 5001",
        here=True,
    ):
        count(there(wide) == wide)


def test_a_set_has_no_order() -> None:
    """Where a vocabulary is a set, the same expression comes of it in every run."""
    made = {map_(ord, tokens, over=set("abcd")), map_(ord, tokens, over="abcd")}
    assert len(made) == 1
    orders = ["".join(order) for order in permutations("abc")]
    assert {count({0: frozenset(order)}) for order in orders} == {
        count({0: ("a", "b", "c")})
    }


def test_what_is_shown_is_what_was_meant() -> None:
    """Python's == of two expressions compares what is written; texts show the notation."""
    assert (tokens == own, tokens == "a", tokens != "a") == (True, False, True)
    assert f"{same}, {there(tokens)}, {tokens}" == (
        "there(tokens) == tokens, there(tokens), own"
    )


def test_a_condition_is_frozen_and_can_be_copied() -> None:
    """Its node is its own, and a copy asks the same."""
    with Refused(
        ProgramError,
        "claim: node of a condition cannot be changed; write another one",
        here=True,
    ):
        same.node = here
    for other in (
        copy.copy(same),
        copy.deepcopy(same),
        pickle.loads(pickle.dumps(same)),
    ):
        assert count(other) == count(same)


@pytest.mark.parametrize(
    ("build", "answer"),
    [
        (
            lambda: Program(embedding=(position(3), token("ab")), claim=same),
            (
                "test_sequence_slips > claim: a claim is a table {last tokens: next token},"
                " such as {'aa': 'b'}, a claim such as answers(...), an expression, or a"
                " function of the context; found Condition there(tokens) == tokens"
            ),
        ),
        (
            lambda: each(there(tokens)),
            "each > function: takes a function or an expression, found There there(tokens)",
        ),
        (
            lambda: last(same),
            (
                "last: a claim is a table {last tokens: next token}, such as {'aa': 'b'}, a"
                " claim such as answers(...), an expression, or a function of the context;"
                " found Condition there(tokens) == tokens"
            ),
        ),
        (
            lambda: residual("v", same),
            (
                "residual > function: takes a function or an expression, found Condition"
                " there(tokens) == tokens"
            ),
        ),
        (
            lambda: answers("a", there(tokens)),
            (
                "answers > answer: takes a function, a table, an expression or a"
                " transducer, found There there(tokens)"
            ),
        ),
        (
            lambda: Head(
                value={token("ab"): token("ab")},
                adds={token("ab"): token("ab")},
                means={token("ab")["a"]: there(indices)},
            ),
            (
                "Head > means: a meaning is a whole number or an expression of"
                " handcraft.sequence.words, such as token_at(here - 1) or ratio(1, 2),"
                " found There there(indices)"
            ),
        ),
        (
            lambda: Expression(op="there", args=(here,)).all("ab"),
            "claim: there(...) has a value in the condition of a selection only",
        ),
        (
            lambda: each(Expression(op="there", args=(tokens,))),
            (
                "each > function: what follows is a token or nothing, but there(tokens)"
                " stands in the condition of a selection only"
            ),
        ),
    ],
)
def test_there_stands_in_a_selection_only(build: Any, answer: str) -> None:
    """Where a claim, a meaning or a value is asked for, it is named."""
    with pytest.raises(ProgramError) as caught:
        build()
    assert re.sub(r" \(\S+\)$", "", str(caught.value)) == answer


def test_what_python_looks_up_is_answered_where_the_file_is_read(
    tmp_path: Path,
) -> None:
    """`in` of a text is Python's own search: who loads the program reads our sentence."""
    from handcraft.files.program_file import load_program

    file = tmp_path / "bad.py"
    for written in ("own in 'ab'", "there(own) in 'ab'"):
        file.write_text(f"from handcraft.sequence import *\n{written}\n")
        with pytest.raises(ProgramError) as caught:
            load_program(file)
        assert str(caught.value) == (
            "bad: an expression has no value before there is a context, so Python cannot"
            f" look it up; write lookup({{token: 1, ...}}, x) ({file}:2)"
        )


@pytest.mark.parametrize(
    ("value", "found"),
    [(tokens, "an Expression"), (there(tokens), "There there(tokens)")],
)
@pytest.mark.parametrize("word", ["Head", "mean"])
def test_a_rule_is_made_of_other_things(
    word: str, value: Any, found: str
) -> None:
    """A claim's expression in a rule or in a recipe; also the recipe taken for the word."""
    with pytest.raises(ProgramError) as caught:
        Head(value=value) if word == "Head" else mean(value)
    assert re.sub(r" \(\S+\)$", "", str(caught.value)) == (
        f"{word} > value: an expression is made of lanes, slots and numbers, found"
        f" {found} of handcraft.sequence, which says what a model should say; that"
        " language and handcraft.recipes each have a mean"
    )
