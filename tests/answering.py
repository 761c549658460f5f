"""Answers to prompts, as claims and as text."""

from __future__ import annotations

from handcraft import answers
from handcraft.claims.prompt_claim import Answers
from handcraft.core.vocabulary import Vocabulary
from handcraft.sequence.words import end, here, token_at

ABC = Vocabulary(("^", "=", "a", "b", "<x>"))
COPY = answers("\\^[ab]{0,4}=", token_at(here - end + 1), length=end, stop="=")


def answer(claim: Answers, prompt: str) -> str:
    """The answer to one prompt in a window of 12."""
    return "".join(claim.expected(prompt, ABC, 12))


XOR = {
    (0, "a", "a"): ("a", 0),
    (0, "a", "b"): ("b", 0),
    (0, "b", "a"): ("b", 0),
    (0, "b", "b"): ("a", 0),
}
ONE = {(0, "a"): ("b", 0)}
