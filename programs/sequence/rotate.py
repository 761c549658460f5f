"""Rotates a text: each position is answered with the next token, the last with the first.

Source: the cyclic shifts of the RASP literature; the next position by a remainder is Lindner et
al.'s map over two s-ops (Tracr, 2023).
"""

from handcraft import tag
from handcraft.sequence import fetch, indices, length, there, tokens

rotate = fetch(tokens, there(indices) == (indices + 1) % length)
program = tag(rotate, tokens="abc", n=8)
