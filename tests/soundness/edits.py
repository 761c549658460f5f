"""Random edits of certificates: none that is accepted says something untrue, and each is
decided soon.

    python tests/soundness/edits.py [--edits 100000] [--seed 0]

Small programs are proved, their certificates edited as JSON: numbers nudged, entries deleted,
doubled, swapped, moved, of another type, one to three edits at once, and then read and checked
as `verify --check` does. What is accepted must state what is true of the model: the contexts
that there are, at most the margin and at least the error that an enumeration finds. Rules of
this file: any exception but a rejection or an error about the file is a failure.
"""

from __future__ import annotations

import copy
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from handcraft import (
    MLP,
    Block,
    Head,
    Neuron,
    Program,
    after,
    answers,
    distribution,
    position,
    residual,
    scratch,
    token,
)
from handcraft.claims.transducer import transducer
from handcraft.core.errors import ProgramError, WeightsError
from handcraft.model import Model
from handcraft.proof import verify
from handcraft.proof.checker import Rejected, check
from handcraft.proof.checker.certificate import certificate_json, from_json
from handcraft.proof.prover.recorder import Recorder
from handcraft.recipes import addresses, attend_to, attend_where, mean
from handcraft.sequence.words import (
    count,
    end,
    here,
    latest,
    lookup,
    most,
    own,
    ratio,
    token_at,
    total,
)

# ------------------------------------------------------------ the programs


def _pair() -> Program:
    p, t, v = position(3), token("ab"), scratch("v")
    pair = Head(
        query=1024 * (p + p.previous),
        key=p,
        value={v: t["a"] - t["b"]},
        adds={t["a"]: 1024 - 1024 * v, t["b"]: 1024 * v},
    )
    return Program(
        name="pair",
        embedding=(p, t, v),
        layers=(pair,),
        claim=after({"aa": "b", "ab": "a", "ba": "a"}),
    )


def _copy_previous() -> Program:
    at, now, before = (
        position(3, p=lambda i: i, pp=lambda i: i * i),
        token("ab"),
        scratch("before", "ab"),
    )
    follower = Head(
        query={before: 2**10 * now, at["p"]: 24},
        value={now: now},
        adds={now: 50 * now},
        scores="exact",
    )
    layers = (attend_to(at, at["p"] - 1, value={before: now}), follower)
    return Program(
        name="follow",
        embedding=(at, now, before),
        layers=layers,
        claim=token_at(latest({-1: own})),
    )


def _copying() -> Program:
    at, t, equals = addresses(5), token("^=ab"), scratch("equals")
    find = attend_where(
        {t["="]: 1}, value={equals: at["p"]}, at=at, prefer="first"
    )
    read = attend_to(at, at["p"] - equals + 1, value=t, adds=50 * t)
    claim = answers(
        r"\^[ab]{0,1}=", token_at(here - end + 1), length=end, stop="="
    )
    return Program(
        name="copying",
        embedding=(at, t, equals),
        layers=(find, read),
        claim=claim,
    )


def _average() -> Program:
    t, average = token("013"), scratch("mean")
    rule = ratio(total({d: int(d) for d in "013"}), here + 1)
    layer = mean({average: 1 * t["1"] + 3 * t["3"]})
    return Program(
        name="average",
        embedding=(t, average),
        layers=(layer,),
        n_ctx=3,
        claim=residual(average.lanes[0], rule, tolerance=5e-5),
    )


def _own_token() -> Program:
    p, t = position(2), token("abc")
    look = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={t["a"]: 64 * t["b"], t["b"]: 64 * t["c"], t["c"]: 64 * t["a"]},
    )
    return Program(
        name="ring",
        embedding=(p, t),
        layers=(look,),
        claim=after({"a": "c", "b": "a", "c": "b"}),
    )


def _either() -> Program:
    """After a the tokens b and c are equal, and either may follow."""
    p, t = position(2), token("abc")
    look = Head(
        query=1024 * p,
        key=p,
        value=t,
        output={
            t["a"]: 64 * t["b"] + 64 * t["c"] - t["a"],
            t["b"]: 64 * t["a"] - t["b"],
            t["c"]: 64 * t["a"] - t["c"],
        },
    )
    return Program(
        name="either",
        embedding=(p, t),
        layers=(look,),
        claim=after({"a": {"b", "c"}, "b": "a", "c": {"a", "b"}}),
    )


def _table() -> Program:
    p, t = position(3), token("ab=")
    look = Head(
        query=1024 * p,
        key=p,
        value={t["a"]: p[1], t["b"]: p[2]},
        adds={t["a"]: 64 * t["a"], t["b"]: 64 * t["b"]},
    )
    return Program(
        name="table",
        embedding=(p, t),
        layers=(look,),
        claim=answers("[ab]=", {"a=": "ab", "b=": "ab"}),
    )


