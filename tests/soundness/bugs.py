"""Bugs that are put into the certifier one at a time, to see that its tests notice.

    python tests/soundness/bugs.py [--jobs 2] [number ...]

Each is a file of handcraft/proof/prover, a text that stands once in it as `ast.unparse`
writes it, and what stands
there instead. A text that is not there any more is an error: the bug must be written anew. Each
runs in a copy of the package, the light tests first, then the reduced soundness suite; it is
caught where any of these fails.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path("handcraft/proof/prover")
NEEDED = 0.95


def normalised(path: Path) -> str:
    """A file as Python writes what it has read: no comments, each statement on its line."""
    return ast.unparse(ast.parse(path.read_text()))


@dataclass(frozen=True)
class Bug:
    """One wrong edit."""

    file: str
    old: str
    new: str


BUGS = [
    # ------------------------------------------------ rounding
    Bug(
        "zonotope.py",
        "return k * self.u / (1 - k * self.u) +",
        "return k * self.u / 2 / (1 - k * self.u) +",
    ),
    Bug(
        "zonotope.py",
        "rounds = np.maximum(k - doubled, 0)",
        "rounds = np.maximum(k - 2, 0)",
    ),
    Bug(
        "zonotope.py",
        "error = self.gamma(rounds) * size * UP + underflow",
        "error = self.gamma(rounds) * np.abs(c) * UP + underflow",
    ),
    Bug(
        "zonotope.py",
        "r = (x.r @ np.abs(w) + self.summed(",
        "r = (0 * x.r @ np.abs(w) + self.summed(",
    ),
    Bug(
        "zonotope.py",
        "r = (x.r @ np.abs(w) + self.summed(",
        "r = (np.abs(x.r @ w) + self.summed(",
    ),
    Bug(
        "zonotope.py",
        "error = self.gamma(rounds) * size * UP + underflow",
        "error = self.gamma(rounds) * size * UP",
    ),
    Bug(
        "zonotope.py",
        "before = self.gamma(np.maximum(rounds - 1, 0)) * size * UP",
        "before = 0 * size",
    ),
    Bug(
        "zonotope.py",
        "missed = np.where(wide, size / 4, missed)",
        "missed = np.where(wide, size / 8, missed)",
    ),
    Bug(
        "keys.py",
        "spread = keys.r @ q + np.abs(keys.c - common) @ query.r",
        "spread = keys.r @ q",
    ),
    Bug(
        "softmax.py",
        "width = np.where(alone, own + widest, own)",
        "width = own",
    ),
    Bug(
        "softmax.py",
        "apart = (n * most - sums) * near[0] + (sums - n * least) * near[1]",
        "apart = (n * most - sums) * near[1] + (sums - n * least) * near[0]",
    ),
    Bug(
        "zonotope.py",
        "np.minimum(_finest(known, np.where(full, grid(w), ABSENT)), grid(b))",
        "_finest(known, np.where(full, grid(w), ABSENT))",
    ),
    Bug(
        "zonotope.py",
        "most = np.exp2(np.clip(self.digits + finest,",
        "most = np.exp2(np.clip(self.digits + 1 + finest,",
    ),
    Bug(
        "zonotope.py",
        "return fits & (finest >= math.log2(self.least)) & np.isfinite(finest)",
        "return fits & np.isfinite(finest)",
    ),
    Bug(
        "zonotope.py",
        "known = np.where((radius == 0) | (x.c == 0), grid(x.c), _UNKNOWN)",
        "known = grid(x.c)",
    ),
    Bug(
        "zonotope.py",
        "rounds = there & ~(power_of_two(x.c) & (radius == 0))",
        "rounds = there & ~power_of_two(x.c)",
    ),
    Bug("zonotope.py", "two = (k <= 2) & doubled", "two = k <= 2"),
    Bug("zonotope.py", "two = (k <= 2) & doubled", "two = (k <= 4) & doubled"),
    Bug(
        "zonotope.py",
        "np.where(lost.astype(np.float64) @ full > 0, np.inf, r)",
        "r",
    ),
    Bug(
        "zonotope.py",
        "x.radius < np.abs(x.c) * self.u / 2",
        "x.radius < np.abs(x.c) * self.u * 2",
    ),
    Bug(
        "zonotope.py", "sure = (rounded == x.c) & (x.radius", "sure = (x.radius"
    ),
    Bug(
        "zonotope.py",
        "(x.r + y.r + np.where(exact, 0.0, error)) * UP",
        "(x.r + np.where(exact, 0.0, error)) * UP",
    ),
    Bug(
        "zonotope.py",
        "error = (self.u + 2 * OWN) * (size + rx + ry) + self.least",
        "error = self.u / 4 * (size + rx + ry)",
    ),
    Bug(
        "zonotope.py",
        "exact = (rx == 0) & (ry == 0) & self.exact(",
        "exact = self.exact(",
    ),
    Bug(
        "zonotope.py",
        "near = np.minimum(x.size, y.size)",
        "near = np.minimum(np.abs(x.c), np.abs(y.c)) / 2",
    ),
    Bug(
        "zonotope.py",
        "passes = x.c - radius >= edge\n        stops = x.c + radius <= -edge",
        "passes = x.c >= edge\n        stops = x.c <= -edge",
    ),
    Bug(
        "zonotope.py",
        "self.digits, self.least, self.zero_below, self.saturated = (24, 2.0 ** (-126),"
        " 105.0, 6.0) if dtype == 'float32' else (53, 2.0 ** (-1022), 747.0, 8.0)",
        "self.digits, self.least, self.zero_below, self.saturated = (24, 2.0 ** (-126),"
        " 105.0, 2.0) if dtype == 'float32' else (53, 2.0 ** (-1022), 747.0, 8.0)",
    ),
    Bug(
        "zonotope.py",
        "self.digits, self.least, self.zero_below, self.saturated = (24, 2.0 ** (-126),"
        " 105.0, 6.0) if dtype == 'float32' else (53, 2.0 ** (-1022), 747.0, 8.0)",
        "self.digits, self.least, self.zero_below, self.saturated = (24, 2.0 ** (-126),"
        " 60.0, 6.0) if dtype == 'float32' else (53, 2.0 ** (-1022), 747.0, 8.0)",
    ),
    Bug(
        "zonotope.py",
        "return (np.maximum(x.c, 0.0), np.zeros_like(x.c), radius)",
        "return (np.maximum(x.c, 0.0), np.zeros_like(x.c), x.r)",
    ),
    Bug(
        "zonotope.py",
        "missed = np.minimum(BEND * radius * radius,",
        "missed = np.minimum(0.05 * radius * radius,",
    ),
    Bug(
        "zonotope.py",
        "error = GELU_ERROR * (self.u + OWN)",
        "error = 0.1 * (self.u + OWN)",
    ),
    Bug(
        "zonotope.py",
        "(np.abs(slope) * x.r + missed + error) * UP",
        "(missed + error) * UP",
    ),
    Bug("zonotope.py", "g[..., :y.shared] += y.g", "g[..., :y.shared] -= y.g"),
    Bug(
        "zonotope.py",
        "return self.r if self.g is None else (self.r + moved_most(self.g)) * UP",
        "return self.r",
    ),
    # ------------------------------------------------ averages
    Bug(
        "keys.py",
        "spread = keys.r @ q + np.abs(keys.c - common) @ query.r",
        "spread = np.abs(keys.c - common) @ query.r",
    ),
    Bug(
        "keys.py",
        "self.low.append((score[0] - spread) / self.scale)",
        "self.low.append(score[0] - spread)",
    ),
    Bug(
        "keys.py",
        "(0.0 if self.exact_scale else (1.01",
        "(0.0 if True else (1.01",
    ),
    Bug("keys.py", "score = (0.0, math.inf)", "score = (0.0, 0.0)"),
    Bug(
        "keys.py",
        "return self.low[kind] - self.high[other] >= self.gap",
        "return self.low[kind] - self.high[other] >= self.gap / 4",
    ),
    Bug(
        "keys.py",
        "return self.low[kind] - self.high[other] >= self.gap",
        "return self.high[kind] - self.low[other] >= self.gap",
    ),
    Bug(
        "softmax.py",
        "sure = (hides | hidden).all(axis=1)",
        "sure = (hides | True).all(axis=1)",
    ),
    Bug("softmax.py", "self.forget()", "pass"),
    Bug(
        "keys.py",
        "(n + 1, self.values.add(total, value))",
        "(n, self.values.add(total, value))",
    ),
    Bug(
        "softmax.py",
        "left_out = self.n_keys - counts.sum(axis=1)",
        "left_out = 0 * counts.sum(axis=1)",
    ),
    Bug(
        "softmax.py",
        "top = low.argmax(axis=1)[:, None]",
        "top = low.argmin(axis=1)[:, None]",
    ),
    Bug(
        "softmax.py",
        "return left_out * (math.exp(-gap) * 1.01 + self.precision.least)",
        "return math.exp(-gap) * 1.01 + self.precision.least",
    ),
    Bug(
        "softmax.py",
        "= max((h for h in self.high if self.low[top] - h >= self.gap),"
        " default=-math.inf)",
        "= min((h for h in self.high if self.low[top] - h >= self.gap),"
        " default=-math.inf)",
    ),
    Bug(
        "softmax.py",
        "alone = (theta[:, 0] == 0) & (leak <= self.precision.u / 4)",
        "alone = leak <= self.precision.u / 4",
    ),
    Bug(
        "softmax.py",
        "sure = is_top & alone & ((counts == 1) | (radius == 0))",
        "sure = is_top & ((counts == 1) | (radius == 0))",
    ),
    Bug(
        "softmax.py",
        "sure = is_top & alone & ((counts == 1) | (radius == 0))",
        "sure = is_top & alone",
    ),
    Bug(
        "softmax.py",
        "own = (high - low) / 2",
        "own = 0 * low",
    ),
    Bug(
        "softmax.py",
        "theta = np.expm1(off) * 1.01 + (EXP_ERROR + 1) * u * 1.01",
        "theta = np.expm1(off) * 1.01",
    ),
    Bug(
        "softmax.py",
        "known = width + 2 * u * size < WIDEST",
        "known = width == width",
    ),
    Bug("softmax.py", "halvings = n.bit_length() - 1\n", "halvings = 0\n"),
    Bug(
        "softmax.py",
        "exact = n == 2 ** halvings and bool(self.precision.exact(size, finest).all())",
        "exact = bool(self.precision.exact(size, finest).all())",
    ),
    Bug(
        "softmax.py",
        "loose = self.loose[kind]\n",
        "loose = 0 * self.loose[kind]\n",
    ),
    Bug("softmax.py", "n * loose * (1 + off))", "0)"),
    Bug(
        "softmax.py",
        "moved = (weight * (off * away +",
        "moved = (weight * (0 * away +",
    ),
    Bug(
        "softmax.py",
        "known = theta.max(axis=1) < WIDEST",
        "known = theta[:, 0] == theta[:, 0]",
    ),
    # ------------------------------------------------ network
    Bug("network.py", "raise Undecided('the model is not causal')", "pass"),
    Bug(
        "network.py",
        "lanes |= head.key[0].any(axis=1) | head.value[0].any(axis=1)",
        "lanes |= head.value[0].any(axis=1)",
    ),
    Bug(
        "network.py",
        "                    lanes |= head.query[0].any(axis=1)\n           "
        " found.append(lanes)",
        "                    pass\n            found.append(lanes)",
    ),
    Bug(
        "network.py",
        "middle = after | self._reads_of_neurons(i, after)\n            lanes",
        "middle = after\n            lanes",
    ),
    Bug("network.py", "lanes[list(asked)] = True", "pass"),
    Bug("network.py", "lanes = lanes | head.query[0].any(axis=1)", "pass"),
    Bug(
        "network.py", "lanes = lanes | self._reads_of_neurons(i, lanes)", "pass"
    ),
    Bug("network.py", "math.sqrt(d_head)))", "1.0))"),
    Bug(
        "network.py",
        "raise Undecided(f'the rounding of {model.dtype} is not bounded')",
        "pass",
    ),
    # ------------------------------------------------ emissions
    Bug("positions.py", "self.means.forget()", "pass"),
    Bug(
        "positions.py",
        "self.wanted = [{j for later in self.seen[i + 1:] for j in later} for i in"
        " range(n)]",
        "self.wanted = [{j for later in self.seen[i + 2:] for j in later} for i in"
        " range(n)]",
    ),
    Bug(
        "positions.py",
        "if not (head.query[0][textual].any() or head.key[0][textual].any()):",
        "if not head.key[0][textual].any():",
    ),
    Bug("positions.py", "textual = textual | _written(network, i)", "pass"),
    # ------------------------------------------------ search
    Bug(
        "views.py",
        "return np.asarray(~(bound - high >= self.means.gap))",
        "return np.asarray(~(bound - high >= self.means.gap / 8))",
    ),
    Bug(
        "views.py",
        "return np.asarray(~(bound - high >= self.means.gap))",
        "return np.asarray(high + self.means.gap > bound)",
    ),
    Bug(
        "views.py",
        "least = np.minimum.reduceat(means.bounds[0][kinds], self.starts)",
        "least = np.maximum.reduceat(means.bounds[0][kinds], self.starts)",
    ),
    Bug(
        "graph.py",
        "bound = slot.floor[last] if ordered else slot.floor[following[level]]",
        "bound = slot.floor[last]",
    ),
    Bug(
        "graph.py",
        "level[seen | ends][::-1])",
        "level[seen | ends][::-1] - 1)",
    ),
    Bug(
        "graph.py",
        "if len(a) == 1 and a[0][1] == 1 else a",
        "if len(a) == 1 else a",
    ),
    Bug(
        "graph.py",
        "signature = tuple(((token, read[e], block_of.get(after, 0)) for token, after,"
        " e in edges))",
        "signature = tuple(((token, read[e], 0) for token, after, e in edges))",
    ),
    Bug("graph.py", "ending.count += count * n\n", "ending.count += n\n"),
    Bug(
        "steps.py",
        "[*nexts[after], *alike] if after in nexts else alike",
        "alike",
    ),
    # ------------------------------------------------ cases and trackers
    Bug("cases.py", "if not self._guessed(state, scope, token):", "if False:"),
    Bug(
        "cases.py",
        "if self.next.setdefault(whole[:i], whole[i]) != whole[i]:",
        "if self.next.setdefault(whole[:i], whole[i]) is None:",
    ),
    Bug(
        "cases.py",
        "range(level - self.window + 1, level + 1)",
        "range(level - self.window + 2, level + 1)",
    ),
    Bug(
        "selection_machines.py",
        "return lambda j: stop is not None and start <= j < stop and",
        "return lambda j: stop is not None and start <= j <= stop and",
    ),
    Bug(
        "selection_machines.py",
        "return value if op == 'first' and value is not None else found",
        "return found",
    ),
    Bug(
        "selection_machines.py",
        "return (total, min(state[1], total))",
        "return (total, min(0, total))",
    ),
    Bug("cases.py", "None if found is None else number_of(found)", "None"),
    # ------------------------------------------------ the judgement
    Bug("prover.py", "if not margin > 0:", "if not margin >= 0:"),
    Bug("prover.py", "if not margin > 0:", "if margin < 0:"),
    Bug(
        "endings.py",
        "radius = logits.r + logits.r[:, [expected]]",
        "radius = logits.r",
    ),
    Bug(
        "endings.py",
        "moved_most(logits.g - logits.g[:, [expected]])",
        "np.abs((logits.g - logits.g[:, [expected]]).sum(axis=-1))",
    ),
    Bug(
        "prover.py",
        "self.proof.contexts != size:",
        "self.proof.contexts > size:",
    ),
    Bug("prover.py", "if self.counted[domain] != domain.size():", "if False:"),
    Bug("prover.py", "if len(self.stages) > 1:", "if False:"),
    Bug("prover.py", "if len(seen) == 1:", "if True:"),
    Bug(
        "prover.py",
        "most = high / (high + (low.sum() - low))",
        "most = high / high.sum()",
    ),
    Bug(
        "prover.py",
        "self._near(case, abs(float(x.c[row, self.column]) - float(expected)) +"
        " float(radius[row]), ending)",
        "self._near(case, abs(float(x.c[row, self.column]) - float(expected)), ending)",
    ),
]


def mutated(number: int, target: Path) -> Path:
    """A copy of the package with one bug. Raises ValueError where its text does not stand there
    exactly once.
    """
    bug = BUGS[number]
    for part in ("handcraft", "programs", "tests"):
        shutil.copytree(
            ROOT / part,
            target / part,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    shutil.copy(ROOT / "pyproject.toml", target)
    path = target / PACKAGE / bug.file
    text = normalised(path)
    if text.count(bug.old) != 1:
        raise ValueError(
            f"bug {number}: {bug.file} holds {bug.old!r} {text.count(bug.old)} times"
        )
    path.write_text(text.replace(bug.old, bug.new))
    return target


def caught(number: int) -> tuple[int, str | None]:
    """Which test fails, or None where the bug survives."""
    with tempfile.TemporaryDirectory() as folder:
        target = mutated(number, Path(folder))
        for tests, settings in _suites():
            environment = os.environ | {"PYTHONPATH": str(target)} | settings
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-o",
                "addopts=",
                "-x",
                "-q",
                "-n",
                "0",
                "-p",
                "no:cacheprovider",
                *tests,
            ]
            found = subprocess.run(
                command,
                cwd=target,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if found.returncode:
                failed = [
                    line
                    for line in found.stdout.splitlines()
                    if line.startswith(("FAILED", "ERROR"))
                ]
                return (
                    number,
                    (failed or found.stdout.splitlines() or [found.stderr])[-1][
                        :150
                    ],
                )
    return number, None


def _suites() -> Iterator[tuple[list[str], dict[str, str]]]:
    certificate = ("zonotope", "prover_softmax", "prover", "cases")
    yield [f"tests/test_{name}.py" for name in certificate], {}
    small = {"SOUNDNESS_MODELS": "250", "SOUNDNESS_WRONG": "102"}
    yield ["tests/soundness/test_soundness.py", "-k", "agrees"], small
    yield ["tests/soundness/test_soundness.py", "-k", "every_float"], small
    yield ["tests/soundness/test_soundness.py", "-k", "mutant"], small


def main() -> int:
    """Runs them and says which survive."""
    words = sys.argv[1:]
    jobs = int(words.pop(words.index("--jobs") + 1)) if "--jobs" in words else 2
    numbers = [int(word) for word in words if word.isdigit()] or list(
        range(len(BUGS))
    )
    if "--check" in words:
        wrong = [
            bug
            for bug in BUGS
            if normalised(ROOT / PACKAGE / bug.file).count(bug.old) != 1
        ]
        print("\n".join(map(str, wrong)))
        return bool(wrong)
    survivors = []
    with ThreadPoolExecutor(jobs) as pool:
        for number, why in pool.map(caught, numbers):
            print(
                number,
                BUGS[number].file,
                "survives: " + BUGS[number].new if why is None else why,
                flush=True,
            )
            survivors += [number] if why is None else []
    print(
        f"{len(numbers) - len(survivors)} of {len(numbers)} bugs are caught; survivors:"
        f" {survivors}"
    )
    return len(survivors) > (1 - NEEDED) * len(numbers)


if __name__ == "__main__":
    sys.exit(main())
