"""The base of all claims: each answers about itself, so that nobody asks of which kind it is.

    kind           measures      decided by                asked about       its positions
    after          token         endings                   contexts          every, or the last
    distribution   probability   endings                   contexts          every, or the last
    answers        token         any rule                  prompts           the answer's
    function       token         expression or function    contexts          every, or the last
    residual       lane          expression or function    contexts          every, or the last
    each           token         function                  whole texts       every

A rule is a Python function, a table of answers, an expression or a transducer (answers.py).
Rules of this file: what depends on the kind alone is a class attribute whose type is the one
value that it has, so that mypy knows the kind behind `if claim.asks_prompts`; what depends on
the claim is a property. None of them is a field: claims are written, compared and hashed
without them.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from handcraft.claims.answers import Answer
from handcraft.claims.functions import Callback
from handcraft.core.errors import printable
from handcraft.core.frozen import Frozen
from handcraft.language.notation import call_text, shortened
from handcraft.sequence.expression import Expression
from handcraft.sequence.notation import MOST_SHOWN, written

Measure: TypeAlias = Literal["token", "probability", "lane"]


class BaseClaim(Frozen):
    """A claim of any kind: what is compared, with what, and where."""

    measures: ClassVar[Measure]
    """The thing compared: the most likely token, the probability of each, or a lane's number."""

    asks_prompts: ClassVar[bool]
    """True if it speaks of prompts, each with its whole answer, instead of contexts."""

    whole_text: ClassVar[bool]
    """True if it is asked once about a whole text, for the tokens at all its positions."""

    by_endings: ClassVar[bool]
    """True if the last tokens decide, by a table of endings; else `rule` does."""

    def __repr__(self) -> str:
        """The claim as an author writes it, shortened."""
        fields = {
            name: _shown(getattr(self, name))
            for name, field in type(self).model_fields.items()
            if name not in ("kind", "source")
            and getattr(self, name) != field.default
        }
        if list(fields) == ["function"]:  # it stands for the claim
            return fields["function"]
        first, *others = fields.items()
        return call_text(
            str(getattr(self, "kind", "")), first[1], **dict(others)
        )

    @property
    def rule(self) -> Answer | None:
        """The function, table, expression or transducer that decides; None for endings."""
        return None

    @property
    def declared(self) -> bool:
        """True if it is all data: only that can be proved."""
        return not isinstance(self.rule, Callback)

    @property
    def known(self) -> bool:
        """True if it can be asked: not where a function was left behind in its file."""
        return not isinstance(self.rule, Callback) or self.rule.call is not None

    @property
    def every_position(self) -> bool:
        """True if it speaks of all positions of a text, and not of the last one alone."""
        return False

    @property
    def one_token(self) -> bool:
        """True if what it asks for is always a single token or number, which nothing ends."""
        return True

    @property
    def stop_token(self) -> str | None:
        """The token that ends every answer."""
        return None

    @property
    def tokens(self) -> tuple[str, ...]:
        """The tokens that must be in the vocabulary, as far as they are known beforehand."""
        return ()

    @property
    def lanes(self) -> tuple[str, ...]:
        """The lanes of the stream that it speaks of."""
        return ()

    @property
    def allowed_error(self) -> float:
        """The greatest error that a number may have; a token is right or wrong."""
        return 0.0

    @property
    def unit(self) -> Literal["contexts", "prompts"]:
        """The word for what a report counts."""
        return "prompts" if self.asks_prompts else "contexts"


def _shown(value: object) -> str:
    """A field of a claim in its notation, at most so many characters of it."""
    if isinstance(value, Expression):
        text = written(value)
    elif isinstance(value, tuple) and all(type(x) is str for x in value):
        single = all(len(token) == 1 for token in value)  # of an alphabet
        text = repr("".join(value) if single else list(value))
    elif isinstance(value, tuple) and type(value[-1]) is tuple:
        rows = (f"{ending!r}: {right!r}" for ending, right in value)
        text = "{" + shortened(rows, len(value), "rows") + "}"
    else:
        text = value.name if isinstance(value, Callback) else repr(value)
    text = printable(text)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
