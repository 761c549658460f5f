"""No layers at all: a token says itself, and nothing else was claimed for a context of one.
Right. Honest: proved or checked.
"""

from handcraft import Program, position, token
from handcraft.sequence.words import own

p, t = position(1), token("abc")
program = Program(embedding=(p, t), layers=(), claim=own)
