"""A claim as cases: small machines that read a context token by token and then know what must follow.

Each case covers some contexts, and every context of the claim's domain is covered by one. A case may fix beforehand
what a left-to-right reading cannot know: where the prompt ends, how long the context is, what the last token is. Such
a guess is checked in the end; a context for which it is wrong belongs to another case.

    step(state, k, token)            the state after the k-th token that is read; None outside the domain
    expected(state, level, token)    what must follow a context that ends here: a token's id, a row of probabilities
                                     or a number; None where the claim is silent; OUT in another case

Tokens are read from left to right, or in the case's own `order` of positions. Behind the end of a prompt any token is
allowed that the claim can answer: a rule that holds for all of these holds for the right one. Rules of this file:
data in, Python out; never the weights. What a plain function decides is Undecided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from copy import copy
from itertools import product
from typing import Any

from handcraft.answering import Table
from handcraft.callbacks import Callback
from handcraft.claims import After, Answers, Claim, Distribution
from handcraft.expressions import Expression, combine
from handcraft.model import Model
from handcraft.prompts import START, Language
from handcraft.proof.certificate.network import Undecided
from handcraft.proof.certificate.trackers import Tracker, track, values_of
from handcraft.transducers import Transducer

OUT = "another case"
MOST_CASES = 20_000


class Case:
    """One case. `levels` are the positions at which a context can end."""

    levels: Sequence[int] = ()
    domain: Domain | None = None  # of several cases, which cover it together
    order: tuple[int, ...] | None = None
    start: Hashable = ()

    def step(self, state: Any, k: int, token: int) -> Any:
        """The state after one more token."""
        raise NotImplementedError

    def expected(self, state: Any, level: int, token: int) -> Any:
        """What must follow."""
        raise NotImplementedError

    def role(self, k: int, token: int) -> Hashable:  # noqa: ARG002
        """Tokens of one role, read as the k-th, lead every state to the same and leave the same expected."""
        return token

    def last(self, everything: Sequence[int]) -> list[int]:
        """The tokens with which a context of this case can end, at least."""
        return list(everything)

    def ending_at(self, levels: Sequence[int]) -> Case:  # noqa: ARG002
        """The same case for contexts that end at some of its levels only: it may remember less."""
        return self

    def counts(self, state: Any, level: int) -> bool:  # noqa: ARG002
        """Whether a context that ends here counts: every one, or of prompts with answers only the prompts."""
        return True

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:
        """For each position up to the last level the tokens it can hold, at least."""
        return [set(everything) for _ in range(max(self.levels, default=-1) + 1)]


def cases_of(claim: Claim, model: Model) -> Iterator[Case]:
    """The cases of a claim. Raises Undecided where it holds a plain function."""
    if isinstance(claim, After | Distribution):
        yield EndingCase(claim, model)
    elif isinstance(claim, Answers):
        yield from _answers(claim, model)
    elif isinstance(claim.function, Expression):
        lengths = range(model.n_ctx) if _fixes(claim.function) else [None]
        yield from _expressions(claim.function, model, [Domain(model, here) for here in lengths])
    else:
        raise by_function(claim.function)


def by_function(callback: Callback) -> Undecided:
    """A plain Python function cannot be proved."""
    return Undecided(f"the claim is the Python function '{callback.name}'; what a function decides is not proved")


def _answers(claim: Answers, model: Model) -> Iterator[Case]:
    how = claim.answer
    if isinstance(how, Callback):
        raise by_function(how)
    if isinstance(how, Table):
        yield TableCase(claim, model)
    elif isinstance(how, Transducer):
        for end in PromptDomain(claim, model).ends:
            yield from _aligned(claim, how, model, end)
    else:
        yield from _expressions(how, model, list(_domains(claim, how, model)))


# ------------------------------------------------------------ which contexts


class Domain:
    """Every context up to n_ctx, or those that end at one position."""

    end: int | None = None
    prompted = False  # whether a context that ends here is a prompt

    def __init__(self, model: Model, here: int | None = None) -> None:
        self.model, self.tokens, self.here = model, model.vocabulary.tokens, here
        self.levels: Sequence[int] = range(model.n_ctx) if here is None else [here]
        self.start: Any = ()

    def step(self, state: Any, position: int, token: int) -> Any:  # noqa: ARG002  # every token is allowed
        """The state after a token, None outside the domain."""
        return state

    def role(self, token: int) -> Hashable:  # noqa: ARG002
        """Tokens of one role are allowed alike."""
        return None

    def last(self, everything: Sequence[int]) -> set[int]:
        """The tokens with which a context can end, at least."""
        return set(everything)

    def complete(self, state: Any) -> bool:  # noqa: ARG002  # every context counts
        """Whether a context that leads here is one of the domain."""
        return True

    def size(self) -> int:
        """How many contexts it has: counted, state by state."""
        found, now, tokens = 0, {self.start: 1}, self.together()
        for position in range(max(self.levels, default=-1) + 1):
            after: Counter[Any] = Counter()
            for state, ways in now.items():
                for token, n in tokens:
                    if (reached := self.step(state, position, token)) is not None:
                        after[reached] += ways * n
            now = after
            found += sum(n for state, n in now.items() if self.complete(state)) if position in self.levels else 0
        return found

    def together(self) -> list[tuple[int, int]]:
        """One token of each role, and how many there are."""
        roles: dict[Hashable, list[int]] = {}
        for token in range(len(self.tokens)):
            roles.setdefault(self.role(token), []).append(token)
        return [(alike[0], len(alike)) for alike in roles.values()]

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:
        """For each position up to the last level the tokens it can hold."""
        return [set(everything) for _ in range(max(self.levels) + 1)]


class PromptDomain(Domain):
    """The prompts of a claim, each a context whose next token is asked; where they end is left open."""

    prompted = True

    def __init__(self, claim: Answers, model: Model) -> None:
        super().__init__(model)
        self.language: Language = claim.language(model.n_ctx, model.vocabulary)
        self.start = (START, 0)
        self.reached = self._reach()
        before = [{self.start}, *self.reached]
        self.read = [{t for s in states for t in range(len(self.tokens)) if self.step(s, j, t) is not None} for j, states in enumerate(before)]
        self.ends = [j for j, states in enumerate(self.reached) if any(self.language.accepts(s) for s, _ in states)]
        self.levels = self.ends
        after = ((t, self.step(s, j, t)) for j, states in enumerate(before) for s in states for t in self.read[j])
        self.closing = {t for t, state in after if state is not None and self.language.accepts(state[0])}

    def _reach(self) -> list[set[Any]]:
        """The states after each position."""
        found, now = [], {self.start}
        for position in range(self.model.n_ctx):
            steps = (self.step(s, position, t) for s in now for t in range(len(self.tokens)))
            now = {s for s in steps if s is not None}
            found.append(now)
        return found

    def step(self, state: Any, position: int, token: int) -> Any:  # noqa: ARG002
        text, used = self.tokens[token], state[1] + len(self.tokens[token])
        after = self.language.step(state[0], text)
        return (after, used) if after and used <= self.language.max_length and self.language.can_end(after, used) else None

    def role(self, token: int) -> Hashable:
        return self.language.role(self.tokens[token])

    def last(self, everything: Sequence[int]) -> set[int]:  # noqa: ARG002
        return self.closing

    def complete(self, state: Any) -> bool:
        return self.language.accepts(state[0])

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:  # noqa: ARG002
        return self.read[: max(self.levels) + 1]


class AnswerDomain(PromptDomain):
    """The prompts that end at one position, followed by so many tokens of an answer."""

    def __init__(self, whole: PromptDomain, answer: set[int], end: int, here: int) -> None:
        self.__dict__.update(whole.__dict__)
        self.answer, self.end, self.here = answer, end, here
        self.levels = [here]

    def step(self, state: Any, position: int, token: int) -> Any:
        if state == ():
            return state if token in self.answer else None
        after = super().step(state, position, token)
        if after is None or position < (self.end or 0):
            return after
        return () if self.language.accepts(after[0]) else None

    def role(self, token: int) -> Hashable:
        return super().role(token), token in self.answer

    def last(self, everything: Sequence[int]) -> set[int]:
        return super().last(everything) if self.here == self.end else self.answer

    def complete(self, state: Any) -> bool:
        return state == ()

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:  # noqa: ARG002
        end = self.end or 0
        return [*self.read[: end + 1], *(self.answer for _ in range(max(self.levels) - end))]


def _domains(claim: Answers, rule: Expression, model: Model) -> Iterator[Domain]:
    whole = PromptDomain(claim, model)
    if claim.length == 1 and not _fixes(rule):
        yield whole
        return
    alphabet = _outputs(rule, set().union(*whole.read), model)
    if claim.stop is not None:
        alphabet.discard(model.vocabulary.ids[claim.stop])
    for end in whole.ends:
        for i in range(_length(claim.length, end)):
            if end + i >= model.n_ctx:
                raise Undecided(f"the answer to a prompt of {end + 1} tokens does not fit the window")
            yield AnswerDomain(whole, alphabet, end, end + i)


def _length(length: int | Expression | None, end: int) -> int:
    """How many tokens answer a prompt that ends there. Raises Undecided where that depends on more."""
    if isinstance(length, Expression):
        value = Known({"end": end})(length)
        if not isinstance(value, int):
            raise Undecided("the length of the answer depends on more than the prompt's length")
        return value
    return length or 1


def _outputs(e: Any, prompt: set[int], model: Model) -> set[int]:
    """The tokens that a rule can answer, where `prompt` are those of prompts."""
    ids = model.vocabulary.ids
    if not isinstance(e, Expression):
        return {ids[e]} if e in ids else set()
    if e.op == "token_at":
        return set(prompt) if not isinstance(e.args[0], Expression) or e.args[0].op != "here" else set(ids.values())
    if e.op in ("lookup", "most"):
        return {ids[token] for token in e.tokens if token in ids}
    if e.op == "cases":
        values = [*e.args[1::2], *(e.args[-1:] if len(e.args) % 2 else ())]
        return set().union(*(_outputs(value, prompt, model) for value in values))
    if e.op == "otherwise":
        return set().union(*(_outputs(value, prompt, model) for value in e.args))
    return set(ids.values())


# ------------------------------------------------------------ the last tokens, a table, a transducer


class EndingCase(Case):
    """The last tokens decide."""

    def __init__(self, claim: After | Distribution, model: Model) -> None:
        vocabulary = model.vocabulary
        rows = claim.endings(vocabulary)
        self.rows: dict[tuple[int, ...], Any] = {
            tuple(vocabulary.ids[t] for t in ending): vocabulary.ids[value]
            if isinstance(value, str)
            else tuple(value.get(t, 0.0) for t in vocabulary.tokens)
            for ending, value in rows.items()
        }
        self.window, self.levels = max(map(len, self.rows)), range(model.n_ctx)
        self.needed: set[int] | None = None  # which positions are among the last ones somewhere

    def ending_at(self, levels: Sequence[int]) -> Case:
        found = copy(self)
        found.needed = {j for level in levels for j in range(level - self.window + 1, level + 1)}
        return found

    def step(self, state: tuple[int, ...], k: int, token: int) -> tuple[int, ...]:
        return (*state, token)[-self.window :] if self.needed is None or k in self.needed else ()

    def role(self, k: int, token: int) -> Hashable:
        return token if self.needed is None or k in self.needed else None

    def expected(self, state: tuple[int, ...], level: int, token: int) -> Any:  # noqa: ARG002
        return next((self.rows[state[i:]] for i in range(len(state)) if state[i:] in self.rows), None)


class TableCase(Case):
    """Every prompt has its answer written out: the machine knows the whole context."""

    def __init__(self, claim: Answers, model: Model) -> None:
        self.next: dict[tuple[int, ...], int] = {}
        self.known: set[tuple[int, ...]] = set()
        encode = model.vocabulary.encode
        language = claim.language(model.n_ctx, model.vocabulary)
        if language.size > MOST_CASES:
            raise Undecided(f"the table has more than {MOST_CASES} prompts")
        for prompt in language:
            asked, answer = encode(prompt), encode(claim.expected(prompt, model.vocabulary, model.n_ctx))
            whole = (*asked, *answer)
            self.known |= {whole[:i] for i in range(len(whole))}
            for i in range(len(asked), len(whole)):
                if self.next.setdefault(whole[:i], whole[i]) != whole[i]:
                    raise Undecided("the table answers a text in two ways: as a prompt, and as a prompt with the start of its answer")
        self.levels = sorted({len(context) - 1 for context in self.next})
        self.prompts = {tuple(encode(prompt)) for prompt in language}

    def step(self, state: tuple[int, ...], k: int, token: int) -> tuple[int, ...] | None:  # noqa: ARG002
        after = (*state, token)
        return after if after in self.known else None

    def expected(self, state: tuple[int, ...], level: int, token: int) -> Any:  # noqa: ARG002
        return self.next.get(state, OUT)

    def counts(self, state: tuple[int, ...], level: int) -> bool:  # noqa: ARG002
        return state in self.prompts

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:  # noqa: ARG002
        return [{context[i] for context in self.known if len(context) > i} for i in range(max(self.levels) + 1)]


class AlignedCase(Case):
    """A transducer, read in the order of its steps: the tokens of a step, then the token it wrote."""

    def __init__(self, how: Transducer, model: Model, shape: list[set[int]], end: int, steps: int, last: int | None) -> None:
        self.how, self.tokens, self.ids, self.shape = how, model.vocabulary.tokens, model.vocabulary.ids, shape
        self.end, self.levels, self.stop = end, [end + steps - 1], last
        reading = steps if last is None else steps - 1
        self.reads = [[Known({"end": end, "step": i})(e) for e in how.inputs] for i in range(reading)]
        asked = [place for places in self.reads for place in places]
        if any(not isinstance(p, int) or not 0 <= p <= end for p in asked) or len(set(asked)) < len(asked):
            raise Undecided("the transducer reads a position twice, or one outside the prompt")
        self.script: list[tuple[int, int | None]] = [(p, None) for p in range(end + 1) if p not in asked]
        for i, places in enumerate(self.reads):
            self.script += [(p, i) for p in places]
            self.script += [(end + 1 + i, -1 - i)] if i < steps - 1 else []
        self.order = tuple(p for p, _ in self.script)
        self.start = (how.start, ())

    def step(self, state: Any, k: int, token: int) -> Any:
        """The state: where the transducer stands, and what it read in this step; or the token that it wrote."""
        at, read = state
        place, i = self.script[k]
        if i is not None and i < 0:
            return (at, ()) if self.ids.get(read) == token else None
        if token not in self.shape[place]:
            return None
        if i is None:
            return state
        read = (*read, self.tokens[token])
        if len(read) < len(self.how.inputs):
            return at, read
        row = self.how.rows.get((at, *read))
        if row is None:
            raise Undecided(f"the transducer has no row for {(at, *read)}")
        return row[1], row[0]

    def expected(self, state: Any, level: int, token: int) -> Any:  # noqa: ARG002
        return self.stop if self.stop is not None else self.ids[state[1]]

    def counts(self, state: Any, level: int) -> bool:  # noqa: ARG002
        return level == self.end

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:  # noqa: ARG002
        written = {self.ids[token] for token in self.how.tokens}
        return [self.shape[i] if i <= self.end else written for i in range(max(self.levels) + 1)]


def _aligned(claim: Answers, how: Transducer, model: Model, end: int) -> Iterator[Case]:
    """The contexts of the prompts that end at one position: one case for each token of the answer."""
    shape = _shape(claim, model, end)
    length = _length(claim.length, end)
    for steps in range(1, length + 1):
        stop = model.vocabulary.ids[claim.stop] if claim.stop is not None and steps == length else None
        yield AlignedCase(how, model, shape, end, steps, stop)


def _shape(claim: Answers, model: Model, end: int) -> list[set[int]]:
    """Which tokens each position of a prompt can hold. Raises Undecided where they depend on each other."""
    whole, shape = PromptDomain(claim, model), list[set[int]]()
    language, states = whole.language, {START}
    if not model.vocabulary.single:
        raise Undecided("tokens of several characters cannot be read in another order")
    for position in range(end + 1):
        steps = {(s, t): language.step(s, text) for s in states for t, text in enumerate(whole.tokens)}
        steps = {key: after for key, after in steps.items() if language.ends_in(after, end - position)}
        shape.append({t for _, t in steps})
        states = set(steps.values())
    count = language.lengths.get(end + 1, 0)
    for tokens in shape:
        count = count // len(tokens) if tokens and count % len(tokens) == 0 else -1
    if count != 1:
        raise Undecided("the tokens of a prompt depend on each other, so that it cannot be read in another order")
    return shape


# ------------------------------------------------------------ expressions


class Known:
    """The value of an expression that is fixed beforehand: by the length of the context, or by a guess."""

    def __init__(self, scope: dict[str, int | None], guesses: Sequence[tuple[Expression, Any]] = ()) -> None:
        self.scope, self.guesses = scope, guesses

    def __call__(self, e: Any) -> Any:
        if not isinstance(e, Expression):
            return e
        if e.op in self.scope:
            return self.scope[e.op]
        for guessed, value in self.guesses:
            if guessed == e:
                return value
        if e.op not in POINTWISE:
            raise Undecided(f"the claim's {e.op} must be known where it is not")
        return combine(e, [self(arg) for arg in e.args])


POINTWISE = ("add", "subtract", "multiply", "divide", "modulo", "equal", "below", "lookup", "otherwise", "cases", "most", "ratio")
FOLLOWED = ("first", "latest", "count", "total", "lowest", "state")


def _own(e: Any) -> bool:
    return isinstance(e, Expression) and e.op == "token_at" and isinstance(e.args[0], Expression) and e.args[0].op == "here"


def _reads_own(e: Any) -> bool:
    """Whether its value depends on the last token itself, other than through a condition."""
    return _own(e) or (isinstance(e, Expression) and e.op not in FOLLOWED and any(_reads_own(arg) for arg in e.args))


def _direct(e: Expression) -> bool:
    """Whether it is the token at a first or latest position."""
    return e.op == "token_at" and isinstance(e.args[0], Expression) and e.args[0].op in ("first", "latest")


def _fixes(e: Expression) -> bool:
    """Whether a context's length must be fixed beforehand: it stands in an address or a bound."""
    if _own(e):
        return False
    fixed = (e.before, *(e.args if e.op == "token_at" and not _direct(e) else ()))
    return any(isinstance(part, Expression) and _positional(part) for part in fixed) or any(_fixes(part) for part in e.parts)


