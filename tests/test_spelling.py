"""How a vocabulary spells the prompts of a language, and texts to avoid: against writing
everything out.
"""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import pytest
from cli_runner import handcraft
from conftest import Refused, examples, random_weights
from hypothesis import given
from hypothesis import strategies as st
from patterns import patterns

from handcraft import Head, Model, Program, after, answers, position, token
from handcraft.analysis.reachability import Watch, avoid
from handcraft.analysis.states import explore
from handcraft.claims.prompt_language import Language
from handcraft.claims.spelling import Spelling, spellings
from handcraft.core.errors import PromptError
from handcraft.core.vocabulary import Vocabulary

pieces = st.lists(
    st.text("ab1", min_size=1, max_size=3), min_size=1, max_size=5, unique=True
)
languages = st.one_of(
    patterns,
    st.lists(
        pieces.map("|".join).map("({})*".format), min_size=1, max_size=2
    ).map("".join),
)


def every_spelling(text: str, tokens: list[str]) -> list[tuple[str, ...]]:
    """All sequences of tokens that make a text, by trying each first token."""
    if not text:
        return [()]
    return [
        (t, *rest)
        for t in tokens
        if text.startswith(t)
        for rest in every_spelling(text[len(t) :], tokens)
    ]


def split(text: str, tokens: list[str]) -> tuple[str, ...] | None:
    """The longest match first; None where that fails."""
    found: list[str] = []
    while text:
        fits = [t for t in tokens if text.startswith(t)]
        if not fits:
            return None
        found.append(max(fits, key=len))
        text = text[len(found[-1]) :]
    return tuple(found)


@examples(400)
@given(languages, pieces, st.integers(1, 4), st.integers(1, 7))
def test_the_shortest_wrong_prompt_is_found(
    pattern: str, tokens: list[str], n_ctx: int, longest: int
) -> None:
    """Exactly where some prompt has no spelling, another than the longest match, or too many
    tokens; it is a shortest.
    """
    language = Language(pattern, min(longest, n_ctx * max(map(len, tokens))))
    problem = Spelling(language, Vocabulary(tuple(tokens)), n_ctx).problem()
    ways = {text: every_spelling(text, tokens) for text in language}
    unspelled = [text for text, found in ways.items() if not found]
    otherwise = [
        text
        for text, found in ways.items()
        if any(way != split(text, tokens) for way in found)
    ]
    long = [
        text
        for text, found in ways.items()
        if any(len(way) > n_ctx for way in found)
    ]
    wrong = next((texts for texts in (unspelled, otherwise, long) if texts), [])
    assert (problem is None) == (not wrong)
    if problem is not None:
        shortest = [text for text in wrong if len(text) == len(wrong[0])]
        assert problem.split("'")[1] in shortest
        assert {
            id(unspelled): "': no token",
            id(otherwise): "spelled",
            id(long): "needs",
        }[id(wrong)] in problem


@examples(300)
@given(languages, pieces, st.integers(1, 6))
def test_numbers_of_tokens_are_those_of_prompts(
    pattern: str, tokens: list[str], longest: int
) -> None:
    """Where there is no problem, each number of tokens has a shortest prompt as its example."""
    language = Language(pattern, longest)
    spelling = Spelling(language, Vocabulary(tuple(tokens)), 9)
    if spelling.problem() is None:
        counts: dict[int, int] = {}
        for text in language:
            counts.setdefault(len(split(text, tokens) or ()), len(text))
        assert {n: len(spelling.example(n)) for n in spelling.counts} == counts


@given(st.text("ab1", max_size=6), pieces)
def test_spellings_of_a_text(text: str, tokens: list[str]) -> None:
    """None, one, or two where there are several."""
    found, every = (
        spellings(text, Vocabulary(tuple(tokens))),
        every_spelling(text, tokens),
    )
    assert len(found) == min(len(every), 2)
    assert set(found) <= set(every)


# ---------------------------------------------------------------- a text to avoid


def writer(seed: int, tokens: tuple[str, ...]) -> Model:
    """Random weights over these tokens and a window of three."""
    return Model(
        "writer",
        random_weights(seed, n_vocab=len(tokens), n_ctx=3),
        Vocabulary(tokens),
        2,
    )


def written(
    model: Model, start: str, text: str, floor: float, steps: int
) -> int | None:
    """After how many tokens a text is written at the earliest: every way to go on, one token
    after another.
    """
    level = {(start, tuple(model.ids(start)))}
    for n in range(steps):
        following = set()
        for found, ids in level:
            logits = model(list(ids[-3:]))[-1]
            chances = np.exp(logits - logits.max())
            for i in (chances / chances.sum() > floor).nonzero()[0]:
                name = model.vocabulary.tokens[i]
                if text in found + name:
                    return n + 1
                following.add(
                    ((found + name)[-len(text) - 3 :], (*ids, int(i))[-3:])
                )
        level = following
    return None


