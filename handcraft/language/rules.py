"""Rules: the parts of a layer, which read the residual stream and add to it.

    Head     attention: softmax over earlier positions of query . key; of the weighted mean of
             their values, `adds` goes to the stream
    Neuron   where `when` is positive, add `adds` times it: one column of c_fc with its row of
             mlp.c_proj
    MLP      neurons, and a constant part
    Block    heads that read the stream at once, then an MLP that reads the result

QK circuit: the lanes of `query` are the match lanes; `key` gives each of them a value too, and
the score is the dot product. OV circuit: the lanes of `value` belong to the head alone; `adds`
reads them and adds to the stream, as it does for a neuron and an MLP.

Rules of this file: a rule checks only itself; what concerns several rules is checked by the
Program. Source: Elhage et al., "A Mathematical Framework for Transformer Circuits", 2021.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    StrictFloat,
    field_validator,
    model_serializer,
    model_validator,
)

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import Frozen, is_nest
from handcraft.core.nesting import flat, refuse_set
from handcraft.core.source import Source, Where, caller
from handcraft.language.affine import (
    Affine,
    Map,
    Term,
    format_number,
    kind_of,
    number,
)
from handcraft.language.coerce import (
    AsAffine,
    AsDirection,
    AsMap,
    MapLike,
    value_lanes,
)
from handcraft.language.meanings import AsMeanings, MeaningsLike, short_meanings
from handcraft.language.notation import (
    call_text,
    short_affine,
    short_amounts,
    short_list,
    short_map,
)

# gelu(8 z) / 8 is z or 0 to the last bit of float32 where |z| >= 1 (|x| >= 6 suffices for gelu(x))
GELU_SHARPNESS = 8.0

_NO_TERMS = Affine()
EVERYWHERE = Map()  # a query without lanes: every score is 0

Scores: TypeAlias = Literal["raw", "exact"]
Amounts: TypeAlias = Mapping[Any, float] | Term


def _own_lanes(value: object) -> Map:
    """The default of a head's key or of what it adds: each lane from itself.

    Empty for what is no map, which is reported where it stands itself.
    """
    with suppress(ProgramError):
        return value_lanes(value)
    return EVERYWHERE


class Stating(Frozen):
    """The base of the rules that may say what they write: `means` (handcraft.language.meanings),
    which explains, and changes no weight.
    """

    def __init__(self, /, **fields: Any) -> None:
        super().__init__(**fields)

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
    adds    {stream lane: expression of the value lanes}; by default the value lanes' own names
    scores  "raw": the matrix holds the query as written, and GPT-2 divides the score by
            sqrt(d_head); "exact": the query is multiplied by sqrt(d_head), so that the score is
            the product as written
    means   {lane: expression of handcraft.sequence.words}: what the lanes that it writes, or its
            value lanes, are to hold; for refutations only, it changes no weight
    name    in messages, tables and paths, such as layers[0] > previous; a word of your choice

    Raises ProgramError for an argument that is missing, unknown, or no map.
    """

    query: AsMap = EVERYWHERE
    key: AsMap = EVERYWHERE
    value: AsMap
    adds: AsMap
    scores: Scores = "raw"
    means: AsMeanings = ()
    name: str | None = None
    source: Where = Field(default_factory=caller)

    @checked_call(output="adds")
    def __init__(
        self,
        *,
        query: MapLike = EVERYWHERE,
        key: MapLike | None = None,
        value: MapLike,
        adds: MapLike | None = None,
        scores: Scores = "raw",
        means: MeaningsLike = (),
        name: str | None = None,
        source: Source | None = None,
    ) -> None:
        super().__init__(
            query=query,
            key=_own_lanes(query) if key is None else key,
            value=value,
            adds=_own_lanes(value) if adds is None else adds,
            scores=scores,
            means=means,
            name=name,
            source=caller() if source is None else source,
        )

    def __repr__(self) -> str:
        same_key = self.key == _own_lanes(self.query)
        own = self.adds == _own_lanes(self.value)
        return call_text(
            "Head",
            query=self.query.rows and short_map(self.query),
            key=None if same_key else short_map(self.key),
            value=short_map(self.value),
            adds=None if own else short_map(self.adds),
            scores=None if self.scores == "raw" else repr(self.scores),
            means=short_meanings(self.means),
            name=self.name and repr(self.name),
        )