def _machine() -> Program:
    p, t = position(2), token("ab=")
    m = Head(
        query={p[1]: 1024.0 * p[1]},
        key={p[1]: p[0]},
        value=t,
        adds={t["b"]: 64 * t["a"], t["a"]: 64 * t["b"]},
    )
    claim = answers(
        "[ab]=",
        transducer(end - 1, {(0, "a"): ("b", 0), (0, "b"): ("a", 0)}, start=0),
        length=1,
    )
    return Program(name="machine", embedding=(p, t), layers=(m,), claim=claim)


def _count() -> Program:
    p, t, v = position(3), token("ab"), scratch("v")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value={v: t["b"]},
        adds={t["b"]: 64 * v, t["a"]: 5},
    )
    rule = lookup({0: "a", 1: "b", 2: "b", 3: "b"}, count({0: "b"}))
    return Program(
        name="count", embedding=(p, t, v), layers=(vote,), claim=rule
    )


def _votes() -> Program:
    p, t = position(2), token("abcd")
    vote = Head(
        query=0 * p,
        key=0 * p,
        value=t,
        adds={t[c]: 64 * t[c] + 40 - 10 * i for i, c in enumerate("abcd")},
    )
    return Program(
        name="votes",
        embedding=(p, t),
        layers=(vote,),
        claim=most({c: count({0: c}) for c in "abcd"}),
    )


def _neurons() -> Program:
    p, t, v = position(2), token("ab"), scratch("v")
    look = Head(query=1024 * p, key=p, value={v: t["a"]}, adds={v: v})
    tell = MLP([Neuron(when=16 * v - 8, adds={t["a"]: 8})], adds={t["b"]: 4})
    return Program(
        name="neurons",
        embedding=(p, t, v),
        layers=(Block([look], tell),),
        claim=after({"a": "a", "b": "b"}),
    )


def _chances() -> Program:
    p, t = position(2), token("ab")
    flat = Head(
        query=1024 * p,
        key=p,
        value={t["a"]: t["b"], t["b"]: t["a"]},
        adds={t["a"]: 1 * t["a"], t["b"]: 1 * t["b"]},
    )
    claim = distribution(
        {"a": {"a": 0.5, "b": 0.5}, "b": {"a": 0.5, "b": 0.5}}, tolerance=1e-3
    )
    return Program(
        name="chances", embedding=(p, t), layers=(flat,), claim=claim
    )


def _first() -> Program:
    p, t, v = position(3), token("ab"), scratch("v")
    look = Head(query={v: 1024.0}, key={v: p[0]}, value=t, adds=64 * t)
    return Program(
        name="first", embedding=(p, t, v), layers=(look,), claim=token_at(0)
    )


PROGRAMS: tuple[Callable[[], Program], ...] = (
    _pair,
    _copy_previous,
    _copying,
    _average,
    _own_token,
    _either,
    _table,
    _machine,
    _count,
    _votes,
    _neurons,
    _chances,
    _first,
)


@dataclass(frozen=True)
class Honest:
    """A program's certificate as JSON, and what is true: contexts, how many of them are
    checked, margin or error.
    """

    model: Model
    data: dict[str, Any]
    contexts: int
    checked: int
    margin: float
    error: float | None


def honest(make: Callable[[], Program]) -> Honest:
    """What is true of a program by an enumeration, and its certificate. Raises Undecided where
    it has none.
    """
    model = make().build()
    claim: Any = model.program.claim if model.program else None
    recorded = Recorder(model, claim, math.inf, lambda *_: None).recorded()
    report = verify(model, methods=["exhaustive"])
    assert report.verdict == "checked"
    error = (
        report.max_lane_error
        if report.max_lane_error is not None
        else report.max_probability_error
    )
    margin = math.inf if report.min_margin is None else report.min_margin
    data = json.loads(json.dumps(certificate_json(recorded.certificate)))
    return Honest(
        model,
        data,
        recorded.certificate.contexts,
        recorded.certificate.checked,
        margin,
        error,
    )


# ------------------------------------------------------------ the edits


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every list or object with a key of it."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        found.append((value, key))
        _places(inner, found)
    return found


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    2,
    3,
    0.5,
    1e9,
    1e299,
    2**31,
    2**70,
    "a",
    "",
    [],
    {},
    [0],
    [[0]],
    [[[0, 0]]],
    float("nan"),
    math.inf,
)


def edit(data: dict[str, Any], random: Random) -> str:
    """One edit in place, and what it is called."""
    if not data:
        return "nothing"
    evidence = [
        part
        for part in ("sections", "sections", "earlier", "groups")
        if part in data
    ]
    part = random.choice(
        evidence if evidence and random.random() < 0.7 else list(data)
    )
    places = _places(data[part], [(data, part)])
    numbers = [
        (owner, key)
        for owner, key in places
        if type(owner[key]) in (int, float)
    ]
    owner, key = random.choice(
        numbers if numbers and random.random() < 0.6 else places
    )
    kind = random.choice(
        OF_NUMBERS
        if type(owner[key]) in (int, float) and random.random() < 0.9
        else EDITS
    )
    kind(owner, key, random)
    return kind.__name__.strip("_")


