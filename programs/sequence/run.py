"""Measures runs: each position is answered with how many equal tokens end there.

Source: run-length coding; the break before a run is the latest position with another token.
"""

from handcraft import tag
from handcraft.sequence import indices, latest, otherwise, there, tokens

run = indices - otherwise(latest(there(tokens) != tokens), -1)
program = tag(run, tokens="abc", n=8, causal=True)
