"""Keeps hypothesis from leaving its notes, a folder .hypothesis, where the user works."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

_VARIABLE = "HYPOTHESIS_STORAGE_DIRECTORY"
_NOWHERE = f"{os.devnull}/hypothesis"  # no folder can be made there
_CONFIGURATION = "hypothesis.configuration"


@contextlib.contextmanager
def without_notes() -> Iterator[None]:
    """Inside, hypothesis goes on without notes; after it, a test's own are where they were.

    A folder that the user has named in HYPOTHESIS_STORAGE_DIRECTORY stays.
    """
    if _VARIABLE in os.environ:
        yield
        return
    known = sys.modules.get(_CONFIGURATION)
    before = vars(known).get("__hypothesis_home_directory") if known else None
    if known:
        known.set_hypothesis_home_dir(_NOWHERE)
    os.environ[_VARIABLE] = _NOWHERE  # where it is imported only inside
    try:
        yield
    finally:
        del os.environ[_VARIABLE]
        if known := sys.modules.get(_CONFIGURATION):
            known.set_hypothesis_home_dir(before)