@pytest.mark.parametrize("seed", range(12))
def test_a_text_is_found_however_it_is_spelled(seed: int) -> None:
    """Of random models, from each start: reached exactly where going on writes it, by as many
    tokens as that takes.
    """
    random = Random(seed)
    tokens = [("a", "b", "ab"), ("a", "ba", "bab"), ("a", "b", "aab", "bb")][
        seed % 3
    ]
    model, floor = writer(seed, tokens), 0.34
    for text in ("ab", "ba", "bb", "aab", "abab"):
        start = random.choice([t for t in tokens if text not in t])
        chain = (
            explore(model, [start], floor=floor)
            if _goes_on(model, start, floor)
            else None
        )
        if chain is None or Watch.of(chain, text).fewest > 3:
            continue
        found, expected = (
            avoid(chain, text),
            written(model, start, text, floor, 12),
        )
        assert found.verdict == ("never" if expected is None else "reached")
        assert expected is None or len(found.path) == expected + 1


def _goes_on(model: Model, start: str, floor: float) -> bool:
    try:
        explore(model, [start], floor=floor)
    except PromptError:
        return False
    return True


@given(
    st.lists(st.integers(0, 2), max_size=12),
    st.text("ab", min_size=1, max_size=5),
)
def test_the_watch_says_whether_a_text_stands(
    ids: list[int], text: str
) -> None:
    """All of its characters are seen exactly where the decoded text holds it."""
    vocabulary = Vocabulary(("a", "b", "ab"))
    watch = Watch(vocabulary, tuple(text))
    assert (watch.after(ids) == len(text)) == (text in vocabulary.decode(ids))
    at = 0
    for i in ids:
        at = watch.after([i], at)
    assert at == watch.after(ids)
    spelled = (
        word
        for n in range(1, 6)
        for word in product(vocabulary.tokens, repeat=n)
        if text in "".join(word)
    )
    assert watch.fewest == len(next(spelled))


def swapper() -> Model:
    """B follows a, a follows everything else; ab is a token of its own."""
    p, t = position(3), token(["a", "b", "ab"])
    head = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={t["b"]: 4096 * t["a"], t["a"]: 4096 * t["b"] + 4096 * t["ab"]},
    )
    return Program(
        name="swapper",
        embedding=(p, t),
        layers=(head,),
        claim=after({("a",): "b"}),
    ).build()


def test_tokens_to_avoid_are_that_spelling_only() -> None:
    """A text is reached as a and b; the token ab never is. What a start holds in any spelling,
    it holds.
    """
    chain = explore(swapper(), ["b"], floor=1e-9)
    assert avoid(chain, "ab").verdict == "reached"
    assert [avoid(chain, given).verdict for given in (["ab"], ["a", "b"])] == [
        "never",
        "reached",
    ]
    assert (
        avoid(chain, "ab").to_json()["text"],
        avoid(chain, ["a", "b"]).to_json()["text"],
    ) == ("ab", ["a", "b"])
    with Refused(
        PromptError,
        "every start holds 'ab' already; start from contexts without it",
    ):
        avoid(explore(swapper(), ["ab"], floor=1e-9), "ab")
    with Refused(PromptError, "no tokens of a, b, ab write 'abc'"):
        avoid(chain, "abc")
    with Refused(
        PromptError,
        "the text to avoid has 4 tokens, but no context has more than 3",
    ):
        avoid(chain, "aaaa")


def test_what_has_ended_writes_nothing() -> None:
    """An answer that ended stays as it is: its last token is not written again."""
    t = token("ab=")
    say = Head(value={t["b"]: 9})
    model = Program(
        embedding=(position(3), t),
        layers=(say,),
        claim=answers("a=", {"a=": "b"}, length=1),
    ).build()
    assert avoid(explore(model, ["a="], floor=1e-3), "bb").verdict == "never"


@pytest.mark.parametrize(
    ("given", "code"),
    [(["--avoid", "ab"], 1), (["--avoid", "bb"], 0), (["--avoid", "xb"], 2)],
)
def test_avoiding_on_the_command_line(
    given: list[str], code: int, tmp_path: object
) -> None:
    """Exit 1 where `run` writes the text, by whatever tokens."""
    swapper().save(str(tmp_path))
    result = handcraft(
        "states", str(tmp_path), "--from", "b", "--floor", "1e-9", *given
    )
    assert result.code == code
    assert (result.err == "") == (code != 2)
