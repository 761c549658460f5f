"""Makes examples of a claim: its contexts or its prompts, all of them where that is possible.

    claims on prompts     each prompt with its answer, asked at the tokens of the answer
    claims on contexts    texts of the whole window; each of their beginnings is a context
    claims on each        whole texts, asked at every position

Where there are more than MOST_IN_ROWS they are drawn with a fixed seed, and a tenth of what was
drawn is held out. Half of the texts that are drawn for a table of endings are made of its
endings, which random texts seldom have.

Rules of this file: what is right is asked of the claim itself (proof/expected.py); a claim about a
lane has no tokens to train on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice, product
from random import Random
from typing import Any

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_language import SEED
from handcraft.core.errors import ProgramError
from handcraft.core.gpt2 import Array
from handcraft.model import Model
from handcraft.program.contexts import count_domain
from handcraft.proof.expected import (
    SILENT,
    EachToken,
    ExpectedProbabilities,
    NextToken,
    at_each,
)
from handcraft.training.examples import ExampleRows, Follows
from handcraft.training.texts import Data

MOST_IN_ROWS = 2**17  # positions of the rows of a claim
_TENTH = 10
_DRAWS = 4  # for each text that is wanted: equal ones count once


def of_claim(model: Model, claim: Claim) -> Data:
    """The contexts or prompts of a claim, with what must follow.

    Raises ProgramError for a claim about a lane, or that is silent on all that was drawn.
    """
    if claim.measures == "lane":
        raise ProgramError(
            "the claim is about a lane, not about tokens, so that there is nothing to"
            " predict; give another program, or a text",
            (model.name,),
        )
    size = count_domain(claim, model.vocabulary, model.n_ctx)
    table = (
        _prompts(model, claim, size)
        if claim.asks_prompts
        else _texts(model, claim)
    )
    asked: Array = table.weight.max(axis=1) > 0
    if not asked.any():
        raise ProgramError(
            f"the claim is silent on all of {len(asked):,} texts that were drawn; there"
            " is nothing to predict",
            (model.name,),
        )
    table = table.rows(np.flatnonzero(asked))
    if table.whole is None:
        return Data(model.name, model.vocabulary, table)
    apart = np.arange(table.size) % _TENTH == _TENTH - 1
    return Data(
        model.name,
        model.vocabulary,
        table.rows(np.flatnonzero(~apart)),
        table.rows(np.flatnonzero(apart)) if apart.any() else None,
    )


# ---------------------------------------------------------------- prompts


def _prompts(model: Model, claim: Any, size: int) -> ExampleRows:
    """Prompts with their answers, each asked at the tokens of its answer."""
    language = claim.language(model.n_ctx, model.vocabulary)
    most = max(1, MOST_IN_ROWS // model.n_ctx)
    if size <= most:
        prompts, whole = list(language), None
    else:
        drawn = dict.fromkeys(language.sample(most * _DRAWS))
        prompts = list(islice(drawn, most))
        whole = f"{len(prompts):,} of {_shown(size)} prompts were drawn"
    ask = claim.ahead(prompts, model.vocabulary)
    rows = []
    for prompt in prompts:
        asked = model.vocabulary.encode(prompt)
        answer = claim.expected(prompt, model.vocabulary, model.n_ctx, ask)
        rows.append((asked, model.vocabulary.encode(answer)))
    return _answered(rows, whole)


def _answered(
    rows: Sequence[tuple[list[int], list[int]]], whole: str | None
) -> ExampleRows:
    n = max(len(asked) + len(answer) for asked, answer in rows) - 1
    tokens = np.zeros((len(rows), n), "int32")
    targets, weight = np.zeros_like(tokens), np.zeros((len(rows), n), "float32")
    lengths = np.zeros(len(rows), "int32")
    for i, (asked, answer) in enumerate(rows):
        both = [*asked, *answer]
        lengths[i] = len(both) - 1
        tokens[i, : lengths[i]] = both[:-1]
        targets[i, : lengths[i]] = both[1:]
        weight[i, len(asked) - 1 : lengths[i]] = 1
    return ExampleRows("token", tokens, targets, weight, None, whole)


def _shown(size: int) -> str:
    return f"{size:,}" if size < 10**9 else f"about 10^{len(str(size)) - 1}"


# ---------------------------------------------------------------- contexts and texts


def _texts(model: Model, claim: Any) -> ExampleRows:
    """Texts of the window, or of every length where a position sees later ones, with what the
    claim says at each position.
    """
    grouped = [
        (ids, _said(model, claim, ids)) for ids in _of_lengths(model, claim)
    ]
    found = _padded(grouped, model)
    size, drawn = _many(model, claim), sum(len(ids) for ids, _ in grouped)
    if drawn == size:
        return found
    return replace(found, whole=f"{drawn:,} of {_shown(size)} texts were drawn")


def _alphabet(model: Model, claim: Any) -> list[int]:
    names = (
        claim.alphabet if claim.whole_text else None
    ) or model.vocabulary.tokens
    return model.vocabulary.encode(list(names))


def _lengths(model: Model, claim: Any) -> list[int]:
    """The lengths of the texts: of a causal model those of the whole window have all others."""
    if claim.whole_text and not model.causal:
        return list(claim.lengths(model.n_ctx))
    return [model.n_ctx] if model.causal else list(range(1, model.n_ctx + 1))


def _begin(model: Model, claim: Any) -> list[int]:
    given = claim.begin if claim.whole_text else None
    return [] if given is None else model.vocabulary.encode([given])


def _many(model: Model, claim: Any) -> int:
    letters, skipped = len(_alphabet(model, claim)), len(_begin(model, claim))
    return sum(letters ** (n - skipped) for n in _lengths(model, claim))


def _of_lengths(model: Model, claim: Any) -> Iterator[Array]:
    """The texts [n, n_seq] of each length: all of them, or as many of each as there is room for."""
    begin, letters = _begin(model, claim), _alphabet(model, claim)
    lengths = _lengths(model, claim)
    room = max(1, MOST_IN_ROWS // sum(lengths))
    everything = _many(model, claim) * model.n_ctx <= MOST_IN_ROWS
    for n in lengths:
        rest = n - len(begin)
        if everything or len(letters) ** rest <= room:
            made = [[*begin, *text] for text in product(letters, repeat=rest)]
        else:
            made = [
                [*begin, *text]
                for text in _drawn(model, claim, letters, rest, room)
            ]
        yield np.array(made, dtype="int32").reshape(-1, n)


def _drawn(
    model: Model, claim: Any, letters: Sequence[int], n: int, many: int
) -> list[tuple[int, ...]]:
    """Different random texts; of a claim by endings half are made of its endings."""
    random = Random(SEED + n)
    found = dict[tuple[int, ...], None]()
    endings = []
    if claim.by_endings:
        known = claim.endings(model.vocabulary)
        endings = [model.vocabulary.encode(ending) for ending in known]
    for i in range(many * _DRAWS):
        if len(found) == many:
            break
        if endings and i % 2:
            text: list[int] = []
            while len(text) < n:
                text += random.choice(endings)
            found[tuple(text[-n:])] = None
        else:
            found[tuple(random.choices(letters, k=n))] = None
    return list(found)


def _said(model: Model, claim: Any, ids: Array) -> tuple[Follows, Array, Array]:
    """What the claim says at each position of texts [n, n_seq]: targets, and where it speaks."""
    if claim.whole_text:
        expected = EachToken(claim, model.vocabulary)(ids)
        return "token", expected, expected != SILENT
    if claim.measures == "probability":
        chances = _asked(
            ExpectedProbabilities(claim, model.vocabulary), model, claim, ids
        )
        return "chances", chances, ~np.isnan(chances[..., 0])
    expected = _asked(NextToken(claim, model.vocabulary), model, claim, ids)
    if expected.ndim == 2:
        return "token", expected, expected != SILENT
    speaks = expected[..., 0] != SILENT  # [n, n_seq]; several tokens are right
    chosen = expected[..., None] == np.arange(len(model.vocabulary))
    return "any", chosen.any(axis=-2), speaks


def spoken(model: Model, claim: Any, ids: Array) -> Array:
    """True where a claim on contexts or texts says something of texts [n, n_seq], position by
    position.
    """
    _, _, speaks = _said(model, claim, ids)
    return speaks


def _asked(
    expect: Callable[[Array], Array], model: Model, claim: Any, ids: Array
) -> Array:
    """What is expected at each position; of a model that sees the whole text and a claim on the
    last position, nothing before it.
    """
    if model.causal or claim.every_position:
        return at_each(expect, ids)
    last = expect(ids)
    kind, silent = (float, np.nan) if last.dtype.kind == "f" else (int, SILENT)
    found = np.full((*ids.shape, *last.shape[1:]), silent, dtype=kind)
    found[:, -1] = last
    return found


def _padded(
    grouped: Sequence[tuple[Array, tuple[Follows, Array, Array]]], model: Model
) -> ExampleRows:
    """The texts of several lengths as one table, shorter ones filled up."""
    n_seq, n_vocab = model.n_ctx, len(model.vocabulary)
    kinds = {kind for _, (kind, _, _) in grouped}
    kind: Follows = next(iter(kinds)) if len(kinds) == 1 else "any"
    parts = []
    for ids, (own, targets, speaks) in grouped:
        n, short = ids.shape
        tokens = np.zeros((n, n_seq), "int32")
        weight = np.zeros((n, n_seq), "float32")
        tokens[:, :short], weight[:, :short] = ids, speaks
        shape = (n, n_seq) if kind == "token" else (n, n_seq, n_vocab)
        filled = np.full(shape, *_FILLED[kind])
        filled[:, :short] = _as(kind, own, targets, speaks, n_vocab)
        parts.append((tokens, filled, weight, np.full(n, short, "int32")))
    tokens, filled, weight, lengths = map(
        np.concatenate, zip(*parts, strict=True)
    )
    return ExampleRows(
        kind, tokens, filled, weight, None if model.causal else lengths
    )


_FILLED: dict[str, tuple[Any, str]] = {  # where nothing is asked
    "token": (0, "int32"),
    "any": (True, "bool"),
    "chances": (0.0, "float32"),
}


def _as(
    kind: Follows, own: Follows, targets: Array, speaks: Array, n_vocab: int
) -> Array:
    """Targets of one kind as those of the table's; any will do where the claim is silent."""
    if kind == "token":
        return np.where(speaks, targets, 0)
    if kind == "chances":
        return np.where(speaks[..., None], targets, 0)
    if own == "token":
        targets = targets[..., None] == np.arange(n_vocab)
    return np.where(speaks[..., None], targets, True)
