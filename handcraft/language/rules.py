"""Rules: what reads the residual stream and adds to it.

    Head     attention: softmax over earlier positions of query . key, the mean of their values,
             written as output
    Neuron   "when this expression is positive, add that": one column of c_fc with its row of
             mlp.c_proj
    MLP      neurons, and a constant part
    Block    heads that read the stream at once, then an MLP that reads what they left

The lanes of a query name the match space: a key offers a value for each of them, and the score
is their product, summed. The lanes of `value` are the head's own; `output` reads those and
writes into the stream. Rules of this file: a rule built alone checks only what it says itself;
what holds across rules is checked by the Program, which knows the path.

Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021 (QK and OV
circuits).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from handcraft.core.errors import ProgramError
from handcraft.core.frozen import Frozen, Where, caller
from handcraft.language.affine import Affine, Map, Term, number
from handcraft.language.coerce import AsAffine, AsDirection, AsMap, MapLike, value_lanes

# gelu(8 z) / 8 is z or 0 to the last bit of float32 where |z| >= 1 (for tanh gelu, |x| >= 6 is
# enough)
GELU_SHARPNESS = 8.0

_NO_TERMS = Affine()
EVERYWHERE = Map()  # no lane asked about: every score is 0

Scores: TypeAlias = Literal["raw", "exact"]
Amounts: TypeAlias = Mapping[Any, float] | Term


class Head(Frozen):
    """One attention head.

    query   {match lane: expression of the asking position}; empty: every earlier position
            counts alike
    key     {match lane: expression of the position asked about}; defaults to the match lanes
            themselves
    value   {value lane: expression of the position asked about}
    output  {stream lane: expression of the value lanes}; defaults to the value lanes' own names
    scores  "raw": the matrix holds what is written, and GPT-2 divides the score by sqrt(d_head);
            "exact": that factor is folded into the query, so the score is what is written
    """

    query: AsMap = EVERYWHERE
    key: AsMap = EVERYWHERE
    value: AsMap
    output: AsMap
    scores: Scores = "raw"
    name: str | None = None
    source: Where = Field(default_factory=caller)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            value: MapLike,
            query: MapLike = ...,
            key: MapLike = ...,
            output: MapLike = ...,
            scores: Scores = ...,
            name: str | None = None,
            source: Where = ...,
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, fields: Any) -> Any:
        """The key defaults to the query's own lanes, the output to the value's."""
        if isinstance(fields, Mapping):
            fields = dict(fields)
            for given, default in (("query", "key"), ("value", "output")):
                if default not in fields and given in fields:
                    with suppress(
                        ProgramError
                    ):  # what is wrong with `given` is said where it is checked
                        fields[default] = value_lanes(fields[given])
        return fields


class Neuron(Frozen):
    """Adds `adds` times the positive part of `when`.

    With gelu it is compiled as `sharpness * when` and `adds / sharpness`: gelu is exact only
    away from zero.
    """

    when: AsAffine
    adds: AsDirection
    sharpness: float = GELU_SHARPNESS
    name: str | None = None
    source: Where = Field(default_factory=caller)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            when: Term,
            adds: Amounts,
            sharpness: float = ...,
            name: str | None = None,
            source: Where = ...,
        ) -> None: ...

    @field_validator("adds")
    @classmethod
    def _adds(cls, adds: Affine) -> Affine:
        return _direction(adds)

    @field_validator("sharpness")
    @classmethod
    def _sharpness(cls, sharpness: float) -> float:
        if not 0 < number(sharpness, "a number") < float("inf"):
            raise ProgramError(f"must be positive and finite, found {sharpness}")
        return sharpness


class MLP(Frozen):
    """Neurons that read the stream at once, and a constant part added at every position."""

    neurons: tuple[Neuron, ...] = ()
    adds: AsDirection = _NO_TERMS
    source: Where = Field(default_factory=caller)

    if TYPE_CHECKING:

        def __init__(
            self,
            neurons: Sequence[Neuron] = ...,
            adds: Amounts = ...,
            *,
            source: Where = ...,
        ) -> None: ...

    else:

        def __init__(
            self, /, neurons: Any = (), adds: Any = _NO_TERMS, **fields: Any
        ) -> None:
            super().__init__(neurons=neurons, adds=adds, **fields)

    @field_validator("adds")
    @classmethod
    def _adds(cls, adds: Affine) -> Affine:
        return _direction(adds)


class Block(Frozen):
    """One layer: heads side by side, then an MLP. Either may be absent, and is then skipped."""

    heads: tuple[Head, ...] = ()
    mlp: MLP | None = None
    source: Where = Field(default_factory=caller)

    if TYPE_CHECKING:

        def __init__(
            self,
            heads: Sequence[Head] = ...,
            mlp: MLP | None = ...,
            *,
            source: Where = ...,
        ) -> None: ...

    else:

        def __init__(self, /, heads: Any = (), mlp: Any = None, **fields: Any) -> None:
            super().__init__(heads=heads, mlp=mlp, **fields)

    @model_validator(mode="after")
    def _not_empty(self) -> Block:
        if not self.heads and self.mlp is None:
            raise ProgramError("a block needs at least one head or an MLP")
        return self


Layer: TypeAlias = Head | MLP | Block


def as_block(layer: object) -> object:
    """A bare head or MLP as a block of one; anything else as it is."""
    if isinstance(layer, Head):
        return Block(heads=(layer,), source=layer.source)
    if isinstance(layer, MLP):
        return Block(mlp=layer, source=layer.source)
    if isinstance(layer, Neuron):
        return Block(mlp=MLP([layer], source=layer.source), source=layer.source)
    return layer


def _direction(adds: Affine) -> Affine:
    if adds.constant:
        raise ProgramError(
            f"says which lanes to add to, as {{lane: number}}; found {adds}"
        )
    return adds
