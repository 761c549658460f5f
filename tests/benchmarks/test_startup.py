"""How long a whole process takes, against the imports it cannot do without."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

AAB = Path(__file__).parents[2] / "programs" / "aab.py"


def seconds(*command: str, cwd: Path) -> float:
    """The least time of a command run five times, its bytecode kept from the first run on as
    any installed package's is.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE"
    }
    environment["PYTHONPYCACHEPREFIX"] = str(cwd / "bytecode")
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, *command],
            check=True,
            cwd=cwd,
            capture_output=True,
            env=environment,
        )
        times.append(time.perf_counter() - start)
    return min(times)


def test_build_takes_at_most_three_times_its_imports(
    benchmark: Any, tmp_path: Path
) -> None:
    """`handcraft build aab.py` as a whole process, against `import numpy, pydantic, rich`."""
    imports = seconds("-c", "import numpy, pydantic, rich", cwd=tmp_path)
    build = benchmark.pedantic(
        seconds,
        ("-m", "handcraft", "build", str(AAB)),
        {"cwd": tmp_path},
        rounds=1,
    )
    assert build <= 3 * imports, f"build {build:.2f} s, imports {imports:.2f} s"
