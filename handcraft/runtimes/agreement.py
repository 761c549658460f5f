"""Does what was written compute what the model computes?

Every context up to the window where there are at most a hundred thousand; else 20,000, counting
the beginnings of each: half of them drawn, half their neighbours and texts of one token in
which one is another, where counts and means are at their extremes. Of a claim on prompts the
contexts are those from which an answer is continued: the prompt, and the prompt with each
beginning of its answer; drawn prompts, and those of their neighbours that are prompts, are at
most 2,000.

Rules of this file: the draw is decided by a fixed seed. Where the model itself is undecided
between tokens, each of them is right. Logits that are far off are no agreement, whatever token
they choose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from random import Random

import numpy as np

from handcraft.claims.kinds import Answers
from handcraft.claims.prompt_language import SEED, Language
from handcraft.core.gpt2 import Array, Hook, finite, gpt2
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
# of the largest logit: float32 loses less, a runtime that computes something else does not
_TOLERANCE = 1e-3

Text = tuple[
    list[int], int
]  # the ids, and the first position whose logits are compared


@dataclass(frozen=True)
class Agreement:
    """How many contexts were compared, in how many another token is first, and the largest
    difference of a logit.
    """

    contexts: int
    argmax_disagreements: int
    max_logit_error: float | None  # None where a logit is not finite
    largest_logit: float = math.inf  # of the model, for scale

    @property
    def holds(self) -> bool:
        """Whether the two always choose the same token, by nearly the same logits."""
        near = (
            self.max_logit_error is not None
            and self.max_logit_error <= _TOLERANCE * self.largest_logit
        )
        return self.contexts > 0 and self.argmax_disagreements == 0 and near

    def __str__(self) -> str:
        error = (
            "not finite"
            if self.max_logit_error is None
            else f"{self.max_logit_error:.3g}"
        )
        return (
            f"{self.contexts} contexts: {self.argmax_disagreements} argmax"
            f" disagreements, largest logit error {error}"
        )

    def to_json(self) -> dict[str, int | float | None]:
        """As the command line prints it."""
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
    """The model against another way to run it, on every context or on so many drawn ones.

    `note` is told every intermediate of the model's own pass over some ids.
    """
    contexts, wrong, error, largest = 0, 0, 0.0, 0.0
    batches = list(_batches(compared_texts(model, most)))
    for done, (ids, first) in enumerate(batches):
        if progress is not None:
            progress(done, len(batches))
        ours, theirs = (
            _own(model, ids, hook),
            np.asarray(run(ids)),
        )  # [n_batch, n_seq, n_vocab]
        seen = np.arange(ids.shape[1]) >= first[:, None]  # [n_batch, n_seq]
        ours, theirs = ours[seen], theirs[seen]  # [n_contexts, n_vocab]
        chosen = np.take_along_axis(ours, theirs.argmax(-1)[:, None], axis=-1)[:, 0]
        finite = np.isfinite(theirs).all(-1)
        contexts, largest = (
            contexts + len(ours),
            max(largest, float(np.abs(ours).max())),
        )
        wrong += int((~finite | (chosen < ours.max(-1))).sum())
        with np.errstate(invalid="ignore"):
            error = max(
                error, float(np.abs(ours - theirs).max()) if finite.all() else np.inf
            )
    return Agreement(contexts, wrong, error if np.isfinite(error) else None, largest)


def _own(model: Model, ids: Array, hook: Callable[[Array], Hook] | None) -> Array:
    """The model's logits. Raises WeightsError where they are not finite."""
    config = model.config if hook is None else model.config | {"note": hook(ids)}
    return finite(gpt2(ids, **model.weights, **config))


def compared_texts(model: Model, most: int = MOST_COMPARED) -> Iterator[Text]:
    """What is compared: every context once where they are few, else drawn ones, about `most` of
    them.
    """
    claim = model.program.claim if model.program else None
    if claim is not None and claim.asks_prompts:
        return _prompts(model, claim, most)
    size = count_contexts(len(model.vocabulary), model.n_ctx)
    if size <= min(_EVERY, max(most, _EVERY if most == MOST_COMPARED else 0)):
        return _every(model, size)
    return _drawn(model, most)


