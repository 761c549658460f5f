"""Checks which positions a head may be asked for: those that exist, and that a query sees.

    causal      0 to the query's own position
    not causal  0 to the end of the text, which is its own position at least

Rules of this file: what is refused is said of `attend_to`, the recipe that takes a target.
"""

from __future__ import annotations

from handcraft.language.affine import Affine
from handcraft.language.coerce import as_affine
from handcraft.recipes.kinds import wrong

Range = tuple[int, int | Affine]  # the least and the greatest target
_NOT_CAUSAL = "; in a program with causal=False, say causal=False here too"


def check_range(
    asked: Affine,
    given: Range | None,
    *,
    own: Affine,
    n_ctx: int,
    missing: str,
    causal: bool,
) -> None:
    """Raise ProgramError where the target can be a position that the query position cannot see,
    and the author has not said what happens then.
    """
    if not asked.terms:
        _check_place(asked.constant, n_ctx)
    offset = asked.plus(own.scaled(-1.0))
    if not offset.terms and offset.constant > 0 and causal:
        raise wrong(
            "attend_to",
            "target",
            f"{asked} lies in the future of every position; causality hides it"
            + _NOT_CAUSAL,
        )
    if given is None and not offset.terms:
        given = (min(0, int(offset.constant)), asked)
    if given is not None:
        least, most = given[0], as_affine(given[1])
        _check_visible(least, most, own, n_ctx, causal=causal)
        if missing == "refuse":
            _check_always_visible(least, most, own, causal=causal)
    elif missing == "refuse":
        message = "missing='refuse' needs range=(least, greatest) for a computed target"
        raise wrong("attend_to", "range", message)


def _check_place(target: float, n_ctx: int) -> None:
    """Raise ProgramError for a constant target that is no position of the window."""
    problem = None
    if target < 0:
        problem = (
            f"{target:g} is before the first position; {-target:g} back is"
            f' at["p"] - {-target:g}'
        )
    elif target >= n_ctx:
        problem = f"{target:g} is past the last position, {n_ctx - 1}"
    if problem is not None:
        raise wrong("attend_to", "target", problem)


def _check_visible(
    least: int, most: Affine, own: Affine, n_ctx: int, *, causal: bool
) -> None:
    """Raise ProgramError for a greatest target that no position sees, or one below the least."""
    ahead = most.plus(own.scaled(-1.0))
    if most.terms:
        hidden = causal and (bool(ahead.terms) or ahead.constant > 0)
    else:
        hidden = most.constant >= n_ctx
    if hidden:
        raise wrong("attend_to", "range", _hidden(most, own, n_ctx, causal))
    if not most.terms and least > most.constant:
        message = f"the least target {least} is above the greatest, {most}"
        raise wrong("attend_to", "range", message)


def _hidden(
    most: Affine, own: Affine, n_ctx: int, causal: bool
) -> str:  # a message
    if not causal:
        return f"a target of {most} is past the last position, {n_ctx - 1}"
    return (
        f"a target of {most} is never visible; the greatest is at most {own}, and"
        f" below {n_ctx}" + (_NOT_CAUSAL if most.terms else "")
    )


def _check_always_visible(
    least: int, most: Affine, own: Affine, *, causal: bool
) -> None:
    """Raise ProgramError for a range that some query position does not see as a whole."""
    if least < 0:
        what = f"a target of {least} does not exist"
        if causal:
            what += "; causality hides it"
    elif _always(most, own):
        return
    elif causal:
        what = f"a target of {most} is in the future of earlier positions; causality hides it"
    else:
        what = f"a target of {most} is past the end of shorter texts"
    raise wrong(
        "attend_to",
        "range",
        f"{what}: pass missing='nearest', or bound it by {own}",
    )


def _always(most: Affine, own: Affine) -> bool:
    """True for a greatest target that every query position sees: its own, or one before it."""
    ahead = most.plus(own.scaled(-1.0)) if most.terms else most
    return not ahead.terms and ahead.constant <= 0
