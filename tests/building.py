"""Builds one program over another in a process that is killed: what tests/test_pair.py looks at.

python building.py CALL FOLDER    builds `abc` over `aab` in processes of their own, each
killed before it makes this call once more
python building.py again FOLDER   builds the two over each other until it is killed itself
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OLD, NEW = "aab", "abc"
OF_PATH = ("replace", "mkdir", "unlink")  # the others are of the module os


def owner(call: str) -> Any:
    """The class or the module whose attribute the call is."""
    return Path if call in OF_PATH else os


def before_call(call: str, at: int, act: Callable[[], object]) -> None:
    """Let something happen before the `at`-th time that this process makes a call."""
    real = getattr(owner(call), call)
    made: list[str] = []

    def counted(*arguments: Any, **options: Any) -> Any:
        made.append(call)
        if len(made) == at:
            act()
        return real(*arguments, **options)

    setattr(owner(call), call, counted)


def killed_at(call: str, folder: Path) -> Iterator[int]:
    """Build `abc` over `aab`, killed before the first such call, before the second, and so on."""
    from handcraft import Model

    old, new = Model.open(OLD), Model.open(NEW)
    at = 0
    while True:
        at += 1
        old.save(folder / str(at))
        if not (child := os.fork()):
            before_call(call, at, lambda: os.kill(os.getpid(), signal.SIGKILL))
            new.save(folder / str(at))
            os._exit(0)
        if os.WIFEXITED(os.waitpid(child, 0)[1]):
            return
        yield at


def again(folder: Path) -> None:
    """Build the two programs over each other until this process is killed."""
    from handcraft import Model

    models = Model.open(OLD), Model.open(NEW)
    models[0].save(folder)
    print("built", flush=True)
    while True:
        for model in models:
            model.save(folder)


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "again":
        again(where)
    print(json.dumps(list(killed_at(what, where))))
