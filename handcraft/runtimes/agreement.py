"""Compares the logits of an exported model with those of the model itself, on many contexts.

    at most 100,000 contexts up to the window   every one
    more                                        20,000, counting every prefix: half are random
                                                texts with a neighbour that differs in one token,
                                                half are texts of a single token but for one
                                                place, where counts and means are at their
                                                extremes
    a claim on prompts                          each prompt with every beginning of its answer;
                                                at most 2,000 prompts are drawn, besides those of
                                                their neighbours that are prompts

Rules of this file: the draw is decided by a fixed seed. Where the model's own logits are tied,
each of the tied tokens is right; where the claim calls several tokens right, a choice between
these is free. Logits that are far off do not agree, whatever token is first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from random import Random

import numpy as np

from handcraft.claims.prompt_claim import Answers
from handcraft.claims.prompt_language import SEED, Language
from handcraft.claims.reference import Reference
from handcraft.core.gpt2 import Array, Hook, finite, gpt2
from handcraft.core.weights import flatten
from handcraft.model import Model
from handcraft.program.contexts import count_contexts
from handcraft.proof.task import Progress
from handcraft.runtimes.target import Run

_EVERY = 100_000  # contexts: where there are no more, all of them
MOST_COMPARED = 20_000  # contexts, where they are drawn
PROMPTS = 2000  # with their answers, where they are drawn
# contexts: where there are no more, each is a text of its own and not the beginning of another
_ALONE = 1000
_BATCH = 128
_AT_ONCE = 2**26  # logits of a batch, where that is fewer texts
_ASKED = 256  # prompts whose answers are found together
_WORK = (
    2**38
)  # weights times contexts, where weights without a program are large
# of the largest logit: float32 loses less, a runtime that computes something else does not
_TOLERANCE = 1e-3

# the ids, and the first position whose logits are compared
Text = tuple[list[int], int]


@dataclass(frozen=True)
class Agreement:
    """The number of contexts compared, of those where another token is first (unless the claim
    calls both right), and the largest difference of a logit.
    """

    contexts: int
    argmax_disagreements: int
    max_logit_error: float | None  # None where a logit is not finite
    largest_logit: float = math.inf  # of the model, for scale

    @property
    def holds(self) -> bool:
        """True if both always choose the same token, by nearly the same logits."""
        if (
            self.contexts == 0
            or self.argmax_disagreements
            or self.max_logit_error is None
        ):
            return False
        return self.max_logit_error <= _TOLERANCE * self.largest_logit

    def __str__(self) -> str:
        error = "not finite"
        if self.max_logit_error is not None:
            error = f"{self.max_logit_error:.3g}"
        return (
            f"{self.contexts} contexts: {self.argmax_disagreements} argmax"
            f" disagreements, largest logit error {error}"
        )

    def to_json(self) -> dict[str, int | float | None]:
        """The agreement as plain data, as the command line prints it."""
        return {
            "contexts": self.contexts,
            "argmax_disagreements": self.argmax_disagreements,
            "max_logit_error": self.max_logit_error,
        }


def compare_runtime(
    model: Model,
    run: Run,
    most: int = MOST_COMPARED,
    progress: Progress | None = None,
    hook: Callable[[Array], Hook] | None = None,
) -> Agreement:
    """The agreement of the model with another way to run it, on every context or on about `most`
    drawn ones.

    hook  given some ids, makes the hook that sees every intermediate of the model's own pass over
          them
    """
    contexts = 0
    wrong = 0
    error = 0.0
    largest = 0.0
    if model.program is None:
        size = sum(array.size for array in flatten(model.weights).values())
        most = min(most, max(1, _WORK // size))
    choices = _Choices(model)
    batches = list(_batches(compared_texts(model, most), len(model.vocabulary)))
    for done, (ids, first) in enumerate(batches):
        if progress is not None:
            progress(done, len(batches))
        seen = np.arange(ids.shape[1]) >= first[:, None]  # [n_batch, n_seq]
        ours = _own(model, ids, hook)[seen]  # [n_contexts, n_vocab]
        theirs = np.asarray(run(ids))[seen]  # [n_contexts, n_vocab]
        contexts += len(ours)
        differing = _differing(ours, theirs)
        places = np.argwhere(seen)[differing]  # [n_differing, 2]
        wrong += sum(
            not choices.free(ids[row, : at + 1], ours[i], theirs[i])
            for i, (row, at) in zip(differing, places, strict=True)
        )
        error = max(error, _largest_error(ours, theirs))
        largest = max(largest, float(np.abs(ours).max()))
    return Agreement(
        contexts, wrong, error if np.isfinite(error) else None, largest
    )


def _differing(
    ours: Array, theirs: Array
) -> Array:  # [n_contexts, n_vocab] each -> indices
    """The contexts where they choose a token that is not first for us."""
    chosen = np.take_along_axis(ours, theirs.argmax(-1)[:, None], axis=-1)[:, 0]
    broken = ~np.isfinite(theirs).all(-1)  # [n_contexts]
    return np.flatnonzero(broken | (chosen < ours.max(-1)))


class _Choices:
    """The contexts after which the model's claim calls several tokens right, in any order."""

    def __init__(self, model: Model) -> None:
        claim = model.program.claim if model.program else None
        self.vocabulary = model.vocabulary
        self.reference: Reference | None = None
        if claim is not None and claim.kind == "after":
            self.reference = Reference(claim, model.vocabulary)

    def free(self, context: Array, *logits: Array) -> bool:  # [n_vocab] each
        """True if the claim calls every token right that is first somewhere."""
        if self.reference is None or not np.isfinite(logits).all():
            return False
        right = self.reference(self.vocabulary.context(context.tolist()))
        tokens = self.vocabulary.tokens
        first = {tokens[int(row.argmax())] for row in logits}
        return isinstance(right, tuple) and first <= set(right)


