"""Totals: the sum, over the positions that a position sees, of a weight of the pair.

    total_form(symbols, weights)   such a sum as a form

Sums that are always equal should be one symbol, however they are written. So what every pair has
at least is taken out (a multiple of the number of positions seen), the rest is divided by its
common factor, of a sum and its complement one is kept, where a position sees what is before it the
position itself is told apart, and a sum of known sums is their sum. A count of what belongs before
a position, in a strict order of all, is a rank: no two positions have the same.
Rules of this file: all of this is exact, and checked on all possible rows.
"""

from __future__ import annotations

from fractions import Fraction
from math import gcd, lcm

import numpy as np

from handcraft.core.gpt2 import Array
from handcraft.proof.checker.zonotope import Rejected
from handcraft.proof.lanes.bounds import TotalBounds, bounds_of
from handcraft.proof.lanes.compared import by_comparisons
from handcraft.proof.lanes.derived import by_bases
from handcraft.proof.lanes.first_rank import first_rank
from handcraft.proof.lanes.forms import (
    Form,
    applied,
    as_key,
    collapsed,
    constant_form,
    of_whole_numbers,
    variable,
)
from handcraft.proof.lanes.links import linked
from handcraft.proof.lanes.ranked import ranks_by
from handcraft.proof.lanes.spans import KnownTotal, of_known
from handcraft.proof.lanes.symbols import (
    AT_END,
    AT_INDEX,
    Labels,
    LaneSymbol,
    Symbols,
    compared_in,
    spread,
)
from handcraft.proof.lanes.walked import of_walk
from handcraft.proof.lanes.widened import (
    PlacedSum,
    by_place,
    settled,
    sums_of,
)

_MOST_VALUES = 4096
_MOST_LEARNT = 1_000_000  # rows of a fact on a sum
_FAR = 2**62
_MOST_BESIDE = 6  # sums with which a new one is compared
_MOST_BESIDE_PAIRS = 200_000


def total_form(symbols: Symbols, weights: Form) -> Form:
    """The sum of weights[query, key] over the keys that the query sees."""
    weights = by_comparisons(symbols, by_bases(symbols, weights))
    if symbols.texts is not None:  # which may tell that a row has no text
        weights = settled(symbols, weights)
    mask = symbols.possible(weights.labels)
    if any(not isinstance(x, int | Fraction) for x in weights.values_at(mask)):
        raise Rejected("a sum of what is not always a number")
    if symbols.texts is None:
        weights = collapsed(symbols, weights)
    if not weights.labels:
        return _times_seen(symbols, weights)
    mask = symbols.possible(weights.labels)
    known = set(weights.values_at(mask))
    bottom = lcm(*(Fraction(x).denominator for x in known))
    if max(abs(x) for x in known) * bottom > 2**40:
        raise Rejected("a sum of numbers that are too large")
    at, values = weights.numbered
    scaled = np.array(
        [int(x * bottom) if x in known else 0 for x in values], dtype=np.int64
    )
    numbers = np.where(mask, scaled[at], 0)
    found = _whole(symbols, weights.labels, numbers)
    if bottom == 1:
        return found
    return applied(symbols, lambda x: Fraction(x, bottom), found)


def _times_seen(symbols: Symbols, weights: Form) -> Form:
    """A weight that does not depend on the key, times the positions that are seen."""
    seen = variable(symbols, symbols.seen)
    more = 1 if symbols.causal else 0
    return applied(symbols, lambda w, s: w * (s + more), weights, seen)


def _whole(symbols: Symbols, labels: Labels, numbers: Array) -> Form:
    if not any(side == 1 for side, _ in labels):
        return _times_seen(symbols, of_whole_numbers(labels, numbers))
    if (apart := _self_apart(symbols, labels, numbers)) is not None:
        return apart
    if (numbers >= 0).all() and ranks_by(symbols, labels, numbers):
        # in whole: a part of it is no rank
        return _kept(symbols, labels, numbers)
    parts = by_place(symbols, labels, numbers)
    if (walked := _walked(symbols, labels, numbers, parts)) is not None:
        return walked
    if parts is not None:
        return _of_places(symbols, parts)
    mask = symbols.possible(labels)
    low, high = int(numbers[mask].min()), int(numbers[mask].max())
    rest = np.where(mask, numbers - low, 0)
    common = gcd(*(int(x) for x in np.unique(rest)))
    up, down = rest // common, np.where(mask, high - numbers, 0) // common
    if _is_more(up, down):  # the rarer
        low, common, up = high, -common, down
    kept = _kept(symbols, labels, up)
    seen = _times_seen(symbols, constant_form(low))
    return applied(symbols, lambda s, c: s + common * c, seen, kept)


def _is_more(one: Array, other: Array) -> bool:
    """True if one table of numbers comes after another one, which has less in all."""
    whole, rest = int(one.sum()), int(other.sum())
    if whole != rest:
        return whole > rest
    return one.tobytes() > other.tobytes()