def _positional(e: Expression) -> bool:
    return e.op in ("here", "end") or any(_positional(part) for part in e.parts)


def _guesses(e: Expression) -> list[Expression]:
    """What must be guessed, the inner first: tokens that a condition compares with, selections in an address."""
    found: list[Expression] = []

    def add(inner: Expression) -> None:
        for part in _guesses(inner):
            if part not in found:
                found.append(part)

    def guess(part: Any) -> None:
        if isinstance(part, Expression):
            add(part)
            if (part.op in FOLLOWED or part.op == "token_at" or part.op in ("lookup", "otherwise", "cases")) and _varies(part):
                found.extend([part] if part not in found else [])
            else:
                for arg in part.args:
                    guess(arg)

    if _own(e):
        return []
    for _, what in e.where:
        guess(what)
    guess(e.before)
    if e.op == "token_at" and not _direct(e):
        guess(e.args[0])
    for arg in e.args:
        if isinstance(arg, Expression):
            add(arg)
    return found


def _varies(e: Expression) -> bool:
    return e.op == "token_at" or e.op in FOLLOWED or any(_varies(part) for part in e.parts)


def _expressions(rule: Expression, model: Model, domains: Sequence[Domain]) -> Iterator[Case]:
    """A case for each domain and each guess."""
    tokens, guessed = model.vocabulary.tokens, _guesses(rule)
    options = [tokens if _own(g) else values_of(g, tokens, model.n_ctx) for g in guessed]
    count = len(domains)
    for values in options:
        count *= len(values)
    if count > MOST_CASES:
        raise Undecided(f"the claim falls into {count} cases, more than {MOST_CASES}")
    for domain in domains:
        for values in product(*options):
            yield ExpressionCase(rule, domain, list(zip(guessed, values, strict=True)))


