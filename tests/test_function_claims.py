"""What a claim's function does wrong is one line and code 2, by every method: it names the
function, what it was asked, what came of it, and the line of the author's file.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runner import handcraft
from pairs import write
from refusing import JARGON

FILE = """from handcraft import *
{written}
p, t = position(4), token({tokens})
same = Head(value={{t: t}}, adds={{t: 9 * t}})
program = Program(embedding=(p, t), layers=(same,), claim={claim})
"""
TEXT = "'ab'"  # every token is one character: a context is a text
WORDS = "['ab', 'c']"  # a context is a tuple of tokens
METHODS: list[list[str]] = [
    [],
    ["--method", "certificate"],
    ["--method", "exhaustive"],
    ["--method", "sampled", "--dtype", "float64"],
]
SILENCE = "; where the claim says nothing, return None (f.py:2)"
ONE = "it must return one of the tokens 'a', 'b', or None where the claim says nothing"
GIVEN = (
    '; it is given a tuple of tokens, and "".join(context) is the text (f.py:2)'
)
ARGUMENT = (
    "a claim's function takes one argument, the context (of `answers`, the prompt), and"
    " this one is "
)


def refusals(
    written: str, claim: str, tokens: str, methods: list[list[str]]
) -> set[str]:
    """The messages of `handcraft verify`, with and without --json: a line each, with code 2."""
    write("f.py", FILE.format(written=written, claim=claim, tokens=tokens))
    found = set()
    for method in methods:
        for options in (method, [*method, "--json"]):
            result = handcraft("verify", "f.py", *options)
            found.add(result.refusal)
            assert result.err.count("\n") == 1
            assert not any(word in result.err for word in JARGON)
    return found


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "def f(c): return c[4]",
            f"raised IndexError: string index out of range on the context 'a'{SILENCE}",
        ),
        (
            "def f(c): return {}[c]",
            f"raised KeyError: 'a' on the context 'a'{SILENCE}",
        ),
        (
            "def f(c): raise ValueError('two\\nlines')",
            f"raised ValueError: two lines on the context 'a'{SILENCE}",
        ),
        (
            "def f(c): assert len(c) > 1",
            f"raised AssertionError on the context 'a'{SILENCE}",
        ),
        (
            "def f(c): return c.append('a')",
            (
                "raised AttributeError: 'str' object has no attribute 'append' on the context"
                " 'a'; it is given a text, one character a token, and tuple(context) are the"
                " tokens (f.py:2)"
            ),
        ),
        (
            "def f(c): raise SystemExit(3)",
            "raised SystemExit: 3 on the context 'a' (f.py:2)",
        ),
        (
            "def f(c): return f(c)",
            (
                "raised RecursionError: maximum recursion depth exceeded on the context 'a'"
                " (f.py:2)"
            ),
        ),
        (
            "def f(c): raise MemoryError",
            "raised MemoryError on the context 'a' (f.py:2)",
        ),
        (
            "def f(c): raise type('E', (Exception,), {'__str__': len})",
            f"raised E on the context 'a'{SILENCE}",
        ),
        (
            "def f(c): return {'a'}",
            f"returned {{'a'}} of type set on the context 'a'; {ONE} (f.py:2)",
        ),
        (
            "def f(c): return 3",
            f"returned 3 on the context 'a'; {ONE} (f.py:2)",
        ),
        (
            "def f(c): return b'a'",
            f"returned b'a' of type bytes on the context 'a'; {ONE} (f.py:2)",
        ),
        (
            "def f(c): return 'aba'",
            (
                "returned 'aba' on the context 'a'; that is 3 tokens, and"
                f" {ONE} (f.py:2)"
            ),
        ),
        (
            "def f(c): return 'z'",
            f"returned 'z' on the context 'a'; {ONE} (f.py:2)",
        ),
        (
            "def f(c): return object()",
            f"returned a value of type object on the context 'a'; {ONE} (f.py:2)",
        ),
        (
            "def f(c): return (one for one in c)",
            f"returned a value of type generator on the context 'a'; {ONE} (f.py:2)",
        ),
        (
            "f = lambda c, n=[0]: n.append(0) or 'ab'[len(n) % 2]",
            (
                "answered 'a' on 'a', and 'b' when it was asked again; it must give the"
                " same answer each time (f.py:2)"
            ),
        ),
    ],
)
def test_what_a_claims_function_does_wrong(
    written: str, message: str, here: Path
) -> None:
    """Every method says the same, on the shortest context, with the line of the function."""
    name = "<lambda>" if "lambda" in written else "f"
    assert refusals(written, "f", TEXT, METHODS) == {
        f"f > claim: the function '{name}' {message}"
    }


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "def f(c): return c.replace('a', 'b')",
            (
                f"raised AttributeError: 'tuple' object has no attribute 'replace' on the"
                f" context ('ab',){GIVEN}"
            ),
        ),
        (
            "def f(c): return c + 'a'",
            (
                'raised TypeError: can only concatenate tuple (not "str") to tuple on the'
                f" context ('ab',){GIVEN}"
            ),
        ),
        (
            "def f(c): return {'ab': 'c'}[c]",
            f"raised KeyError: ('ab',) on the context ('ab',){GIVEN}",
        ),
        (
            "def f(c): return c[4]",
            (
                "raised IndexError: tuple index out of range on the context ('ab',)"
                f"{SILENCE}"
            ),
        ),
    ],
)
def test_a_function_that_expects_a_text(
    written: str, message: str, here: Path
) -> None:
    """Where a token has several characters a function is given a tuple, and is told so."""
    assert refusals(written, "f", WORDS, METHODS) == {
        f"f > claim: the function 'f' {message}"
    }


def test_a_function_that_never_finds_its_text(here: Path) -> None:
    """A tuple is no key of a table of texts: the claim is silent, and the reason says why."""
    written = "def f(c): return {'abc': 'ab'}.get(c)"
    write("f.py", FILE.format(written=written, claim="f", tokens=WORDS))
    result = handcraft("verify", "f.py", "--json")
    assert (result.code, result.json["reason"]) == (
        3,
        (
            "the claim is silent on every context that was checked; f is given a tuple of"
            ' tokens, and "".join(context) is the text'
        ),
    )


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("def f(): return 'a'", f"{ARGUMENT}f()"),
        ("def f(c, d: int): return 'a'", f"{ARGUMENT}f(c, d)"),
        ("def f(*, c=1): return 'a'", f"{ARGUMENT}f(*, c)"),
        (
            "async def f(c): return 'a'",
            "the function 'f' is async; write it with def alone",
        ),
        (
            "def f(c): yield 'a'",
            "the function 'f' yields; it must return its answer",
        ),
    ],
)
@pytest.mark.parametrize(
    ("claim", "path"),
    [("f", "claim"), ("answers('[ab]', f)", "answers > answer")],
)
def test_a_function_that_cannot_be_asked(
    written: str, message: str, claim: str, path: str, here: Path
) -> None:
    """What can be seen before a function is called is refused where the claim is made."""
    found = refusals(written, claim, TEXT, [[]])
    assert found == {f"f > {path}: {message} (f.py:2)"}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "def f(q): return None",
            "returned None on the prompt 'a'; it must return the answer as a text",
        ),
        (
            "def f(q): return 3",
            "returned 3 on the prompt 'a'; it must return the answer as a text",
        ),
        (
            "def f(q): return ['a']",
            (
                "returned ['a'] of type list on the prompt 'a'; it must return the answer as"
                " a text"
            ),
        ),
        (
            "def f(q): return ''",
            (
                "returned '' on the prompt 'a'; without a stop token an answer is one token"
                " or more"
            ),
        ),
        (
            "def f(q): return 'axe'",
            (
                "returned 'axe' on the prompt 'a'; no token matches 'x' at character 1 of"
                " the text; the vocabulary is 'a', 'b'"
            ),
        ),
        (
            "def f(q): return {'a': 'b', 'b': 'a'}[q]",
            (
                "raised KeyError: 'aa' on the prompt 'aa'; each prompt of the claim needs an"
                " answer"
            ),
        ),
        (
            "def f(q): return q.tokens",
            (
                "raised AttributeError: 'str' object has no attribute 'tokens' on the prompt"
                " 'a'; it is given a text"
            ),
        ),
    ],
)
def test_an_answer_that_is_wrong(
    written: str, message: str, here: Path
) -> None:
    """The same of the function of `answers`, with the prompt."""
    found = refusals(written, "answers('[ab]{1,3}', f)", TEXT, METHODS)
    assert found == {f"f > claim: the function 'f' {message} (f.py:2)"}


def test_an_answer_that_does_not_fit(here: Path) -> None:
    """An answer that is longer than the window is refused with both numbers."""
    claim = "answers('[ab]{1,3}', lambda q: 'a' * 9)"
    assert refusals("", claim, TEXT, METHODS) == {
        (
            "f > claim: the prompt 'a' and its answer need 9 positions, but n_ctx is 4;"
            " bound the prompts, e.g. with longest=, or widen the window (f.py:5)"
        )
    }


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (
            "residual('token:a', lambda c: 'x')",
            (
                "returned 'x' on the context 'a'; it must return the number that the lane"
                " token:a holds, or None where the claim says nothing"
            ),
        ),
        (
            "each(lambda c: None)",
            (
                "returned None on the text 'a'; it must return a text or a list: a token"
                " or None for each position"
            ),
        ),
        (
            "each(lambda c: ['a'])",
            (
                "returned ['a'] of type list on the text 'aa'; it must return a token or"
                " None for each position: 2, not 1"
            ),
        ),
        (
            "each(lambda c: [3] * len(c))",
            (
                "returned 3 on the text 'a'; it must return one of the tokens 'a', 'b', or None"
                " for each position"
            ),
        ),
        (
            "last(lambda c: c[9])",
            (
                "raised IndexError: string index out of range on the context 'a'; where the"
                " claim says nothing, return None"
            ),
        ),
    ],
)
def test_every_kind_of_claim(claim: str, message: str, here: Path) -> None:
    """The functions of the other kinds of claim are told off alike."""
    assert refusals("", claim, TEXT, METHODS) == {
        f"f > claim: the function '<lambda>' {message} (f.py:5)"
    }


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        (
            "distribution(f)",
            (
                "takes {last tokens: {token: probability}}; a function is no"
                " table: claim=function is the claim that it gives the next token"
            ),
        ),
        (
            "after(f)",
            (
                "takes {last tokens: next token} with at least one entry; a function"
                " is no table: claim=function is the claim that it gives the next token"
            ),
        ),
        (
            "after",
            "after is a function of handcraft's own; call it: after(...)",
        ),
        (
            "__import__('handcraft.sequence').sequence.tokens.all",
            "all is a method of an expression; the expression itself is a claim",
        ),
        (
            "__import__('handcraft.rasp').rasp.tokens",
            (
                "TokensType is an expression of handcraft.rasp, which answers for every"
                " position; write lambda text: e(text)[-1] for the last, each(lambda"
                " text: e(text)) for all"
            ),
        ),
    ],
)
def test_a_function_for_a_table(claim: str, message: str, here: Path) -> None:
    """A function where a table belongs, or handcraft's own left uncalled."""
    found = refusals("def f(c): return 'a'", claim, TEXT, [[]])
    called = claim.partition("(")[0] if claim.endswith("(f)") else "claim"
    assert found == {f"f > {called}: {message} (f.py:5)"}


