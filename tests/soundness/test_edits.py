"""Random edits of certificates: none that is accepted says something untrue."""

from __future__ import annotations

import os

from edits import PROGRAMS, run

EDITS = int(os.environ.get("SOUNDNESS_EDITS", "3000"))
SEED = int(os.environ.get("SOUNDNESS_SEED", "0"))
LONGEST = 30.0  # seconds of CPU time for one


def test_no_edited_certificate_says_something_untrue() -> None:
    """What is accepted states what is true, anything else is a rejection or an error about the
    file, and soon.
    """
    tried = run(EDITS, SEED)
    assert not tried.untrue, tried.untrue[0]
    assert tried.longest < LONGEST
    assert (
        min(
            tried.said[kind]
            for kind in ("accepted", "rejected", "no certificate")
        )
        > EDITS / 50
    )
    assert len(PROGRAMS) < EDITS