def _largest_error(ours: Array, theirs: Array) -> float:
    if not np.isfinite(theirs).all():
        return math.inf
    with np.errstate(invalid="ignore"):
        return float(np.abs(ours - theirs).max())


def _own(
    model: Model, ids: Array, hook: Callable[[Array], Hook] | None
) -> Array:
    """The model's logits. Raises WeightsError where they are not finite."""
    config = (
        model.config if hook is None else model.config | {"hook": hook(ids)}
    )
    return finite(gpt2(ids, **model.weights, **config))


def compared_texts(model: Model, most: int = MOST_COMPARED) -> Iterator[Text]:
    """The texts to compare: every context once where they are few, else drawn ones with about
    `most` contexts.
    """
    claim = model.program.claim if model.program else None
    if claim is not None and claim.asks_prompts:
        return _prompts(model, claim, most)
    size = count_contexts(len(model.vocabulary), model.n_ctx)
    if size <= min(_EVERY, max(most, _EVERY if most == MOST_COMPARED else 0)):
        return _every(model, size)
    return _drawn(model, most)


def _every(model: Model, size: int) -> Iterator[Text]:
    """Every context, the shortest first; where they are many, as prefixes of the longest texts,
    each where it is new.
    """
    n_vocab = len(model.vocabulary)
    n_ctx = model.n_ctx
    if size <= _ALONE or not model.causal:
        for n in range(1, n_ctx + 1):
            yield from (
                (list(ids), n - 1) for ids in product(range(n_vocab), repeat=n)
            )
        return
    before: tuple[int, ...] = ()
    for ids in product(range(n_vocab), repeat=n_ctx):
        pairs = enumerate(zip(before, ids, strict=False))
        first = next((i for i, (a, b) in pairs if a != b), 0)
        yield list(ids), first
        before = ids


def _drawn(model: Model, most: int) -> Iterator[Text]:
    """Drawn texts with a neighbour each, then nearly constant ones, half of all; each context
    counts once.
    """
    random = Random(SEED)
    yield from _limited(
        _with_neighbours(model, random), most - most // 2, causal=model.causal
    )
    yield from _limited(
        _nearly_constant(model, random), most // 2, causal=model.causal
    )


