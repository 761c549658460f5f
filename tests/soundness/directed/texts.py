"""Wrong by what a claim means: where texts end, how they are spelled, what may be answered,
which tokens are alike.

The model gives the next letter of a ring after each, or copies; the claim agrees with it but in
one respect. Rules of this file: no weight here is near any limit, so that what is missed is
missed by who reads the claim.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from directed.overflow import Right
from directed.rounding import LETTERS
from directed.wrong import Wrong
from handcraft import (
    Head,
    after,
    answers,
    local,
    position,
    residual,
    scratch,
    slot,
    token,
    transducer,
)
from handcraft.sequence.words import (
    below,
    cases,
    count,
    end,
    equal,
    first,
    here,
    latest,
    lookup,
    most,
    otherwise,
    own,
    state,
    step,
    token_at,
)


class Ring(Right):
    """The ring, and the rule that says so."""

    def __init__(self, random: Random, *, longest: int = 5) -> None:
        super().__init__(random, longest=longest)
        self.rule = lookup(self.after, own)

    def other(self, text: Any) -> str:
        """A token that the ring does not give after this one."""
        return self.random.choice(
            [x for x in self.tokens if x != self.after[text[-1]]]
        )

    def text(self, n: int) -> tuple[str, ...]:
        """So many tokens."""
        return tuple(self.random.choices(self.tokens, k=n))

    def against(
        self, claim: Any, context: Any, claimed: Any, **more: Any
    ) -> Wrong:
        """The ring held to this claim."""
        fields = {
            "embedding": (self.p, self.t, self.v, self.w, self.x),
            "layers": (self.head,),
        }
        return Wrong(fields, claim, tuple(context), claimed, **more)


def edges(random: Random) -> Wrong:
    """Right everywhere but at an edge: after one token, at the last position, after the longest
    prompt or the shortest.
    """
    m = Ring(random)
    at = random.choice([1, m.n, m.n])
    text = m.text(at)
    odd = m.other(text)
    kind = random.choice(["place", "whole", "prompt"])
    if kind == "place":
        rule = cases((equal(here, at - 1) * equal(own, text[-1]), odd), m.rule)
        return m.against(lambda: rule, text, odd)
    if kind == "whole" and at == m.n:
        return m.against(
            lambda: after({**dict(m.after.items()), text: odd}), text, odd
        )
    every = f"[{''.join(m.tokens)}]{{1,{m.n}}}"
    rule = cases((equal(end, at - 1) * equal(own, text[-1]), odd), m.rule)
    return m.against(lambda: answers(every, rule, length=1), text, odd)


def spelling(random: Random) -> Wrong:
    """A text can be written with two tokens or with one: the model knows one way, who counts
    tokens sees both.
    """
    a, b = random.sample(LETTERS, 2)
    more = random.choice([a + b, a + a, b + a])
    n = random.randint(2, 4)
    p, t = position(n), token([a, b, more])
    odd = random.choice([a, b])
    head = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={t[b]: 8 * t[a] + 8 * t[more], t[a]: 8 * t[b]},
    )
    rule = lookup({a: b, b: a, more: odd}, own)
    fields = {"embedding": (p, t), "layers": (head,)}
    longer = (
        a * (n + 1) if more != a + a else b * (n + 1)
    )  # has no room in the window
    prompts = random.choice(
        [f"{more}|{longer}", f"{more}|{longer}|{longer}{a}"]
    )
    return Wrong(
        fields, lambda: answers(prompts, rule, length=1), (*longer,), None
    )


def types(random: Random) -> Wrong:
    """A number where a token is asked, or a token where a number is: an id stands for either,
    if one lets it.
    """
    m = Ring(random)
    numbers = {c: i for i, c in enumerate(m.tokens)}
    if random.random() < 0.5:  # the lane holds the id of the last token
        fields = {
            "embedding": (m.p, m.t, m.v),
            "layers": (
                Head(
                    query=1024 * m.p,
                    key=m.p,
                    value={
                        m.v: sum(
                            (i * m.t[c] for c, i in numbers.items()),
                            start=0 * m.p[0],
                        )
                    },
                    adds={m.v: m.v},
                ),
            ),
        }
        rule = random.choice(
            [
                own,
                token_at(here),
                otherwise(own, 0),
                lookup({c: c for c in m.tokens}, own),
            ]
        )
        return Wrong(
            fields, lambda: residual("v", rule), m.text(1), None, lane="v"
        )
    ids = {c: numbers[x] for c, x in m.after.items()}
    rule = random.choice(
        [
            lookup(ids, own),
            cases((equal(here, 0), lookup(ids, own)), m.rule),
            otherwise(lookup(ids, own), m.tokens[0]),
        ]
    )
    if random.random() < 0.5:
        return m.against(lambda: rule, m.text(1), None)
    return m.against(
        lambda: answers(f"[{''.join(m.tokens)}]{{1,{m.n}}}", rule, length=1),
        m.text(1),
        None,
    )


def lengths(random: Random) -> Wrong:
    """Answers of several lengths that nothing ends, of no length, or longer than the window is."""
    m = Ring(random)
    a = random.choice(m.tokens)
    prompts, n = f"[{''.join(m.tokens)}]{{1,{random.randint(1, m.n)}}}", m.n
    kind = random.choice(["table", "none", "window", "transducer"])
    if kind == "table":
        ring = {x: m.after[x] for x in m.tokens}
        ring[a] = m.after[a] + m.after[m.after[a]]  # of two tokens
        return m.against(
            lambda: answers(f"[{''.join(m.tokens)}]", ring), (a,), None
        )
    if kind == "none":
        less = random.choice([end, end - 1, 0 * end, end * (1 - end)])
        return m.against(
            lambda: answers(prompts, m.rule, length=less), (a,), None
        )
    if kind == "window":
        long: Any = random.choice([n + 1, n + 2, end + n + 1])
        return m.against(
            lambda: answers(f"[{''.join(m.tokens)}]", m.rule, length=long),
            (a,),
            None,
        )
    rows = {(0, x): (m.after[x], 0) for x in m.tokens}
    return m.against(
        lambda: answers(
            f"[{''.join(m.tokens)}]{{{n}}}",
            transducer(step, rows, start=0),
            length=2,
        ),
        m.text(n),
        None,
    )


def stops(random: Random) -> Wrong:
    """The stop token stands before the end of an answer, or not at its end."""
    p, m = position(6), local("m", "012")
    a, b, stop = *random.sample(LETTERS, 2), ";"
    t = token([a, b, stop])
    look = Head(  # position 1 asks for 0, 2 for 1, 3 for the constant
        query={m["0"]: 1024 * p[1], m["1"]: 1024 * p[2], m["2"]: 1024 * p[3]},
        key={m["0"]: p[0], m["1"]: p[1], m["2"]: p[3]},
        value={m["0"]: t[a] - 2 * p[3], m["1"]: t[b] - 2 * p[3], m["2"]: p[3]},
        adds={t[b]: 8 * m["0"], t[stop]: 8 * m["1"] + 32 * m["2"]},
    )
    fields = {"embedding": (p, t), "layers": (look,)}
    kind = random.choice(["early", "never", "rule"])
    if kind == "rule":  # it stops after one token of two
        rule = cases((equal(here, end), stop), b)
        return Wrong(
            fields,
            lambda: answers(f"[{a}{b}]{{2}}", rule, length=2, stop=stop),
            (a, a),
            None,
        )
    early = kind == "early"
    rows = {(0, a): (b, 0), (0, b): (stop if early else a, 0)}
    flip = transducer(step, rows, start=0)
    prompts = f"[{a}{b}]{{2}}" if early else f"[{a}{b}]{{1,2}}"
    return Wrong(
        fields,
        lambda: answers(prompts, flip, length=3, stop=stop if early else b),
        (b, b),
        None,
    )


def roles(random: Random) -> Wrong:
    """Two tokens are one for the model and nearly for the claim, which tells them apart at one
    place.
    """
    letters = random.sample(LETTERS, random.randint(4, 5))
    n, twins, others = random.randint(2, 4), letters[:2], letters[2:]
    random.shuffle(letters)
    kinds = {x: "both" if x in twins else x for x in letters}
    labels = list(dict.fromkeys(kinds.values()))
    p, t = (
        position(n),
        slot(
            "kind",
            token={
                x: [float(kinds[x] == label) for label in labels]
                for x in letters
            },
            labels=labels,
        ),
    )
    answered = {label: random.choice(others) for label in labels}
    ring = {x: answered[kinds[x]] for x in letters}
    head = Head(
        query=1024 * p,
        key=p,
        value=t,
        adds={
            t[c]: sum(
                (4096 * t[a] for a, b in answered.items() if b == c),
                start=0 * t[c],
            )
            for c in others
        },
    )
    odd = random.choice([x for x in others if x != ring[twins[1]]])
    text = tuple(random.choices(letters, k=n))
    context = (*text[: n - 1], twins[1])
    kind = random.choice(["last", "earlier", "counted", "state"])
    rule = cases(
        (equal(here, n - 1) * equal(own, twins[1]), odd), lookup(ring, own)
    )
    if kind == "earlier":
        rule = cases(
            (equal(token_at(0), twins[1]) * equal(here, n - 1), odd),
            lookup(ring, own),
        )
        context = (twins[1], *text[1:])
        odd = (
            odd
            if odd != ring[context[-1]]
            else next(x for x in others if x != ring[context[-1]])
        )
        rule = cases(
            (
                equal(token_at(0), twins[1])
                * equal(here, n - 1)
                * equal(own, context[-1]),
                odd,
            ),
            lookup(ring, own),
        )
    if kind == "counted":
        rule = cases((equal(count({0: twins[1]}), n), odd), lookup(ring, own))
        context = (twins[1],) * n
    if kind == "state":
        delta: Mapping[str, Mapping[str, str]] = {
            str(i): {twins[1]: str(i + 1)} for i in range(n)
        }
        rule = cases((equal(state(delta, "0"), str(n)), odd), lookup(ring, own))
        context = (twins[1],) * n
    fields = {"embedding": (p, t), "layers": (head,)}
    return Wrong(fields, lambda: rule, context, odd)


def selections(random: Random) -> Wrong:
    """A selection that is off by one place: what stands before, at a distance, at every other
    position, first or last.
    """
    m = Ring(random)
    every, text = {0: tuple(m.tokens)}, m.text(random.randint(2, m.n))
    kind = random.choice(
        ["before", "offset", "every", "first", "latest", "guess", "ahead"]
    )
    one = text[:1]
    if kind == "before":  # before the first position there is none
        odd = m.other(one)
        rule = cases(
            (equal(count(every, before=here), 0) * equal(own, one[0]), odd),
            m.rule,
        )
        return m.against(lambda: rule, one, odd)
    if kind == "offset":  # nothing stands before the first
        odd = m.other(one)
        rule = cases(
            (equal(count({-1: tuple(m.tokens)}), 0) * equal(own, one[0]), odd),
            m.rule,
        )
        return m.against(lambda: rule, one, odd)
    if kind == "every":
        start = m.n - 1
        odd, context = "", m.text(m.n)
        odd = m.other(context)
        rule = cases(
            (
                below(0, count(every, every=(start, 2)))
                * equal(own, context[-1]),
                odd,
            ),
            m.rule,
        )
        return m.against(lambda: rule, context, odd)
    if kind == "first":
        odd, context = m.other(text), (*text[:-1], text[-1])
        rule = cases(
            (
                equal(first({0: tuple(m.tokens)}), here - len(context) + 1)
                * equal(here, len(context) - 1)
                * equal(own, context[-1]),
                odd,
            ),
            m.rule,
        )
        return m.against(lambda: rule, context, odd)
    if kind == "latest":
        odd = m.other(text)
        rule = cases(
            (
                equal(latest(every, before=here), len(text) - 2)
                * equal(own, text[-1]),
                odd,
            ),
            m.rule,
        )
        return m.against(lambda: rule, text, odd)
    if (
        kind == "guess"
    ):  # how often the last token stood before: the count of a guessed token
        odd = m.other(one)
        text = one * random.randint(2, m.n)
        rule = cases(
            (
                equal(count({0: own}, before=here), len(text) - 1)
                * equal(own, one[0]),
                odd,
            ),
            m.rule,
        )
        return m.against(lambda: rule, text, odd)
    odd = m.other(text)
    rule = cases(
        (
            equal(token_at(len(text) - 1), text[-1])
            * equal(here, len(text) - 1),
            odd,
        ),
        m.rule,
    )
    return m.against(lambda: rule, text, odd)


def preferences(random: Random) -> Wrong:
    """The greatest of a few counts: of equals the first named, which is not the one that the
    model prefers.
    """
    letters, n = (
        random.sample(LETTERS, random.randint(2, 3)),
        random.randint(2, 5),
    )
    p, t, v = position(n), token(letters), scratch("v")
    vote = Head(
        query={v: 0 * p[0]},
        key={v: 0 * p[0]},
        value=t,
        adds={t[c]: 64 * t[c] + i / 8 for i, c in enumerate(letters)},
    )
    rule = most({c: count({0: c}) for c in letters})
    a, b = letters[0], letters[-1]
    return Wrong(
        {"embedding": (p, t, v), "layers": (vote,)}, lambda: rule, (a, b), a
    )
