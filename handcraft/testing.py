"""What authors import in their own tests: contexts to draw, and the assertion of 100% accuracy.

    from hypothesis import given
    from handcraft.testing import assert_accurate, contexts

    def test_program():
        assert_accurate(program)

Rules of this file: a failure shows the shrunk counterexample with its attention table; hypothesis does the drawing.
"""

from __future__ import annotations

import numpy as np

from handcraft.claims import Answers, Distribution, Oracle
from handcraft.contexts import contexts
from handcraft.errors import ProgramError
from handcraft.gpt2 import Array, softmax
from handcraft.model import Model
from handcraft.program import Program
from handcraft.vocabulary import Vocabulary

__all__ = ["assert_accurate", "contexts"]


def assert_accurate(program: Program, *, examples: int = 200, dtype: str = "float32") -> None:
    """Draw contexts with hypothesis and assert that the model answers every one as the claim says.

    Raises AssertionError with the shrunk counterexample and its attention table; ProgramError where the program has
    no claim.
    """
    from hypothesis import HealthCheck, Phase, find, settings
    from hypothesis.errors import NoSuchExample

    if program.claim is None:
        raise ProgramError("has no claim to assert; pass claim= to Program", (program.name,))
    model = program.build(dtype)
    options = settings(
        max_examples=examples, database=None, derandomize=True, deadline=None,
        suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
    )  # fmt: skip
    try:
        tokens = find(contexts(program), lambda context: _failure(model, context) is not None, settings=options)
    except NoSuchExample:
        return
    context, problem = _failure(model, tokens) or ([], "")
    raise AssertionError(f"{program.name} after {context}: {problem}\n\n{model.trace(context)}")


def _failure(model: Model, tokens: list[str]) -> tuple[list[str], str] | None:
    """The first ending of the context, or of the prompt and its answer, that the model gets wrong."""
    program = model.program
    if program is None or program.claim is None:
        return None
    if isinstance(program.claim, Answers):
        answer = program.claim.expected("".join(tokens), model.vocabulary, model.n_ctx)
        return _wrong_answer(model, tokens, answer)
    oracle, vocabulary = Oracle(program.claim, model.vocabulary), model.vocabulary
    logits = model(tokens)  # [n_seq, n_vocab]
    for length in range(1, len(tokens) + 1) if model.causal else [len(tokens)]:
        expected = oracle(vocabulary.context(vocabulary.encode(tokens[:length])))
        problem = None if expected is None else _problem(model, logits[length - 1], expected)
        if problem:
            return tokens[:length], problem
    return None


def _wrong_answer(model: Model, prompt: list[str], answer: tuple[str, ...]) -> tuple[list[str], str] | None:
    tokens = [*prompt, *answer]
    logits = model(tokens[:-1])  # [n_seq, n_vocab]
    for i, expected in enumerate(answer, start=len(prompt)):
        if problem := _problem(model, logits[i - 1], expected):
            return tokens[:i], problem
    return None


def _problem(model: Model, logits: Array, expected: str | dict[str, float]) -> str | None:  # [n_vocab]
    vocabulary: Vocabulary = model.vocabulary
    if isinstance(expected, str):
        right = vocabulary.ids[expected]
        others = np.delete(logits, right)
        if others.size == 0 or logits[right] > others.max():
            return None
        got = vocabulary.tokens[int(np.where(np.arange(len(logits)) == right, -np.inf, logits).argmax())]
        return f"expected {expected!r}, got {got!r} (margin {logits[right] - others.max():.6g})"
    claim = model.program.claim if model.program else None
    tolerance = claim.tolerance if isinstance(claim, Distribution) else 0.0
    found = dict(zip(vocabulary.tokens, softmax(logits.astype(np.float64)), strict=True))
    error = max(abs(found[token] - expected.get(token, 0.0)) for token in vocabulary.tokens)
    return None if error <= tolerance else f"expected {expected}, off by {error:.3g}"
