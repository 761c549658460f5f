"""Exports a model: builds the files of a runtime, reads them back, compares, and publishes them.

Rules of this file: only what has been read back from its files, and agrees with the model's own
forward pass, is published.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from handcraft.core.arguments import asked_call
from handcraft.core.errors import ExportError, ProgramError, WeightsError, hint
from handcraft.files.pair import PROGRAM_JSON
from handcraft.language.affine import kind_of
from handcraft.model import Model
from handcraft.proof.report import Verdict
from handcraft.proof.task import Progress
from handcraft.runtimes import (
    gguf_file,
    huggingface,
    nanogpt,
    onnx_graph,
    picogpt,
    transformer_lens,
)
from handcraft.runtimes.agreement import Agreement, compare_runtime
from handcraft.runtimes.directory import publish
from handcraft.runtimes.judged import judged
from handcraft.runtimes.limits import check_limit
from handcraft.runtimes.model_card import README, model_card
from handcraft.runtimes.norms import Norm, has_norms
from handcraft.runtimes.target import Runtime

_T = TypeVar("_T", Runtime, Norm)
_MODULES = (
    huggingface,
    picogpt,
    nanogpt,
    transformer_lens,
    onnx_graph,
    gguf_file,
)
_UNTIED = ("gpt2", "onnx")  # that hold an unembedding of its own
RUNTIMES = {module.RUNTIME.name: module.RUNTIME for module in _MODULES}


@dataclass(frozen=True)
class Export:
    """The files that were written, and how well they agree with the model.

    verdict  on the model's claim, as its card says; None where nothing was asked
    refuted  the line that says where the model is wrong; None where it is not refuted
    """

    to: str
    out: Path
    files: tuple[Path, ...]
    check: Agreement
    verdict: Verdict | None = None
    refuted: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The export as plain data, as the command line prints it."""
        return {
            "to": self.to,
            "out": str(self.out),
            "files": [str(f) for f in self.files],
            "check": self.check.to_json(),
            "verdict": self.verdict,
        }


@asked_call("export", verify="verified=True")
def export(
    model: Model,
    to: str,
    out: str | Path,
    *,
    norm: str | None = None,
    force: bool = False,
    verified: bool = False,
    progress: Progress | None = None,
) -> Export:
    """Write the model for a runtime into a directory, all of it or nothing, with its model card.

    `verified` looks for a proof first, as `handcraft verify` does, for the verdict on the card.

    Raises ProgramError for a runtime or a norm that does not exist, or a program that the runtime
    cannot compute; WeightsError for a directory that must not be written; MissingExtraError;
    ExportError where the files do not agree with the model: then nothing is left.
    """
    _check_kinds(model, norm, force, verified, progress)
    runtime = _named(to, RUNTIMES.values(), "runtime")
    kind = runtime.norms[0]
    if norm is not None:
        kind = _named(norm, runtime.norms, f"norm of {runtime.name}")
    if model.dtype != "float32":
        raise WeightsError(
            f"an export holds float32, this model is {model.dtype}; build it in float32"
        )
    if "lm_head" in model.weights and to not in _UNTIED:
        raise ProgramError(
            f"{to} ties the unembedding to wte, and {model.name} has an lm_head of its"
            f" own; {' and '.join(_UNTIED)} hold it"
        )
    found: list[Agreement] = []
    files = runtime.files(
        model, kind
    )  # first: it says what the runtime cannot compute
    own = has_norms(model.weights)  # which do something, whatever the stream
    hook = None if own else check_limit(model, kind, runtime)
    verdict = judged(model, verified=verified)
    files[README] = model_card(model, runtime, kind, files, verdict)

    def check(directory: Path) -> None:
        if runtime.vocabulary(directory).tokens != model.vocabulary.tokens:
            raise WeightsError(
                f"{to} cannot hold the tokens of {model.name}: read back, they are"
                " others"
            )
        run = runtime.run(directory)
        found.append(compare_runtime(model, run, progress=progress, hook=hook))
        if not found[0].holds:
            message = _disagrees(model, runtime, kind, found[0])
            raise ExportError(message, found[0].to_json())

    names = {PROGRAM_JSON, README}.union(
        *(runtime.names for runtime in RUNTIMES.values())
    )
    paths = publish(Path(out), files, check, force=force, ours=names)
    return Export(
        to,
        Path(out),
        tuple(paths),
        found[0],
        verdict.verdict,
        verdict.refutation(model.name),
    )


def _check_kinds(
    model: object,
    norm: object,
    force: object,
    verified: object,
    progress: object,
) -> None:
    """Raise ProgramError for an argument of a wrong kind."""
    if not isinstance(model, Model):
        raise ProgramError(
            f"export takes a Model, such as program.build(), found {kind_of(model)}"
        )
    for name, value in (("force", force), ("verified", verified)):
        if not isinstance(value, bool):
            raise ProgramError(
                f"{name}= takes True or False, found {kind_of(value)}"
            )
    if not isinstance(norm, str | None):
        raise ProgramError(
            f"norm= takes the name of one, such as 'mirror', found {kind_of(norm)}"
        )
    if not (progress is None or callable(progress)):
        raise ProgramError(
            f"progress= takes a function, found {kind_of(progress)}"
        )


def _named(name: str, known: Iterable[_T], kind: str) -> _T:
    """The runtime or norm of this name. Raises ProgramError, with the nearest name, where there is
    none.
    """
    table = {thing.name: thing for thing in known}
    if name not in table:
        raise ProgramError(
            f"there is no {kind} '{name}', only {', '.join(table)}{hint(name, table)}"
        )
    return table[name]


def _instead(runtime: Runtime, norm: Norm) -> str:
    """A hint at a norm that may do better; empty where there is none."""
    other = [other.name for other in runtime.norms if other is not norm]
    return f"; --norm {other[0]} may do better" if other else ""


def _disagrees(
    model: Model, runtime: Runtime, norm: Norm, found: Agreement
) -> str:
    instead = _instead(runtime, norm)
    problem = (
        f"chooses another token in {found.argmax_disagreements} of {found.contexts}"
        " contexts"
    )
    if not found.argmax_disagreements:
        problem = (
            f"computes logits that are off by up to {found.max_logit_error:.3g}, of"
            f" {found.largest_logit:.3g} at most"
        )
    return f"{model.name} in {runtime.name} {problem}, so nothing was written{instead}"