class ExpressionCase(Case):
    """An expression over one domain, with guesses."""

    def __init__(self, rule: Expression, domain: Domain, guesses: list[tuple[Expression, Any]]) -> None:
        self.rule, self.domain, self.guesses = rule, domain, guesses
        self.tokens, self.ids = domain.tokens, domain.model.vocabulary.ids
        self.levels = domain.levels
        scope: dict[str, int | None] = {"here": domain.here} if domain.here is not None else {}
        if domain.end is not None or not domain.prompted:
            scope["end"] = domain.end
        self.known = Known(scope, guesses)
        self.followed: list[Expression] = []
        for e in (rule, *(guess for guess, _ in guesses)):
            self._collect(e)
        self.trackers: list[Tracker] = [track(e, self.known) for e in self.followed]
        self.start = (domain.start, *(t.start for t in self.trackers))
        self.reads_own = any(_reads_own(e) for e in (rule, *(e for e, _ in guesses)))

    def role(self, k: int, token: int) -> Hashable:
        text = self.tokens[token]
        own = token if self.reads_own and k in self.levels else None
        return own, self.domain.role(token), tuple(t.role(k, text) for t in self.trackers)

    def _collect(self, e: Expression) -> None:
        """The selections and tokens that the value is made of."""
        if _own(e) or e in self.followed:
            return
        if e.op in FOLLOWED or e.op == "token_at":
            self.followed.append(e)
            return
        for arg in e.args:
            if isinstance(arg, Expression):
                self._collect(arg)

    def step(self, state: Any, k: int, token: int) -> Any:
        inside = self.domain.step(state[0], k, token)
        if inside is None:
            return None
        text = self.tokens[token]
        return (inside, *(t.step(s, k, text) for t, s in zip(self.trackers, state[1:], strict=True)))

    def expected(self, state: Any, level: int, token: int) -> Any:
        if not self.domain.complete(state[0]):
            return OUT
        end = level if self.domain.prompted and self.domain.end is None else self.domain.end
        scope = {"here": level, "end": end}
        if any(self._value(guess, state, scope, token) != value for guess, value in self.guesses):
            return OUT
        found = self._value(self.rule, state, scope, token)
        if self.domain.prompted and not isinstance(found, str):
            raise Undecided(f"the claim has no answer to some context of {level + 1} tokens")
        if isinstance(found, str) and found not in self.ids:
            raise Undecided(f"the claim answers {found!r}, which is no token")
        if isinstance(found, str):
            return self.ids[found]
        return None if found is None else float(found)  # a Fraction is slow to compare

    def allowed(self, everything: Sequence[int]) -> list[set[int]]:
        return self.domain.allowed(everything)

    def last(self, everything: Sequence[int]) -> list[int]:
        guessed = {self.ids[value] for e, value in self.guesses if _own(e)} or set(everything)
        return sorted(guessed & self.domain.last(everything))

    def counts(self, state: Any, level: int) -> bool:  # noqa: ARG002
        return self.domain.end is None or level == self.domain.end

    def _value(self, e: Any, state: Any, scope: dict[str, int | None], token: int) -> Any:
        if not isinstance(e, Expression):
            return e
        if e.op in scope:
            return scope[e.op]
        if _own(e):
            return self.tokens[token]
        if e in self.followed:
            i = self.followed.index(e)
            return self.trackers[i].value(state[1 + i])
        return combine(e, [self._value(arg, state, scope, token) for arg in e.args])
