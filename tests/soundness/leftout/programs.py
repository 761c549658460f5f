"""Programs that are wrong: each would be called right where one certain check is missing.

`WRONG[name]()` is a Program whose claim and weights do not agree, or whose claim is an error.
They are made while the claim rules are off (`sides.unruled`). Rules of their files: a docstring
says what is wrong; windows are so small that every context can be asked.
"""

from __future__ import annotations

from leftout import (
    programs_answers,
    programs_earlier,
    programs_endings,
    programs_votes,
    programs_whole,
)

WRONG = {
    **programs_endings.WRONG,
    **programs_answers.WRONG,
    **programs_earlier.WRONG,
    **programs_votes.WRONG,
    **programs_whole.WRONG,
}
