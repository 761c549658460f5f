"""Every number of a real run lies in the table of its lane, of models right and wrong."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import numpy as np
import pytest
from lane_programs import NAMES, changed, tagged
from lane_texts import OnText, off

from handcraft.core.gpt2 import Array, gpt2, recorder
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.stream import LaneStream
from handcraft.proof.lanes.symbols import Symbols


def passed(model: Model, text: str) -> dict[str, Array]:
    """The residual stream after each sublayer, by its name."""
    seen: dict[str, Array] = {}
    ids = np.array([model.vocabulary.ids[c] for c in "^" + text])
    gpt2(ids, **model.weights, **model.config, hook=recorder(seen))
    places = {"attn": "resid_mid", "mlp": "resid_post"}
    return {
        f"{i}.{kind}": seen[f"blocks.{i}.{place}"].astype(np.float64)
        for i in range(len(model.weights["blocks"]))
        for kind, place in places.items()
    }


def escapes(model: Model, texts: list[str]) -> list[str]:
    """Each number that lies outside its table, and each row that was called impossible."""
    runs = [(text, passed(model, text)) for text in texts]
    found: list[str] = []

    def compare(after: str, stream: LaneStream) -> None:
        for text, seen in runs:
            x, on = seen[after], OnText(stream.symbols, text)
            for j, lane in enumerate(stream.first):
                if off(x[0, j], lane.c, lane.radius):
                    found.append(f"{after} lane {j} at ^ of {text}")
            for q in range(len(text)):
                for j, lane in enumerate(stream.text):
                    row = on.row(lane.labels, q)
                    known = stream.symbols.possible(lane.labels)[row]
                    far = off(x[q + 1, j], lane.c[row], lane.radius[row])
                    if far or not known:
                        found.append(f"{after} lane {j} at {q} of {text}")

    claim = model.program.claim  # type: ignore[union-attr]
    symbols = Symbols(claim.alphabet, model.n_ctx - 1, model.causal)  # type: ignore[union-attr, arg-type]
    stream = LaneStream(model, "^", symbols)
    with suppress(Rejected):  # what was bounded until then is compared
        stream.run(compare)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_number_leaves_its_table(name: str) -> None:
    random, model = Random(name), tagged(name, 4)
    letters = model.program.claim.alphabet  # type: ignore[union-attr]
    models = [model, *(changed(model, random) for _ in range(4))]
    for one in models:
        texts = [
            "".join(random.choices(letters, k=n))  # type: ignore[arg-type]
            for n in (1, 2, 3, 4, 4)
        ]
        assert escapes(one, texts) == []
