"""Helpers for an author's own tests: contexts drawn by hypothesis, and an assertion of accuracy.

    from hypothesis import given
    from handcraft.testing import assert_accurate, contexts

    def test_program():
        assert_accurate(program)

Rules of this file: a failure shows the shrunk counterexample with its attention table.
"""

from __future__ import annotations

from handcraft.core.errors import ProgramError, either
from handcraft.model import Model
from handcraft.program.contexts import contexts, first_context
from handcraft.program.program import Program
from handcraft.proof.judge import Judge
from handcraft.proof.verify import named

__all__ = ["assert_accurate", "contexts"]


def assert_accurate(
    program: Program, *, examples: int = 200, dtype: str = "float32"
) -> None:
    """Check, on contexts drawn by hypothesis, that the model predicts what the claim says.

    Raises AssertionError with the shrunk counterexample and its attention table, and
    ProgramError for a program without a claim.
    """
    if program.claim is None:
        raise ProgramError(
            "has no claim to assert; pass claim= to Program", (program.name,)
        )
    model = program.build(dtype)
    judge = Judge(model, program.claim)

    def is_wrong(context: list[str]) -> bool:
        return judge.wrong(context) is not None

    tokens = first_context(contexts(program), is_wrong, examples)
    if tokens is not None:
        raise AssertionError(_failure(model, judge, tokens))


def _failure(model: Model, judge: Judge, tokens: list[str]) -> str:
    wrong = judge.first_wrong(tokens)
    if wrong is None:
        return f"{model.name} after {tokens}: wrong when drawn, right when asked again"
    names = model.vocabulary.tokens
    expected, got = (named(x, names) for x in (wrong.expected, wrong.got))
    margin = "" if wrong.margin is None else f" (margin {wrong.margin:.6g})"
    context = [names[i] for i in wrong.context]
    place = f"after {context}"
    if wrong.position is not None:
        place = f"at position {wrong.position} of {context}"
    right = expected if isinstance(expected, tuple) else (expected,)
    wanted = either(map(repr, right))
    found = f"{model.name} {place}: expected {wanted}, got {got!r}{margin}"
    return f"{found}\n\n{model.trace(context, wrong.position, checked=False)}"
