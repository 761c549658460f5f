"""Builds programs from Markov chains, whose next-token probabilities are exact.

The last `order` tokens decide. One head for each token back fetches it as a one-hot; one neuron
for each known context fires on it alone and writes the logarithm of each probability, less the 1
that the current token's one-hot adds to its own logit. The softmax of the logarithms of
probabilities is those probabilities.

Sources: Karpathy, "GPT as a finite-state Markov chain", 2023 (trained there); n-grams, the
Transformer Cookbook (2026).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from handcraft.claims.words import distribution
from handcraft.core.arguments import asked_call
from handcraft.core.errors import ProgramError
from handcraft.core.source import caller
from handcraft.language.rules import MLP, Block, Neuron
from handcraft.language.slots import Slot
from handcraft.language.words import scratch, token
from handcraft.program.program import Program
from handcraft.recipes.addressing import addresses
from handcraft.recipes.attention import attend_to
from handcraft.recipes.decoders import log_probabilities
from handcraft.recipes.neurons import conjunction

TransitionTable = Mapping[str, Mapping[str, float]]
_Chances = Mapping[tuple[str, ...], Mapping[str, float]]


@asked_call("from_markov")
def from_markov(
    chain: TransitionTable | Sequence[str],
    order: int | None = None,
    *,
    name: str = "markov",
) -> Program:
    """The program of a Markov chain {context: {token: probability}}, or of the statistics of a
    sequence of tokens.

    order  the number of last tokens that decide; of a chain it is the length of its contexts.
           Tokens are single characters

    Contexts of a sequence that never occur are not claimed. Raises ProgramError for contexts of
    several lengths, or probabilities that do not sum to 1.
    """
    if isinstance(chain, Mapping):
        chances: _Chances = {
            tuple(context): dict(row) for context, row in chain.items()
        }
    else:
        chances = statistics(chain, order or 1)
    lengths = {len(context) for context in chances}
    wrong_order = order is not None and lengths != {order}
    if len(lengths) != 1 or lengths == {0} or wrong_order:
        found = ", ".join(map(str, sorted(lengths))) or "none"
        raise ProgramError(
            f"every context must have the same number of tokens, found {found}",
            (name, "chain"),
            caller(),
        )
    return _program(chances, lengths.pop(), name)


@asked_call("from_ngrams")
def from_ngrams(
    text: Sequence[str], n: int, *, name: str = "ngrams"
) -> Program:
    """The program of a character model: the next character by the last n - 1, as often as in the
    text. Raises ProgramError for an n below 2.
    """
    if n < 2:
        raise ProgramError(
            f"n must be at least 2, found {n}", (name, "n"), caller()
        )
    return from_markov(text, n - 1, name=name)


@asked_call("statistics")
def statistics(
    sequence: Sequence[str], order: int
) -> dict[tuple[str, ...], dict[str, float]]:
    """The share of each token among those that follow each context of `order` tokens. Raises
    ProgramError for a sequence that is not longer than that.
    """
    if order < 1 or len(sequence) <= order:
        raise ProgramError(
            f"a sequence of {len(sequence)} tokens has no context of {order}",
            ("from_markov", "order"),
            caller(),
        )
    follows: dict[tuple[str, ...], Counter[str]] = {}
    for i in range(len(sequence) - order):
        context = tuple(sequence[i : i + order])
        following = sequence[i + order]
        follows.setdefault(context, Counter())[following] += 1
    return {
        context: {t: c / counts.total() for t, c in sorted(counts.items())}
        for context, counts in sorted(follows.items())
    }


def _program(chances: _Chances, order: int, name: str) -> Program:
    tokens = sorted(
        {t for context, row in chances.items() for t in (*context, *row)}
    )
    now = token(tokens)
    backs = [
        scratch(f"back{i}", tokens) for i in range(1, order)
    ]  # the token i back
    at = addresses(order)
    heads = [
        attend_to(at, at["p"] - i, value={back: now}, name=back.name)
        for i, back in enumerate(backs, start=1)
    ]
    return Program(
        name=name,
        embedding=(at, now, *backs) if backs else (now,),
        n_ctx=order,
        layers=(Block(heads, _neurons(chances, now, backs)),),
        claim=distribution(
            {context: dict(row) for context, row in chances.items()}
        ),
    )


def _neurons(chances: _Chances, now: Slot, backs: Sequence[Slot]) -> MLP:
    """One neuron for each context: it alone fires there and writes every logit, so that nothing
    large has to cancel.
    """
    slots = (*reversed(backs), now)  # in the order of a context's tokens
    lanes = [
        dict(zip(slot.labels or (), slot.lanes, strict=True)) for slot in slots
    ]
    neurons: list[Neuron] = []
    for context, row in chances.items():
        pairs = zip(lanes, context, strict=True)
        flags = [by_label[label] for by_label, label in pairs]
        chance = {t: row.get(t, 0.0) for t in now.labels or ()}
        adds = log_probabilities(now, chance, context[-1])
        neurons += conjunction(flags, adds, name=f"after_{len(neurons)}")
    return MLP(neurons)
