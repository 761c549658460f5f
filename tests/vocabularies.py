"""Vocabularies of letters, and of tokens that begin one another."""

from __future__ import annotations

from handcraft.core.vocabulary import Vocabulary

AB, WORDS = Vocabulary(("a", "b")), Vocabulary(("ab", "a", "<end>"))