def test_a_function_that_interrupts(here: Path) -> None:
    """KeyboardInterrupt is whoever sits at the keyboard: code 130, and nobody is blamed."""
    written = "def f(c): raise KeyboardInterrupt"
    write("f.py", FILE.format(written=written, claim="f", tokens=TEXT))
    for method in METHODS:
        result = handcraft("verify", "f.py", *method)
        assert (result.code, result.out, result.err) == (130, "", "")


SOMETIMES = """import random
def f(c):
    {rule}
    return None if len(c) < {n} else c[-1]"""
LONG = (
    FILE.replace("position(4)", "position(12)")
    .replace("9 * t", "9 * t[T]")
    .replace("p, t =", "T = 'j'\np, t =")
)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "if len(c) == 12: raise ValueError('late')",
            (
                "raised ValueError: late on the context 'aaaaaaaaaaaa'; where the claim says"
                " nothing, return None (f.py:4)"
            ),
        ),
        (
            "if len(c) == 5 and c[0] == 'a': raise ValueError('short')",
            (
                "raised ValueError: short on the context 'aaaaa'; where the claim says"
                " nothing, return None (f.py:4)"
            ),
        ),
    ],
)
def test_a_function_that_fails_where_contexts_are_drawn(
    rule: str, message: str, here: Path
) -> None:
    """A function that fails late, or only where a counterexample is shrunk, is told as it is."""
    written = SOMETIMES.format(rule=rule, n=6)
    write(
        "f.py", LONG.format(written=written, claim="f", tokens="'abcdefghij'")
    )
    result = handcraft("verify", "f.py", "--method", "sampled")
    assert result.refusal == f"f > claim: the function 'f' {message}"


def test_a_function_that_is_drawn_by_lot(here: Path) -> None:
    """A counterexample that the function does not give again refutes nothing."""
    rule = "if len(c) > 6: return random.choice('bcdefghi')"
    written = SOMETIMES.format(rule=rule, n=99)
    write(
        "f.py", LONG.format(written=written, claim="f", tokens="'abcdefghij'")
    )
    result = handcraft("verify", "f.py", "--method", "sampled", "--json")
    assert "when it was asked again; it must give the same" in result.refusal


@pytest.mark.slow
def test_a_function_that_fails_in_another_process(here: Path) -> None:
    """Worker processes say the same, with the author's file, and print where errors go."""
    pytest.importorskip("joblib")
    rule = "print('asked')\n    if len(c) == 4: return {1}"
    written = SOMETIMES.format(rule=rule, n=9)
    write("f.py", FILE.format(written=written, claim="f", tokens=TEXT))
    result = handcraft("verify", "f.py", "--jobs", "2")
    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines()[-1] == (
        "error: f > claim: the function 'f' returned {1} of type set on the context"
        f" 'aaaa'; {ONE} (f.py:3)"
    )
