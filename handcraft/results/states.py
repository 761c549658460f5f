"""Explores a program in Python: the Markov chain over its contexts, and what is reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handcraft.analysis.reachability import Avoided
from handcraft.analysis.reachability import avoid as search
from handcraft.analysis.states import LIMIT, Chain, explore
from handcraft.core.arguments import asked_call
from handcraft.core.decoding import Sampler
from handcraft.core.errors import PromptError
from handcraft.language.affine import kind_of
from handcraft.model import Prompt
from handcraft.pictures.endings import picture_path
from handcraft.pictures.states_files import save_picture
from handcraft.results.opening import Openable, opened
from handcraft.results.shown import ShownResult, fields_of


@dataclass(frozen=True, repr=False)
class ShownChain(ShownResult, Chain):
    """A Chain that looks as `handcraft states` prints it.

    avoided  the answer to `avoid`: its verdict (never, reached or undecided), and the path
    """

    avoided: Avoided | None = field(default=None, kw_only=True)

    @property
    def exit_code(self) -> int:
        """The exit code: 1 where the text to avoid is reached, 3 where that is undecided."""
        return self.avoided.exit_code if self.avoided else 0

    @asked_call("states(...).save")
    def save(self, file: str | Path) -> Path:
        """Write a picture to this .svg, .dot, .mmd, .mermaid or .json file, and return its path."""
        return save_picture(self, picture_path(file), self.avoided)

    def drawn(self, width: int) -> Any:  # noqa: ARG002  # its tables fit by themselves
        from handcraft.results.state_tables import states_table

        return states_table(self, self.avoided)

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import chain_page

        return chain_page(self, self.avoided, super()._repr_html_())

    def to_json(self) -> dict[str, Any]:
        """The chain and the answer to `avoid` as plain data, as `handcraft states --json`."""
        avoided = self.avoided and self.avoided.to_json()
        return super().to_json() | {"avoided": avoided}


@asked_call(
    "handcraft.states",
    from_="starts=...",
    save="handcraft.states(...).save(file)",
)
def states(
    program: Openable,
    *,
    starts: Prompt | Sequence[Prompt] = (),
    avoid: Prompt | None = None,
    floor: float = 0.0,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    limit: int = LIMIT,
    dtype: str | None = None,
) -> ShownChain:
    """The Markov chain over the contexts of a program: all, or those that the starts lead to.

    starts  one context as a text, or several
    avoid   a text: is a context that contains it reached?
    floor   tokens at or below this probability are impossible
    limit   at most this many contexts are computed; UndecidedError where there are more, unless
            `avoid` is asked
    """
    model = opened(program, dtype)
    if not isinstance(starts, Iterable):
        raise PromptError(
            f"starts= takes a context, or a list of contexts, found {kind_of(starts)}"
        )
    given: Any = [starts] if isinstance(starts, str) else list(starts)
    sampler = Sampler(temperature, top_k, top_p)
    chain = explore(model, given, sampler=sampler, floor=floor, limit=limit)
    avoided = search(chain, avoid) if avoid is not None else None
    whole = chain if avoided else chain.whole()
    return ShownChain(**fields_of(whole), avoided=avoided)