def _walked(
    symbols: Symbols,
    labels: Labels,
    numbers: Array,
    parts: tuple[PlacedSum, PlacedSum] | None,
) -> Form | None:
    """A sum over tokens as it is, where the automaton of the prompts says more of it than the
    places do; None for any other.
    """
    key = ("walked", symbols.asking, labels, as_key(numbers))
    if key not in symbols.known:
        most = 1 + min(
            (_most_of(symbols, x) for x in parts or ()), default=_MOST_VALUES
        )
        new = of_walk(symbols, labels, numbers, most + 1)
        found = None if new is None else variable(symbols, new)
        if new is not None and _from_zero(symbols, numbers, new):
            _compare(symbols, (labels, numbers, variable(symbols, new)), new)
        symbols.known[key] = found
        if found is not None and parts is not None:
            _say_rest(symbols, parts, found)
    form: Form | None = symbols.known[key]
    return form


def _say_rest(
    symbols: Symbols, parts: tuple[PlacedSum, PlacedSum], whole: Form
) -> None:
    """Say of the rest that places leave of a sum what it is by the sum: of another sum with the
    same rest this is known, too.
    """
    part, sign = _rarer(parts)
    if not part.rest.any():
        return
    common = gcd(*(int(x) for x in np.unique(part.rest)))
    rest = part.rest // common
    symbols.known["total", symbols.asking, part.labels, as_key(rest)] = applied(
        symbols,
        lambda x, known: sign * (x - known) // common,
        whole,
        part.known,
    )


def _rarer(parts: tuple[PlacedSum, PlacedSum]) -> tuple[PlacedSum, int]:
    """What a sum has more than its least, or less than its most, and the sign of that."""
    up, down = parts
    return (down, -1) if down.is_rarer(up) else (up, 1)


def _from_zero(symbols: Symbols, numbers: Array, new: int) -> bool:
    """True for a sum of weights from 0 on that may be 0, as others are."""
    return int(numbers.min()) >= 0 and symbols.all[new].values[0] == 0


def _most_of(symbols: Symbols, part: PlacedSum) -> int:
    """The greatest value of the rest of a sum."""
    if not part.rest.any():
        return 0
    rest = part.rest // gcd(*(int(x) for x in np.unique(part.rest)))
    found = _limits(symbols, part.labels, rest)
    return int(found.high[found.known].max(initial=0))


def _of_places(symbols: Symbols, parts: tuple[PlacedSum, PlacedSum]) -> Form:
    """What the sum surely has, and the rest; or what it has at most, less the rest: the rarer."""
    up, sign = _rarer(parts)
    if not up.rest.any():
        return up.known
    common = gcd(*(int(x) for x in np.unique(up.rest))) * sign
    rest = up.rest // abs(common)
    kept = _kept(symbols, up.labels, rest)
    return applied(symbols, lambda s, c: s + common * c, up.known, kept)


def _self_apart(
    symbols: Symbols, labels: Labels, numbers: Array
) -> Form | None:
    """Where a position sees what is before it, and the sum tells only by their places apart what
    is before it from itself: the sum of the first over all, less its own, and its own.
    """
    if not symbols.causal or not {(0, AT_INDEX), (1, AT_INDEX)} <= set(labels):
        return None
    mask = symbols.possible(labels)
    count = np.arange(symbols.n)
    q = symbols.place(labels, (0, AT_INDEX), count)
    k = symbols.place(labels, (1, AT_INDEX), count)
    before = np.where(mask & (k < q), numbers, -(2**62))
    most = before.max(
        axis=(labels.index((0, AT_INDEX)), labels.index((1, AT_INDEX))),
        keepdims=True,
    )
    if ((before != most) & mask & (k < q)).any():
        return None
    fewer = tuple(x for x in labels if x[1] != AT_INDEX)
    rest = most.reshape(symbols.shape(fewer))
    rest = np.where(rest == -(2**62), 0, rest)
    first = of_whole_numbers(fewer, rest)
    own = _own(symbols, labels, numbers)
    less = _own(symbols, fewer, rest)
    return applied(
        symbols,
        lambda a, b, c: a - b + c,
        total_form(symbols, first),
        less,
        own,
    )


def _own(symbols: Symbols, pair: Labels, weights: Array) -> Form:
    """The weight of the position itself."""
    labels = tuple(sorted({(0, s) for _, s in pair}))
    index = np.indices(symbols.shape(labels))
    at = [index[labels.index((0, s))] for _, s in pair]
    own = of_whole_numbers(labels, weights[tuple(at)])
    return collapsed(symbols, own)


def _kept(symbols: Symbols, labels: Labels, numbers: Array) -> Form:
    """A sum as the form of its symbol, or of those that it is the sum of."""
    key = ("total", symbols.asking, labels, as_key(numbers))
    if key not in symbols.known:
        limits = _limits(symbols, labels, numbers)
        found = _certain(symbols, limits)
        if found is None:
            found = of_known(symbols, labels, numbers)
        if found is None:
            new = _new(symbols, labels, numbers, limits)
            found = variable(symbols, new)
            _compare(symbols, (labels, numbers, found), new)
        symbols.known[key] = found
    form: Form = symbols.known[key]
    return form


