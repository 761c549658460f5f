"""What is known where one position of a text asks is not used where two do: a model written by hand
is proved if it is, and is wrong.

A prompt is a letter and =, and its answer is `aa`. The second a is asked where the first one
stands: that position reads the =, of which -10 is added to the logit of a. Where the end of a
prompt said who asks, the = would be the position itself, which is no =, and so would not be there.
"""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from lane_programs import answers_rightly

from handcraft import Program, answers, token
from handcraft.model import Model
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.check import measured_lanes
from handcraft.proof.lanes.symbols import Symbols
from handcraft.recipes import addresses, attend_to
from handcraft.sequence.words import lookup, token_at

ASKS, SAYS, READ, EQUALS, Y = range(5)
D = 8  # lanes of one head


def reads_the_sign(value: float) -> Model:
    """It answers with a, if what an a reads of the = is not below -2."""
    at, t = addresses(3), token("ab=")
    layer = attend_to(at, at["p"], value=t, adds=t)
    always = lookup({"a": "a", "b": "a"}, token_at(0))
    claim = answers("[ab]=", always, length=2)
    model = Program(embedding=(at, t), layers=(layer,), claim=claim).build()
    ids = model.vocabulary.ids
    wte = np.zeros((len(ids), D), dtype=np.float32)
    wte[ids["a"], [ASKS, Y]] = 1
    wte[ids["="], [SAYS, READ]] = 1, value
    wpe = np.zeros((model.n_ctx, D), dtype=np.float32)
    wpe[1, Y] = 1000  # asked there, it says a whatever it reads
    w = np.zeros((D, 3 * D), dtype=np.float32)
    w[ASKS, 0] = w[SAYS, D] = 2.0**5
    w[READ, 2 * D] = 1
    out = np.zeros((D, D), dtype=np.float32)
    out[0, Y] = 1
    head = {
        "c_attn": {"w": w, "b": np.zeros(3 * D, dtype=np.float32)},
        "c_proj": {"w": out, "b": np.zeros(D, dtype=np.float32)},
    }
    weights = {"wte": wte, "wpe": wpe, "blocks": [{"attn": head}]}
    return replace(model, weights=weights, n_head=1)


def test_what_the_second_position_reads_where_the_first_one_asks_is_there() -> (
    None
):
    right, wrong = reads_the_sign(1.0), reads_the_sign(-10.0)
    assert answers_rightly(right)
    assert measured_lanes(right, ()).margin > 0
    assert not answers_rightly(wrong)
    with pytest.raises(Rejected, match="the margin may be"):
        measured_lanes(wrong, ())
    asks = property(lambda symbols: symbols.asking)
    with patch.object(Symbols, "is_one_asked", asks):
        assert measured_lanes(wrong, ()).margin > 0
