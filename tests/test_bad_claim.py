"""Claims in program files that are refused, at once or where they are checked."""

from __future__ import annotations

import re

import pytest
from refusing import Case, claiming, program, refused_program

pytestmark = pytest.mark.usefixtures("beside_ok")


CLAIMS = [
    # claims
    program(
        "a claim of another kind",
        claiming("7"),
        re.compile(r"bad > claim: .*\(bad\.py:3\)"),
    ),
    program(
        "an empty claim",
        claiming("after({})"),
        "bad > after: takes {last tokens: next token} with at least one entry"
        " (bad.py:3)",
    ),
    program(
        "a claim on no ending",
        claiming("after({'': 'a'})"),
        re.compile(r"bad > claim: .*\(bad\.py:3\)"),
        "verify",
        "bad.py",
    ),
    program(
        "an unknown token must follow",
        claiming("after({'aa': 'c'})"),
        "bad > claim: the token 'c' is not in the vocabulary 'a', 'b' (bad.py:3)",
    ),
    program(
        "an ending of unknown tokens",
        claiming("after({'ac': 'b'})"),
        re.compile(
            r"bad > claim: no token matches 'c' at character 1 of .*; the vocabulary is"
            r" 'a', 'b' \(bad\.py:3\)"
        ),
    ),
    program(
        "probabilities of one half",
        claiming("distribution({'a': {'a': 0.5}})"),
        "bad > distribution > table: the probabilities after 'a' must sum to 1, found"
        " 0.5 (bad.py:3)",
    ),
    program(
        "a probability of NaN",
        claiming("distribution({'a': {'a': float('nan'), 'b': 1}})"),
        re.compile(
            r"bad > distribution > table: the probabilities after 'a' must sum to 1,"
            r" found nan \(bad\.py:3\)"
        ),
    ),
    program(
        "probabilities that are no table",
        claiming("distribution({'a': 1})"),
        re.compile(
            r"bad.*: takes \{last tokens: \{token: probability\}\}"
            r" \(bad\.py:3\)"
        ),
    ),
    program(
        "a tolerance of NaN",
        claiming("distribution({'a': {'a': 1}}, tolerance=float('nan'))"),
        re.compile(r"bad > .*tolerance.*\(bad\.py:3\)"),
    ),
    program(
        "prompts that never close",
        claiming("answers('(a', str)"),
        re.compile(
            r"bad > answers > prompts: .*'\(a':? at character 2: this \( is never"
            r" closed \(bad\.py:3\)"
        ),
    ),
    program(
        "prompts of any character",
        claiming("answers('.*', str)"),
        re.compile(
            r"bad > answers > prompts: .*'\.\*':? at character 1: '\.' has no meaning"
            r" here; .* \(bad\.py:3\)"
        ),
    ),
    program(
        "prompts that end too early",
        claiming(r"answers('a\\', str)"),
        re.compile(
            r"bad > answers > prompts: .*'a\\.*':? at character \d: it ends too early"
            r" \(bad\.py:3\)"
        ),
    ),
    program(
        "prompts that are too long",
        claiming("answers('a{9}', str)"),
        "bad > claim > prompts: no prompt of 'a{9}' fits n_ctx 5 (bad.py:3)",
    ),
    program(
        "prompts of unknown tokens",
        claiming("answers('c', str)"),
        re.compile(
            r"bad > claim.*: no token matches 'c' at character 0 of the text; the"
            r" vocabulary is 'a', 'b' \(bad\.py:3\)"
        ),
    ),
    program(
        "prompts nested too deep",
        claiming("answers('(' * 3000 + 'a' + ')' * 3000, str)"),
        re.compile(r"bad > .*\(bad\.py:3\)"),
    ),
    # what shows only when it is checked
    program(
        "an answer that does not fit",
        claiming("answers('a{1,5}', lambda prompt: 'bb')"),
        re.compile(
            r"bad > claim: the prompt 'aaaaa' and its answer need 6 positions, but"
            r" n_ctx is 5; .* \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
        "--method",
        "sampled",
    ),
    program(
        "an answer of unknown tokens",
        claiming("answers('aa', lambda prompt: 'c')"),
        re.compile(
            r"bad > claim: the function '<lambda>' returned 'c' on the prompt 'aa';"
            r" no token matches 'c' .*"
            r" \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
    ),
    program(
        "an answer that is no text",
        claiming("answers('aa', len)"),
        "bad > claim: the function 'len' returned 2 on the prompt 'aa'; it must return"
        " the answer as a text (bad.py:3)",
        "verify",
        "bad.py",
    ),
    program(
        "an answer that raises",
        claiming("answers('aa', lambda prompt: 1 / 0)"),
        "bad > claim: the function '<lambda>' raised ZeroDivisionError: division by"
        " zero on the prompt 'aa'; each prompt of the claim needs an answer (bad.py:3)",
        "verify",
        "bad.py",
    ),
    program(
        "a claim that raises",
        claiming("lambda context: context[9]"),
        "bad > claim: the function '<lambda>' raised IndexError: string index out of"
        " range on the context 'a'; where the claim says nothing, return None (bad.py:3)",
        "verify",
        "bad.py",
    ),
    program(
        "a claim that leaves",
        claiming("lambda context: exit(0)"),
        re.compile(
            r"bad > claim: the function '<lambda>' raised SystemExit: .* \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
    ),
    program(
        "a claim of an unknown token",
        claiming("lambda context: 'c'"),
        re.compile(
            r"bad > claim: the function '<lambda>' returned 'c' on the context 'a'; it must"
            r" return one of the tokens 'a', 'b', or None .* \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
    ),
    program(
        "a claim of a list",
        claiming("lambda context: ['a']"),
        re.compile(
            r"bad > claim: the function '<lambda>' returned \['a'\] of type list on the"
            r" context 'a'; it must return one of the tokens 'a', 'b', or None .* \(bad\.py:3\)"
        ),
        "verify",
        "bad.py",
    ),
    program(
        "no claim",
        "program = Program(embedding=(p, t))",
        "bad: has no claim to verify; pass claim= to Program",
        "verify",
        "bad.py",
    ),
    # prompts
    program(
        "a prompt outside the domain",
        claiming("answers('a{2}', str)"),
        "'ab' is not a prompt of bad; its prompts match 'a{2}', such as 'aa', and fit 5"
        " tokens with their answer",
        "run",
        "bad.py",
        "ab",
    ),
    program(
        "a prompt that is too long",
        claiming("answers('a*', str)"),
        "'aaaaaa' is not a prompt of bad; its prompts match 'a*', such as 'aaaaa', and"
        " fit 5 tokens with their answer",
        "run",
        "bad.py",
        "aaaaaa",
    ),
]


@pytest.mark.parametrize("case", CLAIMS, ids=lambda case: case.name)
def test_a_program_that_is_refused(case: Case) -> None:
    """A wrong claim is named with the path to the rule and the author's file and line."""
    refused_program(case)
