"""Reads the numbers of a command's options.

They arrive as they were typed, so that a wrong one is refused in the same words as any other wrong
argument. Rules of this file: what a number may be for its purpose is checked where it is used.
"""

from __future__ import annotations

import re

from handcraft.core.errors import HandcraftError, in_quotes

_DIGITS = 18  # of a whole number: more than anything here counts


def whole(option: str, given: str, least: int | None = None) -> int:
    """The whole number that an option was given. Raises HandcraftError for anything else, and for
    one below the least.
    """
    written = re.fullmatch(r"[+-]?0*([0-9]+)", given)
    long = written is not None and len(written[1]) > _DIGITS
    if written and not long and (least is None or int(given) >= least):
        return int(given)
    bounds = "" if least is None else f" of at least {least}"
    bounds += f" with at most {_DIGITS} digits" if long else ""
    raise _wrong(option, f"a whole number{bounds}", given)


def real(option: str, given: str) -> float:
    """The number that an option was given, `nan` and `inf` included. Raises HandcraftError for
    anything else.
    """
    try:
        return float(given)
    except ValueError:
        raise _wrong(option, "a number", given) from None


def _wrong(option: str, wanted: str, given: str) -> HandcraftError:
    short = given if len(given) <= 40 else f"{given[:40]}..."
    return HandcraftError(f"{option} takes {wanted}, found {in_quotes(short)}")
