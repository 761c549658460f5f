r"""Returns which texts a claim speaks about, as data that a page can follow.

    speaks       "contexts", "prompts", "texts" (a token at each position), or "nothing"
    text         the claim as its author writes it, shortened
    stop         the token that ends an answer
    prompts      what a prompt matches, as a regular expression of JavaScript; `longest` its most
                 characters, `pattern` as the author wrote it, `example` one of
                 them, `start` one to begin with
    rooms        how many tokens may follow a prompt of n tokens, at n; 0 where none fits
    framed       begin, separator and echoes of a prompt whose text may stand alone
    begin, alphabet  of texts
    endings      the ids that a context must end with for a table to speak

What a function or an expression says of a context is not in the page: there `speaks` tells about
which texts it is asked.

Rules of this file: the regular expressions of claims are those that JavaScript's flag `u` reads in
the same way, but for what is escaped (handcraft.claims.regex).
"""

from __future__ import annotations

from functools import partial
from itertools import islice
from random import Random
from typing import Any

from handcraft.claims.answers import Table
from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_claim import Answers
from handcraft.core.errors import ProgramError
from handcraft.model import Model

_SYNTAX = frozenset("^$\\.*+?()[]{}|/")  # what `u` lets one escape
_OF_LENGTHS = frozenset(  # expressions of these know the number of tokens alone
    ("end", "add", "subtract", "multiply", "divide", "modulo")
)
_SHOWN = 20  # prompts, of which the longest is the example
_HANDY = 8  # characters of a prompt to begin with


def accepted(model: Model) -> dict[str, Any]:
    """The claim of a model as data, `speaks` of nothing where there is none."""
    claim = model.program.claim if model.program else None
    if claim is None:
        return {"kind": "none", "speaks": "nothing", "text": ""}
    said = {
        "kind": claim.kind,
        "text": repr(claim),
        "source": str(claim.source),
        "stop": claim.stop_token,
    }
    if claim.asks_prompts:
        return {**said, "speaks": "prompts", **_of_prompts(model, claim)}
    if claim.whole_text:
        alphabet = None if claim.alphabet is None else [*claim.alphabet]
        of_texts = {"begin": claim.begin, "alphabet": alphabet}
        return {**said, "speaks": "texts", **of_texts}
    places = {"last": not claim.every_position}
    return {**said, "speaks": "contexts", **places, **_endings(model, claim)}


def _of_prompts(model: Model, claim: Answers) -> dict[str, Any]:
    language = claim.language(model.n_ctx, model.vocabulary)
    example = max(islice(language, _SHOWN), key=len, default="")
    random = Random(0)  # so that a page is the same each time
    drawn = [language.draw(random) for _ in range(_SHOWN)] if example else [""]
    return {
        "prompts": in_javascript(claim.prompts),
        "pattern": claim.prompts,
        "longest": language.max_length,
        "example": example,
        "start": min(drawn, key=lambda prompt: abs(len(prompt) - _HANDY)),
        "rooms": _rooms(model, claim, example),
        "framed": None if claim.framed is None else [*claim.framed],
    }


def _rooms(model: Model, claim: Answers, example: str) -> list[int]:
    """How many tokens may follow a prompt of n tokens, for n from 0 to n_ctx; 0 where the answer
    does not fit. Where the length of an answer depends on more than n, the rest of the window.
    """
    length = claim.length
    left = [0, *range(model.n_ctx, 0, -1)]
    if length is None and not (
        isinstance(claim.answer, Table) and not claim.stop
    ):
        return left
    if length is None or isinstance(length, int):
        asked = model.vocabulary.split(
            example
        )  # all answers are as long as its
        room = claim.room(asked, model.vocabulary, model.n_ctx)
        return [room if here >= room else 0 for here in left]
    if not length.ops <= _OF_LENGTHS:
        return left
    return [0, *map(partial(_room, model, claim), range(1, len(left)))]


def _room(model: Model, claim: Answers, n: int) -> int:
    asked = [model.vocabulary.tokens[0]] * n
    try:
        fits = model.n_ctx - n + 1 >= (claim.size(asked) or 1)
        return claim.room(asked, model.vocabulary, model.n_ctx) if fits else 0
    except ProgramError:  # no prompt has this length
        return 0


def _endings(model: Model, claim: Claim) -> dict[str, Any]:
    """The endings of a table, as ids; nothing of other claims."""
    if not claim.by_endings:
        return {}
    found = claim.endings(model.vocabulary)
    ids = model.vocabulary.ids
    return {"endings": [[ids[token] for token in row] for row in found]}


def in_javascript(pattern: str) -> str:
    """A regular expression of a claim as JavaScript reads it with the flag `u`."""
    found = []
    in_class = False
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
            found.append(_escaped(pattern[at], in_class))
        elif in_class or char not in "]}":
            found.append(char)
        else:  # `]` stands for itself outside a class, `}` closes a repetition
            found.append(char if _closes(pattern, at) else f"\\{char}")
        in_class = (in_class and char != "]") or (char == "[" and not in_class)
        at += 1
    return "".join(found)


def _escaped(char: str, in_class: bool) -> str:
    """What a backslash and this character mean."""
    needed = char in _SYNTAX or char == "d" or (in_class and char == "-")
    return f"\\{char}" if needed else char


def _closes(pattern: str, at: int) -> bool:
    """True for the brace at the end of a repetition."""
    begun = pattern.rfind("{", 0, at)
    inside = pattern[begun + 1 : at]
    bare = begun >= 0 and inside.replace(",", "").isdecimal()
    return pattern[at] == "}" and bare and pattern[begun - 1 : begun] != "\\"
