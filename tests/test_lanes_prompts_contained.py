"""Every number of a real run on a prompt and its answer lies in the table of its lane, of models
right and wrong.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import slow_from
from lane_programs import NAMES, answering, changed
from lane_texts import OnText, off
from test_lanes_prompts_proved import PROVED

from handcraft.claims.prompt_claim import Answers
from handcraft.core.gpt2 import Array, gpt2, recorder
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.asked import AskedMeaning
from handcraft.proof.lanes.contexts import (
    PromptContexts,
)
from handcraft.proof.lanes.echoed import asks_for_echoes
from handcraft.proof.lanes.forms import Form
from handcraft.proof.lanes.lengths import asked_contexts
from handcraft.proof.lanes.parts import asked_parts, narrowed_by_parts
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import Symbols
from handcraft.sequence.expression import Expression


def texts_of(
    model: Model, random: Random, count: int
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Prompts with the answers that the claim's evaluator gives."""
    claim = model.program.claim  # type: ignore[union-attr]
    assert isinstance(claim, Answers)
    language = claim.language(model.n_ctx, model.vocabulary)
    found = []
    for _ in range(count):
        prompt = language.draw(random)
        said = claim.expected(prompt, model.vocabulary, model.n_ctx)
        found.append((model.vocabulary.split(prompt), said))
    return found


def passed(model: Model, text: list[str]) -> dict[str, Array]:
    """The residual stream after each sublayer, by its name."""
    seen: dict[str, Array] = {}
    ids = np.array(model.vocabulary.encode(text))
    gpt2(ids, **model.weights, **model.config, hook=recorder(seen))
    places = {"attn": "resid_mid", "mlp": "resid_post"}
    return {
        f"{i}.{kind}": seen[f"blocks.{i}.{place}"].astype(np.float64)
        for i in range(len(model.weights["blocks"]))
        for kind, place in places.items()
        if f"blocks.{i}.{place}" in seen
    }


def said_of(
    answer: Expression, contexts: PromptContexts
) -> tuple[Symbols, Form]:
    """What a claim says, in symbols of its texts."""
    symbols = contexts.symbols()
    if asks_for_echoes(answer):
        symbols.known["echoes"] = True
    meaning = AskedMeaning(symbols, contexts)
    form = meaning.of(answer)
    meaning.name_found(answer)
    return symbols, form


def escapes(model: Model, count: int, random: Random) -> list[str]:
    """Each number that lies outside its table, each row that was called impossible, and each
    answer that the claim's form does not say.
    """
    claim = model.program.claim  # type: ignore[union-attr]
    contexts = asked_contexts(model, claim)  # type: ignore[arg-type]
    answer: Expression = claim.answer  # type: ignore[union-attr]
    contexts = narrowed_by_parts(contexts, answer, partial(said_of, answer))
    runs = [
        (prompt, said, passed(model, [*prompt, *said[:-1]]))
        for prompt, said in texts_of(model, random, count)
    ]
    return [
        x
        for part in asked_parts(contexts, answer)
        for x in part_escapes(model, part, runs)
    ]


def part_escapes(
    model: Model, contexts: PromptContexts, runs: list[Any]
) -> list[str]:
    """The same where some of the positions are asked."""
    found: list[str] = []
    claim = model.program.claim  # type: ignore[union-attr]
    symbols, form = said_of(claim.answer, contexts)  # type: ignore[union-attr]
    skipped = contexts.skipped

    def compare(after: str, stream: LaneStream) -> None:
        for prompt, said, seen in runs:
            text = [*prompt, *said[:-1]][skipped:]
            end = len(prompt) - 1 - skipped
            on, x = OnText(symbols, text, end), seen[after]
            asked = contexts.asked[contexts.ends.index(end)]
            for q in range(len(text)):
                sorts = [("text", stream.text)] if stream.read_later else []
                if asked[q]:
                    sorts.append(("asked", stream.asked or []))
                    if after == last and on.table(form, q) != said[q - end]:
                        found.append(f"the claim at {q} of {text}")
                for sort, lanes in sorts:
                    for j, lane in enumerate(lanes):
                        row = on.row(lane.labels, q)
                        with symbols.of_asked(sort == "asked"):
                            known = symbols.possible(lane.labels)[row]
                        number = x[q + skipped, j]
                        far = off(number, lane.c[row], lane.radius[row])
                        if far or not known:
                            found.append(f"{after} {sort} {j} at {q} of {text}")

    blocks = model.weights["blocks"]
    part = "mlp" if "mlp" in blocks[-1] else "attn"
    last = f"{len(blocks) - 1}.{part}"
    stream = LaneStream(model, contexts.begin, symbols)
    with suppress(Rejected):  # what was bounded until then is compared
        stream.run(compare)
    return found


@pytest.mark.parametrize("name", slow_from(2, ("reverse", "hist", *NAMES)))
def test_no_number_leaves_its_table(name: str) -> None:
    random, model = Random(name), answering(name, 3)
    if name == "dyck2":  # its claim has too large a table
        return
    models = [model, *(changed(model, random) for _ in range(2))]
    try:
        assert [x for one in models for x in escapes(one, 4, random)] == []
    except Rejected:  # the claim is not followed
        assert name not in PROVED