def _compare(symbols: Symbols, total: KnownTotal, new: int) -> None:
    """Learn what a new sum, of weights from 0 on, says of those that are known, and of choices."""
    parts = symbols.totals
    for other in parts[-_MOST_BESIDE:]:
        _beside(symbols, total, other)
    _to_choices(symbols, (*total[:2], new))
    parts.append(total)


def _limits(symbols: Symbols, labels: Labels, numbers: Array) -> TotalBounds:
    """What a sum is at least and at most."""
    found = sums_of(symbols, labels, numbers)
    if found is None:
        return bounds_of(symbols, labels, numbers)
    known = symbols.possible(found[0])
    return TotalBounds(found[0], found[1], found[2], known)


def _beside(symbols: Symbols, one: KnownTotal, other: KnownTotal) -> None:
    """Learn by how much two sums differ, and what they are together, at least and at most."""
    wide = tuple(sorted({*one[0], *other[0]}))
    pairs = np.prod([len(symbols.all[s].values) for _, s in wide])
    if pairs > _MOST_BESIDE_PAIRS:
        return
    a, b = (spread(part[1], part[0], wide) for part in (one, other))
    for sign in (1, -1):
        both = np.broadcast_to(a - sign * b, symbols.shape(wide))
        _learn_both(symbols, one, other, sign, _limits(symbols, wide, both))


def _to_choices(symbols: Symbols, total: tuple[Labels, Array, int]) -> None:
    """Learn what it says of the choices that are known."""
    for picked, symbol in enumerate(symbols.all):
        if symbol.choice is not None:
            choice = symbols.known["levels", symbol.choice[0]]
            linked(symbols, choice, picked, total)


def _learn_both(
    symbols: Symbols,
    one: KnownTotal,
    other: KnownTotal,
    sign: int,
    found: TotalBounds,
) -> None:
    ((_, x),), ((_, y),) = one[2].labels, other[2].labels
    count, beside = (np.arange(len(symbols.all[s].values)) for s in (x, y))
    sums = count[:, None] - sign * beside[None, :]
    low = np.where(found.known, found.low, _FAR)
    high = np.where(found.known, found.high, -_FAR)
    kept = [q for q in found.labels if q[1] not in (x, y)]
    fewer = [q for q in kept if q[1] == symbols.seen]
    for labels in (kept, fewer):
        rest = tuple(i for i, q in enumerate(found.labels) if q not in labels)
        least, most = low.min(axis=rest), high.max(axis=rest)
        if least.size * sums.size <= _MOST_LEARNT:
            inside = (sums >= least[..., None, None]) & (
                sums <= most[..., None, None]
            )
            symbols.learn([*(s for _, s in labels), x, y], inside)
            return


def _certain(symbols: Symbols, found: TotalBounds) -> Form | None:
    """A sum that is what its bounds are, where those are the same; else None."""
    if not found.certain:
        return None
    if not found.known.all():
        symbols.learn([s for _, s in found.labels], found.known)
    return collapsed(symbols, of_whole_numbers(found.labels, found.low))


def _new(
    symbols: Symbols, labels: Labels, numbers: Array, found: TotalBounds
) -> int:
    """A symbol of its own, and what is known of it."""
    most = int(found.high[found.known].max(initial=0))
    if most >= _MOST_VALUES:
        raise Rejected("a sum has too many values")
    values = tuple(range(most + 1))
    everywhere = not symbols.causal and all(
        symbols.all[s].everywhere for side, s in labels if side == 0
    )
    # a comparison is one with who asks
    everywhere = everywhere and not compared_in(symbols, labels)
    first = first_rank(symbols, labels, numbers)
    new = symbols.add(LaneSymbol(values, everywhere, first))
    count = np.arange(most + 1)
    if first is not None:
        seen = symbols.number_seen()[:, None] + first
        symbols.learn((symbols.seen, new), (count >= first) & (count < seen))
    symbols.known["weights", new] = labels, numbers
    _learn(symbols, new, found, count)
    return new


def _learn(
    symbols: Symbols, new: int, found: TotalBounds, count: Array
) -> None:
    """That a sum is between its bounds: by all that they depend on, where that is little."""
    size = found.low.size * len(count)
    asked = [tuple(range(found.low.ndim))]
    if size > _MOST_LEARNT:
        where = [(0, symbols.seen), (0, AT_END)]
        at = [found.labels.index(x) for x in where if x in found.labels][:1]
        asked = [(i, *at) for i in asked[0] if i not in at]
    for kept in asked:
        rest = tuple(i for i in range(found.low.ndim) if i not in kept)
        low = np.where(found.known, found.low, _FAR).min(axis=rest)
        high = np.where(found.known, found.high, -_FAR).max(axis=rest)
        inside = (count >= low[..., None]) & (count <= high[..., None])
        labels = [found.labels[i][1] for i in sorted(kept)]
        symbols.learn((*labels, new), inside)
