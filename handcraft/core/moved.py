"""The modules that have moved, by their old names: an import of one says what the new name is.

`handcraft.selections` still works, with a DeprecationWarning at the line that imports it. Every
other old name is an ImportError. Rules of this file: it is asked after Python has found no such
module, so it costs nothing where a name is right; names that never existed are left to Python's
own error.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Loader
else:
    Loader = (
        object  # importing it takes longer than the rest of `import handcraft`
    )

MOVED = {  # old name: new name, each after `handcraft.`
    "affine": "language.affine",
    "answering": "claims.answers",
    "avoidance": "analysis.reachability",
    "bounds": "core.bounds",
    "built": "files.built_directory",
    "callbacks": "claims.functions",
    "chains": "core.markov",
    "circuits": "analysis.circuits",
    "claim_rules": "claims.checks",
    "comparison": "analysis.diff",
    "compiler": "program.compiler",
    "consistency": "program.check_lanes",
    "contexts": "program.contexts",
    "drawing": "pictures.states_svg",
    "encodings": "language.encodings",
    "errors": "core.errors",
    "explanation": "analysis.explain",
    "expressions": "sequence.expression",
    "generation": "core.decoding",
    "gpt2": "core.gpt2",
    "kinds": "sequence.value_kinds",
    "layout": "program.layout",
    "loader": "files.program_file",
    "notation": "language.coerce",
    "oracles": "claims.reference",
    "patterns": "claims.regex",
    "prompts": "claims.prompt_language",
    "provenance": "core.provenance",
    "readout": "program.direct_path",
    "render": "results.tables",
    "reuse": "program.check_reuse",
    "rules": "language.rules",
    "selections": "sequence.words",
    "slots": "language.slots",
    "spelling": "claims.spelling",
    "starting": "files.template",
    "states": "analysis.states",
    "tracing": "core.tracing",
    "transducers": "claims.transducer",
    "values": "core.frozen",
    "vocabulary": "core.vocabulary",
    "weights": "core.weights",
    "wellformed": "sequence.expression_checks",
    "analysis.states_files": "pictures.states_files",
    "analysis.states_svg": "pictures.states_svg",
    # proof/
    "proof.certificate": "proof.prover",
    "proof.certificate.aligned": "proof.prover.transducer_case",
    "proof.certificate.averages": "proof.prover.softmax",
    "proof.certificate.emissions": "proof.prover.positions",
    "proof.certificate.pairs": "proof.prover.pairwise",
    "proof.certificate.recording": "proof.prover.recorder",
    "proof.certificate.rounding": "proof.prover.zonotope",
    "proof.certificate.search": "proof.prover.graph",
    "proof.certificate.trackers": "proof.prover.selection_machines",
    "proof.certified": "proof.prove",
    "proof.certifying": "proof.certificate_files",
    "proof.checker.boxes": "proof.checker.zonotope",
    "proof.checker.comparing": "proof.checker.pairwise",
    "proof.checker.document": "proof.checker.certificate",
    "proof.checker.judging": "proof.checker.endings",
    "proof.checker.reading": "proof.checker.claim",
    "proof.checker.ruled": "proof.checker.claim_expression",
    "proof.checker.sections": "proof.checker.graph",
    "proof.checker.sums": "proof.checker.softmax",
    "proof.checker.walk": "proof.checker.check",
    "proof.checkpoint": "proof.enumerate.checkpoint",
    "proof.compiled": "proof.enumerate.compiled",
    "proof.enumeration": "proof.enumerate.trie",
    "proof.exhaustive": "proof.enumerate.method",
    "proof.expectation": "proof.expected",
    "proof.flat": "proof.enumerate.arrays",
    "proof.identity": "proof.enumerate.identity",
    "proof.kernel": "proof.enumerate.kernel",
    "proof.methods": "proof.verify",
    "proof.sampling": "proof.sample",
    "proof.spread": "proof.enumerate.workers",
    "proof.suffixes": "proof.enumerate.suffix_automaton",
    "proof.units": "proof.enumerate.units",
    "proof.verdicts": "proof.enumerate.kernel_judge",
    "proof.whole": "proof.enumerate.whole",
}
DEPRECATED = "handcraft.selections"
# old modules whose name is now that of a package: in which of its modules their public names
# are. `answers` of claims is not among them, for a module of that package has its name
NEW_HOMES = {
    "handcraft.claims": {
        "endings": "Ending split_endings",
        "kinds": "After Claim Distribution Each OfContexts Positions Predicate Residual"
        " Tolerance",
        "prompt_claim": "Answers",
        "words": "after as_claim distribution each last residual",
    },
    "handcraft.program": {"program": "Program program_name"},
}


def moved_name(package: str, name: str) -> Exception:
    """The error for a name that a package lacks: an ImportError with the new module where the
    module of that name held it, else an AttributeError.
    """
    for home, names in NEW_HOMES[package].items():
        if name in names.split():
            new = f"{package}.{home}.{name}"
            return ImportError(f"{package}.{name} is now {new}", name=package)
    return AttributeError(f"module {package!r} has no attribute {name!r}")


def _message(old: str) -> str:
    """Says the new name of a module, and with a package those of its modules: Python asks for
    the package before it asks for a module in it.
    """
    inner = [
        f"{key.rpartition('.')[2]} is {new.rpartition('.')[2]}"
        for key, new in MOVED.items()
        if key.startswith(f"{old}.")
    ]
    parts = f"; of its modules, {', '.join(inner)}" if inner else ""
    return f"handcraft.{old} is now handcraft.{MOVED[old]}{parts}"


class _Finder:
    """Asked for modules that nothing else has found."""

    @staticmethod
    def find_spec(
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG004  # the protocol's own
        target: ModuleType | None = None,  # noqa: ARG004
    ) -> ModuleSpec | None:
        """A way to load the one old name that still works; raises ImportError for the others."""
        old = fullname.removeprefix("handcraft.")
        if old == fullname or old not in MOVED:
            return None
        if fullname == DEPRECATED:
            return ModuleSpec(fullname, _Alias())
        # a ModuleNotFoundError would be swallowed by `from handcraft import gpt2`
        raise ImportError(_message(old), name=fullname)


class _Alias(Loader):
    """Loads an old name as the very module that has the new one."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Leaves it to Python to make the module, which is then thrown away."""

    def exec_module(self, module: ModuleType) -> None:
        """Puts the new module in the place of the old one."""
        old = module.__name__
        new = f"handcraft.{MOVED[old.removeprefix('handcraft.')]}"
        # level 2 is the importer: Python leaves its own import machinery out
        warnings.warn(f"{old} is now {new}", DeprecationWarning, stacklevel=2)
        sys.modules[old] = import_module(new)


def install() -> None:
    """Has Python ask here after everywhere else."""
    if _Finder not in sys.meta_path:
        sys.meta_path.append(_Finder)
