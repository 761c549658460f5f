"""Runs the cellular automaton Rule 110 on a ring of 16 cells: a row is answered with the next five.

The position table holds, for each cell to come, where its left neighbour, its own place and its
right neighbour stand in the row before, around the ring. Three heads fetch them; eight neurons, one
a neighbourhood, write the new cell. Source: Cook, "Universality in Elementary Cellular Automata",
2004; index lookup, the Transformer Cookbook (2026).
"""

from itertools import product

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, conjunction
from handcraft.sequence.words import here, lookup, token_at

WIDTH, N_CTX = 16, 96


def source(i: int, side: int) -> int:
    """Where the neighbour of the cell after position i stands in the row before; in the first row
    nothing is asked.
    """
    row, cell = divmod(i + 1, WIDTH)
    return max(0, (row - 1) * WIDTH + (cell + side) % WIDTH)


SIDES = {"left": -1, "middle": 0, "right": 1}
at = addresses(N_CTX, left=lambda i: source(i, -1), middle=lambda i: source(i, 0),
               right=lambda i: source(i, 1))
t, cells = token("01"), scratch("cells", SIDES)

new = {bits: str(110 >> int("".join(bits), 2) & 1) for bits in product("01", repeat=3)}
fetch = [attend_to(at, at[side], range=(0, at["p"]), value={cells[side]: t["1"]}, name=side)
         for side in SIDES]
write = [conjunction([cells[side] if bit == "1" else 1 - cells[side]
                      for side, bit in zip(SIDES, bits, strict=True)], {t[cell]: 50})
         for bits, cell in new.items()]

beside = [token_at((here + 1) // WIDTH * WIDTH - WIDTH + (here + 1 + side) % WIDTH)
          for side in (-1, 0, 1)]

program = Program(
    embedding=(at, t, cells),
    layers=((fetch, write),),
    claim=answers("[01]{16}", lookup(new, *beside), length=80),
)
