"""Every bundled program in every runtime: the same tokens, and the logits as near as docs/runtimes.md says."""

from __future__ import annotations

from pathlib import Path

import pytest
from runners import RUNNERS
from table import documented

from handcraft.loader import bundled
from handcraft.model import Model
from handcraft.runtimes import export
from handcraft.runtimes.agreement import compare


@pytest.mark.parametrize("to", RUNNERS)
@pytest.mark.parametrize("name", bundled())
def test_the_runtime_chooses_the_same_tokens(name: str, to: str, tmp_path: Path) -> None:
    """On all contexts, or on a thousand drawn ones, the first token is the same; no logit is further away than documented."""
    model = Model.open(name)
    export(model, to, tmp_path / to)
    found = compare(model, RUNNERS[to](tmp_path / to))
    contexts, bound = documented(name, to)
    assert found.argmax_disagreements == 0
    assert found.contexts == contexts
    assert found.max_logit_error is not None
    assert found.max_logit_error <= bound
