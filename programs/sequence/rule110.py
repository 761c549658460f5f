"""Takes a step of rule 110: a row of cells is answered with the next one, with 0 around it.

Source: Cook, "Universality in Elementary Cellular Automata", 2004.
"""

from handcraft import tag
from handcraft.sequence import fetch, indices, map_, there, tokens

left, right = (fetch(tokens, there(indices) == indices + k, default="0") for k in (-1, 1))
number = sum(k * map_(int, t, over="01") for k, t in ((4, left), (2, tokens), (1, right)))
rule110 = map_(lambda k: 110 >> k & 1, number, over=range(8))
program = tag(rule110, tokens="01", n=10)
