"""Remembers a bit: each position is answered with the last 0 or 1 up to there; `.` leaves it.

Source: Liu et al., "Exposing Attention Glitches with Flip-Flop Language Modeling", 2023.
"""

from handcraft import tag
from handcraft.sequence import fetch, latest, there, tokens

flip_flop = fetch(tokens, latest(there(tokens) != "."), default="?")
program = tag(flip_flop, tokens="01.", n=8, causal=True)
