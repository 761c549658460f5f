"""Does what was written compute what the model computes?

Every context up to the window where there are at most a thousand, else a thousand drawn ones; of a claim on prompts
the contexts are those from which an answer is continued: the prompt, and the prompt with each beginning of its answer.

Rules of this file: the draw is decided by a fixed seed. Where the model itself is undecided between tokens, each of
them is right. Logits that are far off are no agreement, whatever token they choose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from random import Random

import numpy as np

from handcraft.claims import Answers
from handcraft.contexts import count_contexts
from handcraft.gpt2 import Array
from handcraft.model import Model
from handcraft.prompts import SEED
from handcraft.runtimes.target import Run

MOST = 1000  # contexts, or prompts with their answers
BATCH = 128
TOLERANCE = 1e-3  # of the largest logit: float32 loses less, a runtime that computes something else does not

Progress = Callable[[int, int], None]  # told how many batches are done, of how many
Text = tuple[list[int], int]  # the ids, and the first position whose logits are compared


@dataclass(frozen=True)
class Agreement:
    """How many contexts were compared, in how many another token is first, and the largest difference of a logit."""

    contexts: int
    argmax_disagreements: int
    max_logit_error: float | None  # None where a logit is not finite
    largest_logit: float = math.inf  # of the model, for scale

    @property
    def holds(self) -> bool:
        """Whether the two always choose the same token, by nearly the same logits."""
        near = self.max_logit_error is not None and self.max_logit_error <= TOLERANCE * self.largest_logit
        return self.contexts > 0 and self.argmax_disagreements == 0 and near

    def __str__(self) -> str:
        error = "not finite" if self.max_logit_error is None else f"{self.max_logit_error:.3g}"
        return f"{self.contexts} contexts: {self.argmax_disagreements} argmax disagreements, largest logit error {error}"

    def to_json(self) -> dict[str, int | float | None]:
        """As the command line prints it."""
        return {
            "contexts": self.contexts,
            "argmax_disagreements": self.argmax_disagreements,
            "max_logit_error": self.max_logit_error,
        }


def compare(model: Model, run: Run, most: int = MOST, progress: Progress | None = None) -> Agreement:
    """The model against another way to run it, on every context or on so many drawn ones."""
    contexts, wrong, error, largest = 0, 0, 0.0, 0.0
    batches = list(_batches(texts(model, most)))
    for done, (ids, first) in enumerate(batches):
        if progress is not None:
            progress(done, len(batches))
        ours, theirs = model(ids), np.asarray(run(ids))  # [n_batch, n_seq, n_vocab]
        seen = np.arange(ids.shape[1]) >= first[:, None]  # [n_batch, n_seq]
        ours, theirs = ours[seen], theirs[seen]  # [n_contexts, n_vocab]
        chosen = np.take_along_axis(ours, theirs.argmax(-1)[:, None], axis=-1)[:, 0]
        finite = np.isfinite(theirs).all(-1)
        contexts, largest = contexts + len(ours), max(largest, float(np.abs(ours).max()))
        wrong += int((~finite | (chosen < ours.max(-1))).sum())
        with np.errstate(invalid="ignore"):
            error = max(error, float(np.abs(ours - theirs).max()) if finite.all() else np.inf)
    return Agreement(contexts, wrong, error if np.isfinite(error) else None, largest)


def texts(model: Model, most: int = MOST) -> Iterator[Text]:
    """What is compared, shortest first where it is everything."""
    claim = model.program.claim if model.program else None
    if isinstance(claim, Answers):
        return _prompts(model, claim, most)
    n_vocab = len(model.vocabulary)
    if count_contexts(n_vocab, model.n_ctx) <= most:
        every = (list(ids) for n in range(1, model.n_ctx + 1) for ids in product(range(n_vocab), repeat=n))
        return ((ids, len(ids) - 1) for ids in every)
    random = Random(SEED)
    drawn = ([random.randrange(n_vocab) for _ in range(random.randint(1, model.n_ctx))] for _ in range(most))
    return ((ids, len(ids) - 1) for ids in drawn)


def _prompts(model: Model, claim: Answers, most: int) -> Iterator[Text]:
    language = claim.language(model.n_ctx, model.vocabulary)
    for prompt in language if language.size <= most else language.sample(most):
        asked = model.vocabulary.encode(prompt)
        answer = claim.expected(prompt, model.vocabulary, model.n_ctx) if claim.known else model.generate(prompt)
        yield asked + model.vocabulary.encode(answer)[:-1], len(asked) - 1  # the last token is predicted, never read


def _batches(found: Iterable[Text]) -> Iterator[tuple[Array, Array]]:  # [n_batch, n_seq], [n_batch]
    """Texts of one length together."""
    by_length: dict[int, list[Text]] = {}
    for text in found:
        by_length.setdefault(len(text[0]), []).append(text)
    for group in by_length.values():
        for at in range(0, len(group), BATCH):
            batch = group[at : at + BATCH]
            yield np.array([ids for ids, _ in batch]), np.array([first for _, first in batch])
