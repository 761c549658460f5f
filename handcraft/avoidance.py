"""Avoidance: can a context that holds some text ever be reached from the contexts that do not?

A search through the chain of `states`, breadth first, so that a path that is found is a shortest one. The answer is
"never" only where everything that the allowed starts lead to was seen, with all its transitions; a limit that cut the
search off leaves it undecided. An edge is a token whose probability, as it was computed, is above the chain's floor: a
token of 1e-40 is one under a floor of 0.

Source: Baier and Katoen, Principles of Model Checking, 2008 (invariants, checked by reachability). Rules of this file:
a context holds a text where the text's tokens stand in it side by side, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from handcraft.errors import PromptError
from handcraft.model import Prompt
from handcraft.states import Chain

Verdict = Literal["reached", "never", "undecided"]
EXIT_CODES: dict[Verdict, int] = {"never": 0, "reached": 1, "undecided": 3}


@dataclass(frozen=True)
class Avoided:
    """Whether a context that holds the text is reached; if so by a shortest path, as states.

    text     the ids of the text
    allowed  how many starts of the chain do not hold it: the search begins there
    """

    chain: Chain
    text: tuple[int, ...]
    verdict: Verdict
    allowed: int
    path: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 where it is never reached, 1 where it is, 3 where the limit left it open."""
        return EXIT_CODES[self.verdict]

    @property
    def label(self) -> str:
        """The text, safe to show."""
        return self.chain.model.vocabulary.show(self.text)

    @property
    def steps(self) -> list[tuple[int, str | None, float]]:
        """Each step of the path: the state that it reaches, by which token, how probable."""
        pairs = zip(self.path, self.path[1:], strict=False)
        return [(target, self.chain.token(source, target), self.chain.rows[source][target]) for source, target in pairs]

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data; the path begins with its start, to which no token led."""
        steps = [*((state, None, None) for state in self.path[:1]), *self.steps]
        path = [{"context": self.chain.tokens(s), "token": token, "probability": p} for s, token, p in steps]
        text = [self.chain.model.vocabulary.tokens[i] for i in self.text]
        return {"text": text, "verdict": self.verdict, "allowed": self.allowed, "floor": self.chain.floor, "path": path}


def avoid(chain: Chain, text: Prompt) -> Avoided:
    """Whether a context that holds the text can be reached from the starts that do not hold it; a shortest path if so.

    Raises PromptError for a text that no context has room for, or that every start holds.
    """
    wanted = tuple(chain.model.ids(text))
    longest = chain.model.n_ctx + any(state.left is not None for state in chain.states)  # an answer's last token is never read
    if len(wanted) > longest:
        raise PromptError(f"the text to avoid has {len(wanted)} tokens, but no context has more than {longest}")
    allowed = [i for i in range(chain.starts) if not _holds(chain.states[i].ids, wanted)]
    if not allowed:
        raise PromptError(f"every start holds '{chain.model.vocabulary.show(wanted)}' already; start from contexts without it")
    came, hit = _search(chain, allowed, wanted)
    if hit is not None:
        return Avoided(chain, wanted, "reached", len(allowed), _path(came, hit))
    seen_whole = chain.every and all(state < len(chain.rows) for state in came)
    return Avoided(chain, wanted, "never" if seen_whole else "undecided", len(allowed))


def _search(chain: Chain, allowed: list[int], wanted: tuple[int, ...]) -> tuple[dict[int, int | None], int | None]:
    """Breadth first: for each state that was reached the one before it, and the first that holds the text."""
    came: dict[int, int | None] = dict.fromkeys(allowed)
    waiting = [*allowed]
    for state in waiting:  # grows while it is read
        for target in chain.rows[state] if state < len(chain.rows) else ():
            if target not in came:
                came[target] = state
                if _holds(chain.states[target].ids, wanted):
                    return came, target
                waiting.append(target)
    return came, None


def _holds(ids: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return any(ids[i : i + len(wanted)] == wanted for i in range(len(ids) - len(wanted) + 1))


def _path(came: dict[int, int | None], hit: int) -> tuple[int, ...]:
    path, state = [hit], came[hit]
    while state is not None:
        path.append(state)
        state = came[state]
    return tuple(reversed(path))
