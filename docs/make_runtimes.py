"""Writes docs/runtimes.md: every hand-made program in every runtime. Fails where one chooses
another token.

    .venv/bin/python docs/make_runtimes.py       after `make runtimes` has installed them; some
                                                 minutes

A cell is a round number (1, 2 or 5 and a power of ten) that holds twice the largest error, so
that another processor's order of summation changes nothing;
`tests/runtimes/test_every_program.py` compares every program again, against these.
"""

from __future__ import annotations

import math
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "runtimes"))

# After the path to them.
from runners import TEXTS, agreement, transformers  # noqa: E402

from handcraft.files.bundled import by_hand  # noqa: E402
from handcraft.model import Model  # noqa: E402
from handcraft.runtimes import RUNTIMES  # noqa: E402
from handcraft.runtimes.agreement import Agreement, compare_runtime  # noqa: E402

LEAST = 1e-9  # no smaller bound is shown
LOW = ("bfloat16", "float16")
MARK = "<!-- table -->"


def measure(name: str) -> dict[str, Agreement]:
    """One program in each runtime, and in transformers at low precision."""
    model, found = Model.open(name), {}
    with tempfile.TemporaryDirectory() as folder:
        for to in RUNTIMES:
            found[to] = agreement(model, to, Path(folder) / to)
            if not found[to].holds:
                sys.exit(f"{name} in {to}: {found[to]}")
        for dtype in LOW:
            found[dtype] = compare_runtime(
                model, transformers(Path(folder) / "gpt2", dtype), TEXTS
            )
    print(
        name,
        *(
            f"{to} {agreement.max_logit_error}"
            for to, agreement in found.items()
        ),
    )
    return found


def bound(error: float | None) -> str:
    """The least round number that holds twice the error."""
    twice = max(2 * (error or 0), LEAST)
    power = 10.0 ** math.floor(math.log10(twice))
    least = twice * (1 - 1e-12)
    return f"{next(power * step for step in (1, 2, 5, 10) if power * step >= least):g}"


def low(found: Agreement) -> str:
    """In how many contexts another token is first."""
    return (
        f"{found.argmax_disagreements:,} of {found.contexts:,}"
        if found.argmax_disagreements
        else "0"
    )


def tables(found: dict[str, dict[str, Agreement]]) -> str:
    """Both tables."""
    head = (
        f"| program | contexts | {' | '.join(RUNTIMES)}"
        f" |\n|---|{'--:|' * (len(RUNTIMES) + 1)}\n"
    )
    rows = [
        f"| `{name}` | {row['gpt2'].contexts:,} |"
        f" {' | '.join(bound(row[to].max_logit_error) for to in RUNTIMES)} |"
        for name, row in found.items()
    ]
    right = {
        dtype: sum(row[dtype].holds for row in found.values()) for dtype in LOW
    }
    words = (
        "Loaded with `dtype=torch.bfloat16`, the `gpt2` directory chooses the same"
        f" tokens as the model in {right['bfloat16']}\nof the {len(found)} programs."
        f" With `torch.float16` it does in {right['float16']}: that holds numbers"
        " from 6e-8 to 65,504, and\nneither the large epsilon nor the small scale is"
        " one. The number of contexts with another token:"
    )
    lows = [
        f"| `{name}` | {' | '.join(low(row[dtype]) for dtype in LOW)} |"
        for name, row in found.items()
    ]
    return (
        f"{head}"
        + "\n".join(rows)
        + f"\n\n## float16 and bfloat16\n\n{words}\n\n"
        f"| program | {' | '.join(LOW)} |\n|---|--:|--:|\n"
        + "\n".join(lows)
        + "\n"
    )


def main() -> None:
    """Measure, and put the tables where the mark is."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = dict(zip(by_hand(), pool.map(measure, by_hand()), strict=True))
    page = HERE / "runtimes.md"
    page.write_text(
        page.read_text().split(MARK)[0] + f"{MARK}\n\n{tables(found)}"
    )


if __name__ == "__main__":
    main()
