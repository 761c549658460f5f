"""How long a whole process takes, against the imports it cannot do without."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

AAB = Path(__file__).parents[2] / "programs" / "aab.py"


def seconds(*command: str, cwd: Path) -> float:
    """The time of a command, its bytecode kept from the first run on as any installed package's
    is.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE"
    }
    environment["PYTHONPYCACHEPREFIX"] = str(cwd / "bytecode")
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *command],
        check=True,
        cwd=cwd,
        capture_output=True,
        env=environment,
    )
    return time.perf_counter() - start


def test_build_takes_at_most_three_times_its_imports(
    benchmark: Any, tmp_path: Path
) -> None:
    """`handcraft build aab.py` as a whole process, against `import numpy, pydantic, rich`: the
    median of ten ratios, of runs in turns, since a machine is now faster and now slower.
    """

    def ratio() -> float:
        imports = "import numpy, pydantic, rich"
        least = seconds("-c", imports, cwd=tmp_path)
        return (
            seconds("-m", "handcraft", "build", str(AAB), cwd=tmp_path) / least
        )

    ratio()  # writes the bytecode
    ratios = [ratio() for _ in range(9)]
    ratios.append(benchmark.pedantic(ratio, rounds=1))
    assert median(ratios) <= 3, ratios