def _every(model: Model, size: int) -> Iterator[Text]:
    """Every context, the shortest first; where they are many, as beginnings of the longest,
    each where it is new.
    """
    n_vocab, n_ctx = len(model.vocabulary), model.n_ctx
    if size <= _ALONE or not model.causal:
        for n in range(1, n_ctx + 1):
            yield from ((list(ids), n - 1) for ids in product(range(n_vocab), repeat=n))
        return
    before: tuple[int, ...] = ()
    for ids in product(range(n_vocab), repeat=n_ctx):
        yield (
            list(ids),
            next(
                (
                    i
                    for i, (a, b) in enumerate(zip(before, ids, strict=False))
                    if a != b
                ),
                0,
            ),
        )
        before = ids


def _drawn(model: Model, most: int) -> Iterator[Text]:
    """Drawn contexts with a neighbour each, and nearly constant ones, half of all; each of them
    counts once.
    """
    random = Random(SEED)
    yield from _limited(
        _with_neighbours(model, random), most - most // 2, causal=model.causal
    )
    yield from _limited(_nearly_constant(model, random), most // 2, causal=model.causal)


def _limited(found: Iterator[Text], most: int, *, causal: bool) -> Iterator[Text]:
    """Texts until so many contexts are counted; without a mask only the whole text is a context."""
    while most > 0:
        ids, first = next(found)
        first = max(first if causal else len(ids) - 1, len(ids) - most)
        most -= len(ids) - first
        yield ids, first


def _with_neighbours(model: Model, random: Random) -> Iterator[Text]:
    n_vocab = len(model.vocabulary)
    while True:
        ids = [random.randrange(n_vocab) for _ in range(random.randint(1, model.n_ctx))]
        place = random.randrange(len(ids))
        yield ids, 0
        yield [*ids[:place], random.randrange(n_vocab), *ids[place + 1 :]], place


def _nearly_constant(model: Model, random: Random) -> Iterator[Text]:
    """One token all along, but for one place; the same again where there are no more."""
    n_vocab, n_ctx = len(model.vocabulary), model.n_ctx
    while True:
        tokens = random.sample(range(n_vocab), n_vocab)
        for token in tokens:
            yield [token] * n_ctx, 0
        for place in random.sample(range(n_ctx), n_ctx):
            for token in tokens:
                other = random.randrange(n_vocab)
                yield [token] * place + [other] + [token] * (n_ctx - place - 1), place


def _prompts(model: Model, claim: Answers, most: int) -> Iterator[Text]:
    """Every prompt with its answer where that is few contexts, else drawn ones and their
    neighbours.
    """
    language, count = claim.language(model.n_ctx, model.vocabulary), 0
    every = language.size <= (_EVERY if most == MOST_COMPARED else most) // model.n_ctx
    for prompt in (
        language if every else _neighbouring(model, language, min(most, PROMPTS))
    ):
        asked = model.vocabulary.encode(prompt)
        answer = (
            claim.expected(prompt, model.vocabulary, model.n_ctx)
            if claim.known
            else model.generate(prompt)
        )
        yield (
            (text := asked + model.vocabulary.encode(answer)[:-1]),
            len(asked) - 1,
        )  # the last is predicted, never read
        if not every and (count := count + len(text) - len(asked) + 1) >= most:
            return


def _neighbouring(model: Model, language: Language, most: int) -> Iterator[str]:
    """Drawn prompts, each followed by itself with one character changed, where that is a prompt."""
    random = Random(SEED)
    characters = sorted(set("".join(model.vocabulary.tokens)))
    drawn = language.sample(most)
    for prompt in drawn:
        yield prompt
        place = random.randrange(len(prompt)) if prompt else 0
        changed = prompt[:place] + random.choice(characters) + prompt[place + 1 :]
        if changed != prompt and changed in language:
            yield changed


def _batches(
    found: Iterable[Text],
) -> Iterator[tuple[Array, Array]]:  # [n_batch, n_seq], [n_batch]
    """Texts of one length together."""
    by_length: dict[int, list[Text]] = {}
    for text in found:
        by_length.setdefault(len(text[0]), []).append(text)
    for group in by_length.values():
        for at in range(0, len(group), _BATCH):
            batch = group[at : at + _BATCH]
            yield (
                np.array([ids for ids, _ in batch]),
                np.array([first for _, first in batch]),
            )
