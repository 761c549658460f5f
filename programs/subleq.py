"""Runs a computer step by step: a machine of one instruction, SUBLEQ, with eight cells of 3 bits.

The prompt is the state, the program counter and then the cells; it is answered with the next six
states. In a step cell b loses what is in cell a; if that leaves zero or less (4 to 7 are negative),
the program goes on at c, else at the next instruction. Heads chase the addresses, neurons subtract
and choose. Source: Giannou et al., "Looped Transformers as Programmable Computers", 2023 (SUBLEQ in
a transformer), here with the text as memory.
"""

from handcraft import Program, answers, scratch, token
from handcraft.recipes import (
    addresses, attend_to, equals, gated_copy, modulo, parabola, threshold,
)
from handcraft.sequence.words import Expression, below, cases, equal, here, lookup, token_at

SIZE, STEPS = 8, 6
STATE = SIZE + 1  # the program counter, then the cells

at = addresses(
    STATE * (STEPS + 1),
    # where the state before the next token's begins
    start=lambda i: max(0, (i + 1) // STATE - 1) * STATE,
    old=lambda i: max(0, i + 1 - STATE),  # where the next token stood in it
    cell=lambda i: (i + 1) % STATE - 1,  # which cell the next token is; -1 for the program counter
    is_pc=lambda i: int((i + 1) % STATE == 0),
)
t = token("01234567")
lanes = pc, old, a, b, c, x, y, pc1, pc2, pc3, difference, jump, hit, result = scratch(
    "pc old a b c x y pc1 pc2 pc3 difference jump hit result")
number = t.sum(t.labels, int)
first = at["start"] + 1  # where the cells begin

now = [attend_to(at, at["start"], value={pc: number}, name="pc"),
       attend_to(at, at["old"], value={old: number}, name="old")]
ahead = [modulo(pc + i, SIZE, 10, {lane: 1}) for i, lane in enumerate((pc1, pc2, pc3), 1)]
read = [attend_to(at, first + p, value={to: number}, name=to.name)
        for p, to in ((pc, a), (pc1, b), (pc2, c))]
load = [attend_to(at, first + p, value={to: number}, name=to.name) for p, to in ((a, x), (b, y))]
subtract = modulo(y - x + SIZE, SIZE, 15, {difference: 1}), equals(b - at["cell"], 0, {hit: 1})
test = threshold(difference, {jump: -1}, above=0.5), threshold(difference, {jump: 1}, above=3.5)
parts = [(at["is_pc"] + jump - 1, c), (at["is_pc"] - jump, pc3), (hit - at["is_pc"], difference),
         (1 - hit - at["is_pc"], old)]
choose = [gated_copy(gate, lane, 10, {result: 1}) for gate, lane in parts]

before = ((here + 1) // STATE - 1) * STATE  # where the state before the next token's begins


def cell(i: Expression | int) -> Expression:
    """The number in a cell of that state; -1 is the program counter."""
    return lookup({str(n): n for n in range(SIZE)}, token_at(before + 1 + i))


p0, p1, p2 = (cell((cell(-1) + i) % SIZE) for i in range(3))  # the instruction
left = (cell(p1) - cell(p0)) % SIZE
then = cases((equal(left, 0), p2), (below(3, left), p2), (cell(-1) + 3) % SIZE)
following = cases((equal((here + 1) % STATE, 0), then), (equal((here + 1) % STATE - 1, p1), left),
                  cell((here + 1) % STATE - 1))

program = Program(
    embedding=(at, t, lanes),
    layers=((now, ahead), read, (load, subtract), (test, {jump: 1}), choose,
            parabola(result, {lane: int(lane.label) for lane in t.lanes}, 10)),
    claim=answers("[0-7]{9}", lookup(dict(enumerate("01234567")), following), length=STATE * STEPS),
)
