"""Certificates forged by hand: each is accepted where one certain check of the checker is missing.

`FORGED[name](model)` is a certificate for the program of that name. Rules of their files: a
certificate states nothing of its own but where its numbers are in question; what the checker
would find is filled in by who asks it.
"""

from __future__ import annotations

from leftout import (
    forged_answers,
    forged_contexts,
    forged_numbers,
    forged_pairs,
)

FORGED = {
    **forged_contexts.FORGED,
    **forged_answers.FORGED,
    **forged_pairs.FORGED,
    **forged_numbers.FORGED,
}
