"""Plays Nim perfectly: ^357= (three heaps) is answered with the heap and how many to take, A1$.

Heaps hold 0 to 7; a lost position is answered with -$. Three heads fetch the heaps as bits. Neurons
compute the nim-sum (exclusive or), its highest bit, the first heap that has this bit, and what must
be taken from it so that the nim-sum becomes zero. Source: Bouton, "Nim, a Game with a Complete
Mathematical Theory", 1901; boolean functions in the Transformer Cookbook (Yang et al., 2026).
"""

from itertools import product

from handcraft import Program, answers, scratch, token
from handcraft.recipes import addresses, attend_to, conjunction, parabola

HEAPS, BITS, DIGITS = "ABC", "421", "01234567"

at, t = addresses(7, last=lambda i: int(i == 6)), token("^=-$" + HEAPS + DIGITS)
heap = {h: scratch(f"heap{h}", BITS) for h in HEAPS}
total, top = scratch("sum top", BITS)
has, take = scratch("has", HEAPS), scratch("take")
bits = {b: t.sum([d for d in DIGITS if int(d) & int(b)]) for b in BITS}
fetch = [attend_to(at, i, value={heap[h][b]: bits[b] for b in BITS}, name=h)
         for i, h in enumerate(HEAPS, 1)]


def signed(flag, wanted):
    """The flag itself, or its opposite."""
    return flag if wanted else 1 - flag


odd = [dict(zip(HEAPS, p, strict=True)) for p in product((0, 1), repeat=3) if sum(p) % 2]
xor = [conjunction([signed(heap[h][b], p[h]) for h in HEAPS], {total[b]: 1})
       for b in BITS for p in odd]
highest = [conjunction([total[b], *(1 - total[c] for c in BITS[:i])], {top[b]: 1})
           for i, b in enumerate(BITS)]
holds = [conjunction([top[b], heap[h][b]], {has[h]: 1}) for h in HEAPS for b in BITS]
first = [conjunction([t["="], has[h], *(1 - has[g] for g in HEAPS[:i])], {t[h]: 50})
         for i, h in enumerate(HEAPS)]
lost = conjunction([t["="], *(1 - top[b] for b in BITS)], {t["-"]: 50})
# bit b of the heap flips where the nim-sum has it: 1 to 0 takes b away, 0 to 1 gives it back
less = [conjunction([t[h], total[b], signed(heap[h][b], bit)],
                    {take: int(b) if bit else -int(b)})
        for h, b, bit in product(HEAPS, BITS, (1, 0))]
stop = [conjunction([flag], {t["$"]: 5000}) for flag in (at["last"], t["-"])]
decode = parabola(take, {t[d]: int(d) for d in DIGITS}, 10)


def answer(heaps: tuple[int, int, int]) -> str:
    """A winning move, or - where there is none."""
    targets = [size ^ heaps[0] ^ heaps[1] ^ heaps[2] for size in heaps]
    moves = (f"{h}{size - target}" for h, size, target in zip(HEAPS, heaps, targets, strict=True)
             if target < size)
    return next(moves, "-")


program = Program(
    embedding=(at, t, *heap.values(), total, top, has, take),
    layers=((fetch, xor), (highest, less), holds, (decode, first, lost, stop)),
    claim=answers(r"\^[0-7]{3}=", {"^{}{}{}=".format(*heaps): answer(heaps)
                                   for heaps in product(range(8), repeat=3)}, stop="$"),
)
