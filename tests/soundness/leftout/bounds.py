"""Bounds and counts of the checker that are wrong, one at a time; the prover's stand in bugs.py.

Rules of this file: each is one text of one file and what stands there instead, as in bugs.py.
"""

from __future__ import annotations

from bugs import BUGS, PACKAGE

from leftout.sites import CHECKER, Edit

PROVERS = [Edit(f"{PACKAGE}/{bug.file}", bug.old, bug.new) for bug in BUGS]


def _checkers(file: str, *edits: tuple[str, str]) -> list[Edit]:
    return [Edit(f"{CHECKER}/{file}", old, new) for old, new in edits]


CHECKERS = [
    *_checkers(
        "zonotope.py",
        (
            "return np.asarray(k * self.u / (1 - k * self.u) + k * 2.0 ** (-52))",
            "return np.asarray(0 * k)",
        ),
        (
            "error = self.gamma(k - 1) * size + (self.u",
            "error = 0 * size + 0 * (self.u",
        ),
        (
            "return Zonotope(x.c @ w + b, (x.r @ np.abs(w) + error + own) * up(len(w)), g)",
            "return Zonotope(x.c @ w + b, (error + own) * up(len(w)), g)",
        ),
        (
            "return Zonotope(x.c + y.c, (x.r + y.r + error) * UP, gx + gy)",
            "return Zonotope(x.c + y.c, (x.r + error) * UP, gx + gy)",
        ),
        (
            "return Zonotope(x.c + y.c, (x.r + y.r + error) * UP, gx + gy)",
            "return Zonotope(x.c + y.c, (x.r + y.r + error) * UP, gx - gy)",
        ),
        (
            "error = np.where(exact, 0.0, (self.u + 2.0 ** (-51)) * size + self.least)",
            "error = 0 * size",
        ),
        (
            "spread = s @ (np.abs(b) + t) + np.abs(a - common) @ t",
            "spread = np.abs(a - common) @ t",
        ),
        (
            "spread = s @ (np.abs(b) + t) + np.abs(a - common) @ t",
            "spread = s @ (np.abs(b) + t)",
        ),
        (
            "up = x.c - radius >= edge\n        down = x.c + radius <= -edge",
            "up = x.c >= 0\n        down = x.c <= 0",
        ),
        ("self.silent = 105.0 if single else 747.0", "self.silent = 5.0"),
        ("self.flat = 6.0 if single else 8.0", "self.flat = 0.0"),
        ("return (self.r + shared_sizes(self.g)) * UP", "return self.r"),
        (
            "r = np.where(up, x.r, np.where(down | certain, 0.0, r))",
            "r = np.where(up, x.r, 0.0)",
        ),
        (
            "(np.abs(slope) * x.r + np.where(half, most / 4, bend) + error) * UP)",
            "error * UP)",
        ),
    ),
    *_checkers(
        "keys.py",
        ("rounded = row[2] > row[4]", "rounded = row[2] > np.inf"),
        (
            "self._number(np.stack([c, r, np.maximum(x[2], y[2]),",
            "self._number(np.stack([c, 0 * r, np.maximum(x[2], y[2]),",
        ),
    ),
    *_checkers(
        "softmax.py",
        (
            "count = group[2] + count\n                value = self.values.sum(group[3], value)",
            "count = group[2]\n                value = self.values.sum(group[3], value)",
        ),
        (
            "left = n_keys - counts.sum(axis=1)",
            "left = 0 * counts.sum(axis=1)",
        ),
        (
            (
                "moved = _weighed((most - least) / 2, away) + _weighed(most, radii)"
                " + lost * (size + np.abs(z))"
            ),
            "moved = _weighed(most, radii) + lost * size",
        ),
        (
            (
                "moved = _weighed((most - least) / 2, away) + _weighed(most, radii)"
                " + lost * (size + np.abs(z))"
            ),
            "moved = _weighed((most - least) / 2, away) + lost * size",
        ),
        (
            "rounding = gamma * (mass + np.abs(z))",
            "rounding = 0 * (mass + np.abs(z))",
        ),
        (
            (
                "groups = [(min(x[0], y[0]), max(x[1], y[1]), x[2],"
                " self.values.hull(x[3], y[3])) for x, y in both]"
            ),
            "groups = [x for x, _ in both]",
        ),
        (
            "mass = (_weighed(most, sizes) + lost * size) / total",
            "mass = _weighed(most, sizes) / total",
        ),
        (
            "((low - below) / self.scale,",
            "(low,",
        ),
        (
            "return (total, (r + leaked) * UP)",
            "return (total, (0 * r + leaked) * UP)",
        ),
    ),
    *_checkers(
        "endings.py",
        (
            "np.abs(q.c[known] - c) + q.r[known] <= r",
            "np.abs(q.c[known] - c) <= np.inf",
        ),
        (
            "found.answered[key] = found.answered.get(key, 0) + count",
            "found.answered[key] = found.answered.get(key, 0) + 2 * count",
        ),
        ("np.abs(c - value) * (1 + 1e-12) + r", "0 * np.abs(c - value) + r"),
        (
            "np.maximum(np.abs(low - expected), np.abs(high - expected))",
            "np.minimum(np.abs(low - expected), np.abs(high - expected))",
        ),
    ),
    *_checkers(
        "network.py",
        (
            "wrong = ~np.isin(np.arange(self.n_vocab), right)",
            "wrong = np.arange(self.n_vocab) < min(right)",
        ),
        (
            "known + error[rows] + error[rows, expected][:, None]",
            "error[rows] + error[rows, expected][:, None]",
        ),
        ("known = r @ np.abs(apart).T +", "known = 0 * r @ np.abs(apart).T +"),
        (
            (
                "return np.where(sure, known, self.floats.gamma(terms) * size + (terms"
                " + 1) * self.floats.least)"
            ),
            "return 0 * size",
        ),
    ),
    *_checkers(
        "claim.py",
        (
            (
                "return (*memory, self.domain.tokens[token])[-self.window:] if position"
                " in self.needed else ()"
            ),
            "return (self.domain.tokens[token],)",
        ),
        (
            "return (*memory, token) if self.domain.table and",
            "return (*memory, token)[-9:] if True or",
        ),
        (
            "width = 1 if isinstance(self.claim.rule, Transducer) else len(self.alphabet)",
            "width = 1",
        ),
    ),
    *_checkers(
        "claim_expression.py",
        (
            (
                "if any((self._value(e, memory, scope, token) != value for e, value in"
                " self.guesses.items())):"
            ),
            "if False:",
        ),
        (
            (
                "return lambda j: j >= start and (j - start) % every == 0 and (until is"
                " None or j < until)"
            ),
            "return lambda j: True",
        ),
        (
            "return value + 1",
            "return value + 2",
        ),
        (
            "return value if op == 'first' and value is not None else new",
            "return new",
        ),
        (
            "return (start, step, lambda x: (fits(x), x if token else None))",
            "return (start, step, fits)",
        ),
        (
            "return (0, lambda m, j, x: m + add(j, x), worth)",
            "return (0, lambda m, j, x: m + add(j, x), bool)",
        ),
    ),
    *_checkers(
        "graph.py",
        (
            (
                "after[target] = (new, count * times) if old is None else"
                " (self._join(old[0], new), old[1] + count * times)"
            ),
            (
                "after[target] = (new, count * times) if old is None else (old[0],"
                " old[1] + count * times)"
            ),
        ),
        (
            "earlier = a[1] if a[1] is b[1] else a[1] | b[1]\n        seen = a[3]",
            "earlier = a[1]\n        seen = a[3]",
        ),
    ),
    *_checkers(
        "views.py",
        (
            (
                "low = min((self.low[row] for row in rows))\n            high ="
                " max((self.high[row] for row in rows))"
            ),
            "low, high = (self.low[rows[0]], self.high[rows[0]])",
        ),
        (
            (
                "for key in zip(least, most, [*offered.covers[:level],"
                " offered.numbers[position_state]], strict=True):"
            ),
            "for key in zip(least, most, offered.numbers[:level + 1], strict=True):",
        ),
    ),
    *_checkers(
        "positions.py",
        (
            (
                "means = {row: self._mean(low, high, seen, dict(row)) for row in"
                " set(visible)}"
            ),
            "means = {row: self._mean(low, high, seen, {}) for row in set(visible)}",
        ),
        (
            (
                "low = np.minimum(low, (v.c - v.r).min(axis=0))\n        high ="
                " np.maximum(high, (v.c + v.r).max(axis=0))"
            ),
            "low, high = (v.c[0], v.c[0])",
        ),
    ),
]
