"""All families, each with a bug that it finds.

    FAMILIES[name].draw(seed)       a wrong model: the same one for the same seed
    FAMILIES[name].said(wrong)      what verification says of it
    FAMILIES[name].bug              a bug put into the package, and the stage that would then
                                    call it right

A bug stands in one stage, and verification has several: the stage is asked by itself, without
what would stop it. Rules of this file: a draw that came out right is drawn again, so that every
model of a family is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from directed import files, overflow, pairs, rounding, texts, ties
from directed.patching import Patch
from directed.wrong import Wrong, said

PROVER, PROOF = "handcraft.proof.prover", "handcraft.proof"
DRAWS = 200  # until one is wrong


@dataclass(frozen=True)
class Bug:
    """A bug, and the stage that calls a model of the family right because of it."""

    stage: str
    patches: tuple[Patch, ...]

    @property
    def of_prover(self) -> bool:
        """Whether it is the prover's own: the checker has nothing of it."""
        return all(patch.target.startswith(PROVER) for patch in self.patches)


@dataclass(frozen=True)
class Family:
    """How its models are made, how they are shown to be wrong, what is asked about them, and
    its bug.
    """

    name: str
    make: Callable[[Random], Wrong | None]
    bug: Bug | None = None
    holds: Callable[[Any], bool] = Wrong.holds
    said: Callable[[Any], str] = said

    def draw(self, seed: int) -> Wrong:
        """A wrong model. Raises AssertionError where none comes out."""
        random = Random(f"{self.name} {seed}")
        for _ in range(DRAWS):
            found = self.make(random)
            if found is not None and self.holds(found):
                return found
        raise AssertionError(
            f"{self.name} draws no wrong model with seed {seed}"
        )

    def misses(self, wrong: Wrong) -> bool:
        """Whether the stage of the bug calls it right."""
        assert self.bug is not None
        found = (
            self.said(wrong)
            if self.said is not said
            else said(wrong, self.bug.stage)
        )
        return found in ("proved", "checked")


def bug(stage: str, *patches: tuple[str, str, str]) -> Bug:
    """A bug of (function, text that stands in it, text instead) each."""
    return Bug(stage, tuple(Patch(*patch) for patch in patches))


def nothing(function: str, arguments: str) -> tuple[str, str, str]:
    """A check that is left out: a function that returns nothing."""
    name = function.rpartition(":")[2].rpartition(".")[2]
    return function, "", f"def {name}({arguments}):\n    return None\n"


SUMMED = f"{PROVER}.zonotope:Precision.summed"
ATTENTION = "handcraft.core.bounds:_Pass.attention"
CLAIM = "handcraft.claims.checks:"
SIGNATURE = f"{PROVER}.pairwise:Pairs._signature"