def _nudged(owner: Any, key: Any, random: Random) -> None:
    value = owner[key]
    if type(value) not in (int, float):
        owner[key] = [value]
    elif isinstance(value, int):
        owner[key] = value + random.choice([-1, -1, 1, 1, 2, 1000])
    else:
        owner[key] = random.choice(
            [
                value * 1.001,
                value * 0.5,
                value * 2,
                -value,
                value + 1,
                value - 1,
                value * 1e6,
            ]
        )


def _deleted(owner: Any, key: Any, random: Random) -> None:
    del owner[key]


def _doubled(owner: Any, key: Any, random: Random) -> None:
    if isinstance(owner, list):
        owner.insert(key, copy.deepcopy(owner[key]))
    else:
        owner[f"{key}2"] = copy.deepcopy(owner[key])


def _swapped(owner: Any, key: Any, random: Random) -> None:
    other = random.choice(
        list(range(len(owner)) if isinstance(owner, list) else owner)
    )
    owner[key], owner[other] = owner[other], owner[key]


def _copied(owner: Any, key: Any, random: Random) -> None:
    other = random.choice(
        list(range(len(owner)) if isinstance(owner, list) else owner)
    )
    owner[key] = copy.deepcopy(owner[other])


def _odd(owner: Any, key: Any, random: Random) -> None:
    owner[key] = copy.deepcopy(random.choice(ODD))


def _small(owner: Any, key: Any, random: Random) -> None:
    value = owner[key]
    owner[key] = (
        random.randint(0, 3)
        if isinstance(value, int)
        else value[:-1]
        if isinstance(value, list)
        else random.choice("ab=")
    )


OF_NUMBERS = (_nudged, _nudged, _small, _swapped, _copied, _doubled, _deleted)
EDITS = (
    _nudged,
    _nudged,
    _deleted,
    _doubled,
    _swapped,
    _copied,
    _odd,
    _small,
    _small,
)


# ------------------------------------------------------------ the check


@dataclass
class Tried:
    """What came of edits: how many were accepted, rejected, no certificate; the longest time;
    what was untrue.
    """

    said: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    untrue: list[str] = field(default_factory=list)


def attempt(own: Honest, random: Random, tried: Tried) -> None:
    """One to three edits of a certificate, read and checked."""
    data = copy.deepcopy(own.data)
    names = [edit(data, random) for _ in range(random.randint(1, 3))]
    start = time.process_time()
    try:
        certificate = from_json(data)
        found = check(own.model, certificate)
    except Rejected:
        tried.said["rejected"] += 1
    except (ProgramError, WeightsError):
        tried.said["no certificate"] += 1
    except Exception as error:
        tried.untrue.append(
            f"{own.model.name}: {names}: {type(error).__name__}: {error}"
        )
    else:
        tried.said["accepted"] += 1
        stated = (
            certificate.margin,
            certificate.error,
            certificate.contexts,
            certificate.checked,
        )
        if not _true(own, stated) or not _true(
            own, (found.margin, found.error, found.contexts, found.checked)
        ):
            tried.untrue.append(
                f"{own.model.name}: {names}: accepted, but it states {stated}"
            )
    tried.longest = max(tried.longest, time.process_time() - start)


def _true(own: Honest, stated: tuple[float | None, float, int, int]) -> bool:
    margin, error, contexts, checked = stated
    right = own.error is None or error >= own.error * (1 - 1e-9)
    right = right and (
        own.error is not None
        or (math.inf if margin is None else margin) <= own.margin
    )
    return right and (contexts, checked) == (own.contexts, own.checked)


def run(edits: int, seed: int = 0) -> Tried:
    """So many edits, spread evenly over the programs."""
    tried, programs = Tried(), [honest(make) for make in PROGRAMS]
    with np.errstate(all="ignore"):
        for number in range(edits):
            attempt(
                programs[number % len(programs)],
                Random(f"{seed} {number}"),
                tried,
            )
    return tried


def main() -> int:
    """Runs them, says what came of them."""
    words = sys.argv[1:]
    asked = {
        name: (
            int(words[words.index(f"--{name}") + 1])
            if f"--{name}" in words
            else default
        )
        for name, default in (("edits", 100_000), ("seed", 0))
    }
    tried = run(asked["edits"], asked["seed"])
    print(
        f"{asked['edits']} edits: {dict(tried.said)}; the longest took"
        f" {tried.longest:.2f} s of CPU time"
    )
    print(
        "\n".join(tried.untrue[:20])
        or "none that was accepted says something untrue"
    )
    return bool(tried.untrue)


if __name__ == "__main__":
    sys.exit(main())