class Neuron(Stating):
    """A neuron, which adds `adds` times the positive part of `when` to the stream.

    when       an expression of lanes at the neuron's own position; below 0 nothing is added
    adds       {lane: number}: added times `when`
    sharpness  with gelu it is compiled as gelu(sharpness * when) and adds / sharpness, because
               gelu(x) is x or 0 only away from zero. With 8, the default, that is exact in float32
               where `when` is 0 or at least 1 in size; for a `when` of 1/2 or more, write 16
    means      {lane: expression of handcraft.sequence.words}: what the lanes are to hold; for
               refutations only. Where several neurons write a lane together: MLP(..., means=)
    name       in messages, tables and paths

    Raises ProgramError for an argument that is missing, unknown, or no expression.
    """

    when: AsAffine
    adds: AsDirection
    sharpness: StrictFloat = GELU_SHARPNESS
    means: AsMeanings = ()
    name: str | None = None
    source: Where = Field(default_factory=caller)

    @checked_call()
    def __init__(
        self,
        *,
        when: Term,
        adds: Amounts,
        sharpness: float = GELU_SHARPNESS,
        means: MeaningsLike = (),
        name: str | None = None,
        source: Source | None = None,
    ) -> None:
        super().__init__(
            when=when,
            adds=adds,
            sharpness=sharpness,
            means=means,
            name=name,
            source=caller() if source is None else source,
        )

    def __repr__(self) -> str:
        usual = self.sharpness == GELU_SHARPNESS
        return call_text(
            "Neuron",
            when=short_affine(self.when),
            adds=short_amounts(self.adds),
            sharpness=None if usual else format_number(self.sharpness),
            means=short_meanings(self.means),
            name=self.name and repr(self.name),
        )

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


NeuronNest: TypeAlias = (
    Neuron | Iterable["NeuronNest"]
)  # any nesting of neurons


def _flat(neurons: object) -> object:
    """The neurons of a nesting, in their order; anything else itself."""
    if isinstance(neurons, str | bytes) or not isinstance(neurons, Iterable):
        return neurons
    single = not is_nest(neurons)
    return tuple(
        _neuron(item)
        for item in flat([neurons] if single else neurons, is_nest)
    )


def _neuron(item: object) -> object:
    """A neuron or its data. Raises ProgramError for anything else."""
    if isinstance(item, Neuron) or Neuron.is_data(item):
        return item
    raise ProgramError(_no_neuron(item))


def _no_neuron(item: object) -> str:
    if isinstance(item, Mapping):
        return "constants are no neuron: MLP(neurons, adds={lane: number})"
    if isinstance(item, Head):
        return "a head is no neuron: in a layer they stand side by side, (head, neurons)"
    return f"an MLP is made of neurons, found {kind_of(item)}"


class MLP(Stating):
    """Neurons that read the stream at once, and constants that are added at every position.

    neurons  any nesting of neurons
    adds     {lane: constant}
    means    {lane: expression of handcraft.sequence.words}: what the lanes are to hold after the
             whole MLP; for refutations only
    """

    neurons: Annotated[tuple[Neuron, ...], BeforeValidator(_flat)] = ()
    adds: AsDirection = _NO_TERMS
    means: AsMeanings = ()
    source: Where = Field(default_factory=caller)

    @checked_call()
    def __init__(
        self,
        neurons: NeuronNest = (),
        adds: Amounts = _NO_TERMS,
        *,
        means: MeaningsLike = (),
        source: Source | None = None,
    ) -> None:
        super().__init__(
            neurons=neurons,
            adds=adds,
            means=means,
            source=caller() if source is None else source,
        )

    @field_validator("adds")
    @classmethod
    def _adds(cls, adds: Affine) -> Affine:
        return _direction(adds)

    def __repr__(self) -> str:
        adds = self.adds.terms and short_amounts(self.adds)
        means = short_meanings(self.means)
        return call_text(
            "MLP", short_list(self.neurons), adds=adds, means=means
        )


def _heads(heads: object) -> object:
    """The heads of a block; a single one may stand by itself."""
    if isinstance(heads, Head):
        return (heads,)
    refuse_set(heads)
    for head in heads if isinstance(heads, list | tuple) else ():
        if isinstance(head, Neuron | MLP):
            raise ProgramError(
                "neurons stand in mlp=MLP([...]); or write the layer as (head, neurons)"
            )
    return heads


class Block(Frozen):
    """One layer: parallel heads, then an MLP. Either may be missing, and is then skipped.

    heads  a head, or several, which read the stream at once
    mlp    an MLP, which reads what the heads have added
    """

    heads: Annotated[tuple[Head, ...], BeforeValidator(_heads)] = ()
    mlp: MLP | None = None
    source: Where = Field(default_factory=caller)

    @checked_call()
    def __init__(
        self,
        heads: Head | Sequence[Head] = (),
        mlp: MLP | None = None,
        *,
        source: Source | None = None,
    ) -> None:
        super().__init__(
            heads=heads,
            mlp=mlp,
            source=caller() if source is None else source,
        )

    @model_validator(mode="after")
    def _not_empty(self) -> Block:
        if not self.heads and self.mlp is None:
            raise ProgramError("a block needs at least one head or an MLP")
        return self

    def __repr__(self) -> str:
        mlp = None if self.mlp is None else repr(self.mlp)
        return call_text("Block", short_list(self.heads), mlp=mlp)


def _direction(adds: Affine) -> Affine:
    if adds.constant:
        raise ProgramError(
            f"says which lanes to add to, as {{lane: number}}; found {adds}"
        )
    return adds