BUGS = {
    "absorbed": bug(
        "prover",
        (SUMMED, "shared + self.gamma(k) * loose", "self.gamma(k) * loose"),
    ),
    "shared": bug(
        "prover",
        (
            f"{PROVER}.zonotope:Zonotope.with_generators",
            "self.shared or before",
            "self.shared",
        ),
    ),
    "products": bug(
        "prover",
        (
            SUMMED,
            "np.where((loose == 0) & (np.abs(c) >= self.least), 0.0, self.least)",
            "0.0",
        ),
    ),
    "means": bug(
        "prover",
        (
            f"{PROVER}.zonotope:Precision.__init__",
            (
                "self.digits, self.least, self.zero_below, self.saturated = (24, 2.0 **"
                " (-126), 105.0, 6.0) if dtype == 'float32' else (53, 2.0 ** (-1022),"
                " 747.0, 8.0)"
            ),
            (
                "self.digits, self.least, self.zero_below, self.saturated = (24, 2.0 **"
                " (-200), 105.0, 6.0) if dtype == 'float32' else (53, 2.0 ** (-1022),"
                " 747.0, 8.0)"
            ),
        ),
    ),
    "thirds": bug(
        "prover",
        (
            f"{PROVER}.softmax:Means._vanishes",
            (
                "exact = n == 2 ** halvings and bool(self.precision.exact(size,"
                " finest).all())"
            ),
            (
                "exact = (n == 2 ** halvings or n > 4) and"
                " bool(self.precision.exact(size, finest).all())"
            ),
        ),
    ),
    "saturation": bug(
        "prover",
        (
            f"{PROVER}.zonotope:Precision.__init__",
            "105.0, 6.0)",
            "105.0, 5.01)",
        ),
    ),
    "kinks": bug(
        "prover",
        (
            f"{PROVER}.zonotope:Precision.activation",
            "x.c + radius <= -edge",
            "x.c + radius / 4 <= -edge",
        ),
    ),
    "score order": bug(
        "prover",
        (f"{PROVER}.views:scores_of", "(spread + error) * UP", "spread * UP"),
    ),
    "scales": bug(
        "prover",
        (
            f"{PROVER}.softmax:Means._class",
            "(abs(score[0]) + score[1])",
            "score[1]",
        ),
    ),
    "dead heads": bug(
        "prover",
        (
            ATTENTION,
            "(q * k).reshape",
            "(q * k * part['c_proj']['w'].any(axis=1)).reshape",
        ),
    ),
    "dead lanes": bug(
        "prover",
        (
            ATTENTION,
            "('value', v)",
            "('value', v * part['c_proj']['w'].any(axis=1))",
        ),
        (
            "handcraft.core.bounds:_Pass.mlp",
            "in block {i}', before",
            "in block {i}', before * part['c_proj']['w'].any(axis=1)",
        ),
    ),
    "zero keys": bug(
        "prover",
        (
            ATTENTION,
            "(('query', q), ('key', k), ('value', v))",
            "(('value', v),)",
        ),
        (
            ATTENTION,
            "self.up(_numbers(products).sum(axis=1), products.shape[1])",
            "0 * products.sum(axis=1)",
        ),
    ),
    "late": bug(
        "prover",
        (
            ATTENTION,
            "products).sum(axis=1)",
            "products).sum(axis=1) / np.sqrt(products.shape[1])",
        ),
        ("handcraft.core.bounds:largest", "maxexp - 10", "maxexp"),
    ),
    "biases": bug(
        "prover",
        (
            "handcraft.core.bounds:_Pass.linear",
            "0.0 if b is None else np.abs(b.astype(np.float64))",
            "0.0",
        ),
    ),
    "ties": bug(
        "prover",
        (
            f"{PROVER}.prover:Prover._right",
            "if not margin > 0:",
            "if not margin >= 0:",
        ),
    ),
    "several": bug(
        "prover",
        (
            f"{PROVER}.prover:best_lead",
            "np.max(leads, axis=0)",
            "np.full(len(logits.c), np.max(leads))",
        ),
    ),
    "within rounding": bug(
        "exhaustive",
        (
            f"{PROOF}.second:Second.doubtful",
            "",
            (
                "def doubtful(self, expected, found):\n    return"
                " np.zeros(len(expected), dtype=bool)\n"
            ),
        ),
    ),
    "radii": bug(
        "prover",
        (
            SIGNATURE,
            (
                "return (reading, tuple(bounds), tuple(means.scores),"
                " b''.join((column[order].tobytes() for column in columns)))"
            ),
            (
                "return (reading, b''.join((column[order].tobytes() for column in"
                " columns)))"
            ),
        ),
    ),
    "counts": bug(
        "prover",
        (
            SIGNATURE,
            (
                "return (reading, tuple(bounds), tuple(means.scores),"
                " b''.join((column[order].tobytes() for column in columns)))"
            ),
            (
                "return (tuple(bounds), tuple(means.scores),"
                " b''.join((column[order].tobytes() for column in columns)))"
            ),
        ),
        (SIGNATURE, "reads, slot.kinds,", "slot.kinds,"),
    ),
    "edges": bug(
        "prover",
        (
            f"{PROVER}.domains:Domain.__init__",
            "range(model.n_ctx)",
            "range(max(1, model.n_ctx - 1))",
        ),
        (
            "handcraft.program.contexts:count_contexts",
            "n_ctx + 1",
            "max(2, n_ctx)",
        ),
    ),
    "spelling": bug(
        "prover",
        nothing("handcraft.claims.spelling:Spelling.problem", "self"),
        nothing(CLAIM + "_check_length", "*_"),
        nothing(CLAIM + "_ask", "*_"),
        (
            f"{PROVER}.prover:Prover._covered",
            "self.proof.contexts != size",
            "False",
        ),
    ),
    "types": bug(
        "prover",
        (
            "handcraft.sequence.value_kinds:_wrong",
            "",
            "def _wrong(found, wanted):\n    return ''\n",
        ),
        nothing(CLAIM + "_ask", "*_"),
        (
            f"{PROVER}.cases:ExpressionCase.expected",
            "else number_of(found)",
            "else int(found)",
        ),
        (
            f"{PROVER}.cases:ExpressionCase.expected",
            "if self.domain.prompted and (not isinstance(found, str)):",
            "if self.domain.prompted and found is None:",
        ),
    ),
    "lengths": bug(
        "prover",
        nothing(CLAIM + "_check_length", "*_"),
        nothing("handcraft.claims.prompt_claim:Answers._ends_alike", "*_"),
    ),
    "stops": bug(
        "prover",
        nothing(CLAIM + "_check_rows", "*_"),
        nothing(CLAIM + "_ask", "*_"),
    ),
    "roles": bug(
        "prover",
        (
            f"{PROVER}.cases:ExpressionCase.role",
            "token if self.reads_own and k in self.levels else None",
            "None",
        ),
    ),
    "selections": bug(
        "prover",
        (
            f"{PROVER}.selection_machines:_within",
            "start <= j < stop and",
            "start <= j <= stop and",
        ),
    ),
    "resumed": bug(
        "exhaustive",
        *(
            (
                f"{module}:identity",
                "",
                "def identity(model, claim, units):\n    return 'same'\n",
            )
            for module in (f"{PROOF}.enumerate.method", files.__name__)
        ),
    ),
    "avoided": bug(
        "states",
        (
            "handcraft.analysis.reachability:Watch.of",
            "if by_ids or",
            "if True or",
        ),
    ),
}