def _limited(
    found: Iterator[Text], most: int, *, causal: bool
) -> Iterator[Text]:
    """The texts until so many contexts are counted; without a causal mask only the whole text is a
    context.
    """
    while most > 0:
        ids, first = next(found)
        first = max(first if causal else len(ids) - 1, len(ids) - most)
        most -= len(ids) - first
        yield ids, first


def _with_neighbours(model: Model, random: Random) -> Iterator[Text]:
    n_vocab = len(model.vocabulary)
    while True:
        ids = [
            random.randrange(n_vocab)
            for _ in range(random.randint(1, model.n_ctx))
        ]
        place = random.randrange(len(ids))
        yield ids, 0
        yield (
            [*ids[:place], random.randrange(n_vocab), *ids[place + 1 :]],
            place,
        )


def _nearly_constant(model: Model, random: Random) -> Iterator[Text]:
    """Texts of one token but for one place; they begin again when there are no more."""
    n_vocab = len(model.vocabulary)
    n_ctx = model.n_ctx
    while True:
        tokens = random.sample(range(n_vocab), n_vocab)
        for token in tokens:
            yield [token] * n_ctx, 0
        for place in random.sample(range(n_ctx), n_ctx):
            for token in tokens:
                other = random.randrange(n_vocab)
                yield (
                    [token] * place + [other] + [token] * (n_ctx - place - 1),
                    place,
                )


def _prompts(model: Model, claim: Answers, most: int) -> Iterator[Text]:
    """Every prompt with its answer where that is few contexts, else drawn ones and their
    neighbours.
    """
    language = claim.language(model.n_ctx, model.vocabulary)
    count = 0
    few = _EVERY if most == MOST_COMPARED else most
    every = language.size <= few // model.n_ctx
    drawn = _neighbouring(model, language, min(most, PROMPTS))
    for prompt, said in _answered(model, claim, language if every else drawn):
        ids = model.vocabulary.encode(prompt)
        answer = model.vocabulary.encode(said)
        yield (
            ids + answer[:-1],
            len(ids) - 1,
        )  # the last is predicted, never read
        count += len(answer[:-1]) + 1
        if not every and count >= most:
            return


def _answered(
    model: Model, claim: Answers, prompts: Iterable[str]
) -> Iterator[tuple[str, str | tuple[str, ...]]]:
    """The prompts with their answers; what an expression says of many is found at once."""
    waiting = iter(prompts)
    while many := list(islice(waiting, _ASKED)):
        if not claim.known:
            yield from ((prompt, model.generate(prompt)) for prompt in many)
            continue
        ask = claim.ahead(many, model.vocabulary)
        for prompt in many:
            yield (
                prompt,
                claim.expected(prompt, model.vocabulary, model.n_ctx, ask),
            )


def _neighbouring(model: Model, language: Language, most: int) -> Iterator[str]:
    """Drawn prompts, each followed by itself with one character changed, where that is a prompt."""
    random = Random(SEED)
    characters = sorted(set("".join(model.vocabulary.tokens)))
    drawn = language.sample(most)
    for prompt in drawn:
        yield prompt
        place = random.randrange(len(prompt)) if prompt else 0
        changed = (
            prompt[:place] + random.choice(characters) + prompt[place + 1 :]
        )
        if changed != prompt and changed in language:
            yield changed


def _batches(
    found: Iterable[Text], n_vocab: int
) -> Iterator[tuple[Array, Array]]:  # [n_batch, n_seq], [n_batch]
    """Batches of texts of one length."""
    by_length: dict[int, list[Text]] = {}
    for text in found:
        by_length.setdefault(len(text[0]), []).append(text)
    for length, group in by_length.items():
        size = max(1, min(_BATCH, _AT_ONCE // (length * n_vocab)))
        for at in range(0, len(group), size):
            ids, first = zip(*group[at : at + size], strict=True)
            yield np.array(ids), np.array(first)
