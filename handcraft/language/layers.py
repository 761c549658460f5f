"""Makes one layer of what an author writes for it: any nesting of heads, neurons, decoders and
constants.

    pair                                  a head
    (find, begin)                         two heads side by side
    (fetch, match, {wrong: 1})            a head, neurons, and a constant at every position
    (count, parabola(marks, numbers))     a head, and a decoder of what is in the stream

In a layer all heads read the stream at once, and all neurons read what the heads have added,
whatever their order in the nesting. A decoder {lane: expression} becomes a pair of neurons for
each lane it reads (whole numbers), and its constants.

Rules of this file: rules keep the order in which they are written, so that it is the order of the
columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias, cast

from handcraft.core.arguments import checked_call
from handcraft.core.errors import ProgramError
from handcraft.core.frozen import is_nest
from handcraft.core.nesting import flat
from handcraft.core.source import Source, caller
from handcraft.language.affine import Affine, Map, Term, kind_of
from handcraft.language.coerce import MapLike, as_map
from handcraft.language.rules import MLP, Block, Head, Neuron

Layer: TypeAlias = (
    Head | Neuron | MLP | Block | Map | Mapping[Any, Term] | Iterable["Layer"]
)


@checked_call()
def as_mlp(decoder: MapLike, /) -> MLP:
    """A decoder as an MLP: a pair of neurons for each lane it reads (whole numbers), and its
    constants.

    A head can hold a decoder in what it adds; this is for lanes that are in the stream already.
    Raises ProgramError for what is no map.
    """
    rows = as_map(decoder).rows
    read = dict.fromkeys(
        lane for _, affine in rows for lane in affine.lanes_read
    )
    neurons = []
    terms = {target: dict(affine.terms) for target, affine in rows}
    for lane in read:
        adds = Affine.of(
            {t: own[lane] for t, own in terms.items() if lane in own}
        )
        neurons.append(Neuron(when=lane, adds=adds))
        neurons.append(Neuron(when=-lane, adds=adds.scaled(-1.0)))
    constants = Affine.of({target: affine.constant for target, affine in rows})
    return MLP(neurons, adds=constants)


def as_block(layer: object) -> Block:
    """The block of a layer as an author writes it.

    Raises ProgramError for what is no rule, and for a layer without any.
    """
    if isinstance(layer, Block):
        return layer
    nested = layer if is_nest(layer) else (layer,)
    leaves = flat(cast("Iterable[object]", nested), is_nest)
    parts = [part for leaf in leaves for part in _parts(leaf)]
    if not parts:
        raise ProgramError("a layer needs at least one head, neuron or MLP")
    heads = tuple(part for part in parts if isinstance(part, Head))
    mlps = [part for part in parts if isinstance(part, MLP)]
    mlp = mlps[0] if len(mlps) == 1 else _joined(mlps)
    return Block(heads, mlp, source=parts[0].source)


def _joined(mlps: list[MLP]) -> MLP | None:
    """One MLP of several that stand side by side."""
    if not mlps:
        return None
    neurons = [neuron for mlp in mlps for neuron in mlp.neurons]
    adds = Affine()
    for mlp in mlps:
        adds = adds.plus(mlp.adds)
    means = tuple(row for mlp in mlps for row in mlp.means)
    return MLP(neurons, adds, means=means, source=_constants_source(mlps))


def _constants_source(mlps: list[MLP]) -> Source:
    """The line of the first part that adds constants, else of the first part."""
    constant = (mlp.source for mlp in mlps if mlp.adds.terms)
    return next(constant, mlps[0].source)


def _parts(layer: object) -> Iterator[Head | MLP]:
    """The heads of one part, and an MLP of what else it holds; nothing of an empty table."""
    if isinstance(layer, Head | MLP):
        yield layer
    elif isinstance(layer, Neuron):
        yield MLP([layer], source=layer.source)
    elif isinstance(layer, Block):
        yield from layer.heads
        yield from () if layer.mlp is None else (layer.mlp,)
    elif isinstance(layer, Map | Mapping):
        decoder = as_map(layer)
        yield from (as_mlp(decoder),) if decoder.rows else ()
    else:
        raise ProgramError(
            "a layer is made of heads, neurons, MLPs, decoders and {lane: constant};"
            f" found {kind_of(layer)}",
            (),
            caller(),
        )
