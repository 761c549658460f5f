"""Rules: the parts of a layer, which read the residual stream and add to it.

    Head     attention: softmax over earlier positions of query . key, the weighted mean of their
             values, written as output
    Neuron   where `when` is positive, add `adds` times it: one column of c_fc with its row of
             mlp.c_proj
    MLP      neurons, and a constant part
    Block    heads that read the stream at once, then an MLP that reads the result

QK circuit: the lanes of `query` are the match lanes; `key` gives each of them a value too, and
the score is the dot product. OV circuit: the lanes of `value` belong to the head alone; `output`
reads them and writes into the stream.

Rules of this file: a rule checks only itself; what concerns several rules is checked by the
Program. Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from handcraft.core.errors import ProgramError
from handcraft.core.frozen import Frozen, Where, caller
from handcraft.language.affine import Affine, Map, Term, number
from handcraft.language.coerce import (
    AsAffine,
    AsDirection,
    AsMap,
    MapLike,
    value_lanes,
)
from handcraft.language.meanings import AsMeanings, MeaningsLike

# gelu(8 z) / 8 is z or 0 to the last bit of float32 where |z| >= 1 (|x| >= 6 suffices for gelu(x))
GELU_SHARPNESS = 8.0

_NO_TERMS = Affine()
EVERYWHERE = Map()  # a query without lanes: every score is 0

Scores: TypeAlias = Literal["raw", "exact"]
Amounts: TypeAlias = Mapping[Any, float] | Term


class Stating(Frozen):
    """The base of the rules that may say what they write: `means` (handcraft.language.meanings),
    which explains, and changes no weight.
    """

    @model_serializer(mode="wrap")
    def _short(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields, without `means` where nothing is said."""
        fields: dict[str, Any] = write(self)
        return {
            name: value
            for name, value in fields.items()
            if value or name != "means"
        }


class Head(Stating):
    """One attention head.

    query   {match lane: expression at the query position}; empty: uniform attention
    key     {match lane: expression at the key position}; by default the match lanes themselves
    value   {value lane: expression at the key position}
    output  {stream lane: expression of the value lanes}; by default the value lanes' own names
    scores  "raw": the matrix holds the query as written, and GPT-2 divides the score by
            sqrt(d_head); "exact": the query is multiplied by sqrt(d_head), so that the score is
            the product as written
    means   what the lanes that it writes, or its value lanes, are to hold
    """

    query: AsMap = EVERYWHERE
    key: AsMap = EVERYWHERE
    value: AsMap
    output: AsMap
    scores: Scores = "raw"
    means: AsMeanings = ()
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
            means: MeaningsLike = ...,
            name: str | None = None,
            source: Where = ...,
        ) -> None: ...

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, fields: Any) -> Any:
        """Fills in the key from the query's lanes, and the output from the value's."""
        if isinstance(fields, Mapping):
            fields = dict(fields)
            for given, default in (("query", "key"), ("value", "output")):
                if default not in fields and given in fields:
                    # an error in `given` is reported where `given` is checked
                    with suppress(ProgramError):
                        fields[default] = value_lanes(fields[given])
        return fields


class Neuron(Stating):
    """A neuron, which adds `adds` times the positive part of `when` to the stream.

    With gelu it is compiled as `sharpness * when` and `adds / sharpness`, because gelu(x) equals x
    or 0 only away from zero.
    """

    when: AsAffine
    adds: AsDirection
    sharpness: float = GELU_SHARPNESS
    means: AsMeanings = ()
    name: str | None = None
    source: Where = Field(default_factory=caller)

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            when: Term,
            adds: Amounts,
            sharpness: float = ...,
            means: MeaningsLike = ...,
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
            raise ProgramError(
                f"must be positive and finite, found {sharpness}"
            )
        return sharpness


class MLP(Stating):
    """Neurons that read the stream at once, and constants that are added at every position."""

    neurons: tuple[Neuron, ...] = ()
    adds: AsDirection = _NO_TERMS
    means: AsMeanings = ()
    source: Where = Field(default_factory=caller)

    if TYPE_CHECKING:

        def __init__(
            self,
            neurons: Sequence[Neuron] = ...,
            adds: Amounts = ...,
            *,
            means: MeaningsLike = ...,
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
    """One layer: parallel heads, then an MLP. Either may be missing, and is then skipped."""

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

        def __init__(
            self, /, heads: Any = (), mlp: Any = None, **fields: Any
        ) -> None:
            super().__init__(heads=heads, mlp=mlp, **fields)

    @model_validator(mode="after")
    def _not_empty(self) -> Block:
        if not self.heads and self.mlp is None:
            raise ProgramError("a block needs at least one head or an MLP")
        return self


Layer: TypeAlias = Head | MLP | Block


def as_block(layer: object) -> object:
    """The block of a single head, MLP or neuron; anything else itself."""
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
