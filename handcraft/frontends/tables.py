"""Builds programs from finite functions: each prompt of a fixed length has one token as its
answer.

At the last token one head for each earlier position fetches the token there; one neuron for each
prompt in the table writes the answer.

Source: table lookup, the Transformer Cookbook (Yang et al., 2026).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from handcraft.claims.words import answers
from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError
from handcraft.core.source import caller
from handcraft.language.rules import MLP, Block, Neuron
from handcraft.language.words import scratch, token
from handcraft.program.program import Program
from handcraft.recipes.addressing import addresses
from handcraft.recipes.attention import attend_to
from handcraft.recipes.neurons import conjunction

_GAIN = 50.0


@asked_call("from_table")
def from_table(table: Mapping[str, str], *, name: str = "table") -> Program:
    """The program of a finite function {prompt: answer}: prompts of one length, answers of one
    character.

    Raises ProgramError for prompts of several lengths, or answers that are not one token.
    """
    lengths = {len(prompt) for prompt in table}
    if len(lengths) != 1 or lengths == {0}:
        found = sorted(lengths) or "none"
        raise ProgramError(
            f"the prompts must have one length, found {found}",
            (name, "table"),
            caller(),
        )
    wrong = [answer for answer in table.values() if len(answer) != 1]
    if wrong:
        raise ProgramError(
            f"an answer is one character, found {wrong[0]!r}",
            (name, "table"),
            caller(),
        )
    return _program(table, lengths.pop(), name)


def _program(table: Mapping[str, str], n: int, name: str) -> Program:
    texts = "".join(prompt + answer for prompt, answer in table.items())
    tokens = list(dict.fromkeys(texts))
    at = addresses(n)
    now = token(tokens)
    seen = [scratch(f"seen{i}", tokens) for i in range(n - 1)]
    heads = [
        attend_to(at, i, value={slot: now}, name=slot.name)
        for i, slot in enumerate(seen)
    ]
    neurons: list[Neuron] = []
    for prompt, answer in table.items():
        places = zip((*seen, now), prompt, strict=True)
        flags = [slot[character] for slot, character in places]
        neurons += conjunction(flags, {now[answer]: _GAIN})
    return Program(
        name=name,
        embedding=(at, now, *seen),
        layers=(Block(heads, MLP(neurons)),),
        claim=answers("|".join(map(re.escape, table)), dict(table), length=1),
    )
