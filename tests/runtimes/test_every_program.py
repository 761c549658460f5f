"""Every bundled program in every runtime: the same tokens, and the logits as near as docs/runtimes.md says."""

from __future__ import annotations

from pathlib import Path

import pytest
from runners import agreement, transformers
from table import documented, documented_low

from handcraft.loader import bundled
from handcraft.model import Model
from handcraft.runtimes import RUNTIMES, export
from handcraft.runtimes.agreement import compare


@pytest.mark.parametrize("to", RUNTIMES)
@pytest.mark.parametrize("name", bundled())
def test_the_runtime_chooses_the_same_tokens(name: str, to: str, tmp_path: Path) -> None:
    """On all contexts, or on a thousand drawn ones, the first token is the same; no logit is further away than documented."""
    model = Model.open(name)
    found = agreement(model, to, tmp_path / to)
    contexts, bound = documented(name, to)
    assert found.argmax_disagreements == 0
    assert found.contexts == contexts
    assert found.max_logit_error is not None
    assert found.max_logit_error <= bound


@pytest.mark.parametrize("name", ["aab", "abc", "baby_gpt", "bigram", "majority", "trigram"])
def test_low_precision_is_as_documented(name: str, tmp_path: Path) -> None:
    """Where the page says that bfloat16 keeps every token it does, and float16 keeps none of them right."""
    model = Model.open(name)
    export(model, "gpt2", tmp_path / "out")
    for dtype in ("bfloat16", "float16"):
        found = compare(model, transformers(tmp_path / "out", dtype))
        assert found.argmax_disagreements == documented_low(name, dtype)