def _families() -> Iterator[Family]:
    makers = {
        "absorbed": rounding.absorbed,
        "shared": rounding.shared,
        "products": rounding.products,
        "means": rounding.means,
        "thirds": rounding.thirds,
        "saturation": rounding.saturation,
        "kinks": rounding.kinks,
        "score order": rounding.score_order,
        "scales": rounding.scales,
        "dead heads": overflow.dead_heads,
        "dead lanes": overflow.dead_lanes,
        "zero keys": overflow.zero_keys,
        "late": overflow.late,
        "biases": overflow.biases,
        "ties": ties.exact,
        "several": ties.several,
        "within rounding": ties.within_rounding,
        "radii": pairs.radii,
        "counts": pairs.counts,
        "edges": texts.edges,
        "spelling": texts.spelling,
        "types": texts.types,
        "lengths": texts.lengths,
        "stops": texts.stops,
        "roles": texts.roles,
        "selections": texts.selections,
    }
    for name, make in makers.items():
        yield Family(name, make, BUGS[name])
    yield Family(
        "resumed", files.resumed, BUGS["resumed"], said=files.said_resumed
    )
    yield Family(
        "exported",
        files.exported,
        BUGS.get("exported"),
        holds=files.exceeds,
        said=files.said_exported,
    )
    yield Family(
        "avoided",
        files.avoided,
        BUGS["avoided"],
        holds=files.passes,
        said=files.said_avoided,
    )


FAMILIES = {family.name: family for family in _families()}
