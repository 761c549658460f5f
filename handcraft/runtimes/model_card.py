"""Writes the model card of an export: README.md, as the hub of Hugging Face reads it.

It says what the model does, what it must say and whether it does, how to run the files in their
runtime, and the hashes of the files that hold weights. The front matter has only what is known:
no license, no data, no date.

Rules of this file: a verdict that was not found is not said; the same model gives the same bytes;
what comes from a program stands in code spans.
"""

from __future__ import annotations

from collections.abc import Iterator

from handcraft.claims.kinds import After, Claim
from handcraft.claims.right_tokens import tokens_of
from handcraft.core.errors import either, printable
from handcraft.core.weights import sha256, to_safetensors
from handcraft.files.bundled import bundled
from handcraft.files.file_tokens import FileTokens, IdTokens
from handcraft.files.program_file import load_program
from handcraft.files.tokenizer_file import TOKENIZER_JSON
from handcraft.model import Model
from handcraft.proof.report import Counterexample, Report
from handcraft.runtimes.claim_text import claim_text, code, span
from handcraft.runtimes.examples import example_of
from handcraft.runtimes.judged import Judged
from handcraft.runtimes.norms import Norm, has_norms
from handcraft.runtimes.target import Files, Runtime

README = "README.md"
_WEIGHTS = (".safetensors", ".npz", ".pt", ".onnx", ".gguf")
_TOKENS = 60  # of the vocabulary that are shown


def model_card(
    model: Model, runtime: Runtime, norm: Norm, files: Files, found: Judged
) -> bytes:
    """The card of an export, with what was found of its claim."""
    parts = (
        _front(runtime),
        f"# {model.name}",
        *_about(model),
        _sizes(model, runtime, norm),
        "## What it must say",
        *claim_text(model.program.claim if model.program else None),
        "## Whether it does",
        *_verdict(model, found),
        *_of_these_files(model, runtime),
        "## How to run it",
        *_running(model, runtime, norm),
        "## The weights",
        _hashes(model, files),
    )
    return ("\n\n".join(parts) + "\n").encode()


def _front(runtime: Runtime) -> str:
    tags = "\n".join(f"- {tag}" for tag in ("handcraft", *runtime.card.tags))
    return (
        f"---\nlibrary_name: {runtime.card.library}\npipeline_tag: text-generation"
        f"\ntags:\n{tags}\n---"
    )


def _about(model: Model) -> Iterator[str]:
    if model.about:
        yield printable(model.about)
    yield (
        "A transformer whose weights were written as rules with handcraft; it was not"
        " trained on data."
        if model.program
        else "Weights without a program: what they should do is not known."
    )


def _sizes(model: Model, runtime: Runtime, norm: Norm) -> str:
    tokens = model.vocabulary.tokens
    more = f" and {len(tokens) - _TOKENS} more" if len(tokens) > _TOKENS else ""
    shown = " ".join(code(token) for token in tokens[:_TOKENS])
    return (
        f"- Written for: `{runtime.name}`, {_norms(model, norm)}\n"
        f"- Context window: {model.n_ctx} tokens\n"
        f"- Vocabulary: {len(tokens)} tokens, {shown}{more}; {_cut(model, runtime)}\n"
        f"- Blocks: {model.n_layer}, heads in each: {model.n_head}, activation:"
        f" `{model.activation}`, mask: {'causal' if model.causal else 'none'}"
    )


def _norms(model: Model, norm: Norm) -> str:
    own = has_norms(model.weights)
    return "layer norms of its own" if own else f"layer norm `{norm.name}`"


def _cut(model: Model, runtime: Runtime) -> str:
    """The way from a text to tokens, in these files."""
    if runtime.name == "gpt2":
        if isinstance(model.vocabulary, FileTokens):
            return f"a text is cut by its own tokenizer, `{TOKENIZER_JSON}`"
        if isinstance(model.vocabulary, IdTokens):
            return "there is no tokenizer: a text is ids"
    if runtime.name == "onnx" and isinstance(
        model.vocabulary, FileTokens | IdTokens
    ):
        return "there is no tokenizer here: ids go in, and ids come out"
    return "a text is cut by the longest that matches"


# ---------------------------------------------------------------- the verdict


def _verdict(model: Model, found: Judged) -> Iterator[str]:
    claim = model.program.claim if model.program else None
    if claim is None:
        yield "**Not verified**: there is nothing to hold it to."
    elif found.changed is not None:
        yield (
            "**refuted**: the weights are not what the rules of the program say, at"
            f" {span(printable(found.changed))}."
        )
    elif found.report is None:
        yield "**Not verified** at export: the claim is a Python function."
    else:
        yield _found(found.report, claim)
    yield from _check(model)


def _has_choice(claim: Claim) -> bool:
    """True if several tokens may be right."""
    return isinstance(claim, After) and any(
        len(tokens_of(right)) > 1 for _, right in claim.table
    )


def _found(report: Report, claim: Claim) -> str:
    """The verdict with its numbers, as `handcraft verify` found it."""
    counts = (
        f"{report.contexts:,} {claim.unit} covered, {report.checked:,} where the claim speaks"
        f" ({report.method}, {report.dtype})"
    )
    lines = [f"**{report.verdict}**: {counts}."]
    if report.covered is not None:
        lines.append(f"{report.covered:,} {claim.unit} are surely right.")
    if report.min_margin is not None and report.min_margin > 0:
        right, others = (
            ("a right token", "every wrong one")
            if _has_choice(claim)
            else ("the right token", "every other")
        )
        lines.append(
            f"The logit of {right} is above {others} by at least"
            f" {report.min_margin:.4g}."
        )
    for error, what in (
        (report.max_probability_error, "probability"),
        (report.max_lane_error, "lane"),
    ):
        if error is not None:
            lines.append(f"The largest error of a {what} is {error:.2g}.")
    if report.counterexample is not None:
        lines.append(_wrong(report, report.counterexample))
    if report.reason:
        because = printable(report.reason)
        lines.append(f"{because[:1].upper()}{because[1:]}.")
    return " ".join(lines)


def _wrong(report: Report, wrong: Counterexample) -> str:
    """The counterexample in a sentence."""
    text = code("".join(wrong.tokens))
    place = (
        f"After {text}"
        if wrong.position is None
        else f"At position {wrong.position} of {text}"
    )
    got = f"is {_value(wrong.got)}"
    if report.tied is not None:
        right, other = map(code, report.tied)
        got = f"{right} and {other} are equal, so that neither is the greatest"
    return f"{place} it must be {_value(wrong.expected)}, and {got}."


def _value(value: object) -> str:
    """A token, several of which one is right, probabilities, or a number, in code spans."""
    if isinstance(value, tuple):
        return either(map(_value, value))
    if isinstance(value, dict):
        rows = [(code(token), p) for token, p in value.items() if p]
        return ", ".join(f"{token} {p:.6g}" for token, p in rows)
    if value is None:
        return "not finite"
    return code(value) if isinstance(value, str) else span(f"{value}")


def _check(model: Model) -> Iterator[str]:
    name = _bundled_name(model) or "PROGRAM"
    if model.program is not None and model.program.claim is not None:
        where = "" if name != "PROGRAM" else ", PROGRAM being its .py file"
        yield (
            f"`handcraft verify {name}` verifies it{where}: it tries to prove the"
            " claim for every context, then enumerates or draws them."
        )
    whose = "model" if model.program is None else "program"
    yield (
        "The files here were read back when they were written, and their logits"
        f" compared with the {whose}'s: in every context that was tried the same token came"
        " first."
    )


def _of_these_files(model: Model, runtime: Runtime) -> Iterator[str]:
    """The command that holds these files to the claim, in the one format that opens again."""
    if runtime.name != "gpt2" or model.program is None:
        return
    if model.program.claim is not None:
        name = _bundled_name(model) or "PROGRAM"
        yield (
            f"`handcraft verify . --claim {name}`, in this folder, holds these files to the"
            " claim. They have no rules to prove it with: contexts are enumerated or"
            " drawn."
        )


def _bundled_name(model: Model) -> str | None:
    """The name under which this very program comes with handcraft; None if it does not."""
    for name, path in bundled().items():
        if path.stem == model.name and load_program(path) == model.program:
            return name
    return None


# ---------------------------------------------------------------- running it


def _running(model: Model, runtime: Runtime, norm: Norm) -> Iterator[str]:
    example = example_of(model, runtime.card)
    yield f"In this folder, after `pip install {' '.join(runtime.card.installs)}`:"
    yield f"```python\n{runtime.card.usage(model, norm, example).strip()}\n```"
    if example.clear:
        said = repr(printable(runtime.card.shown(model, example.says)))
        yield f"It prints {span(said)} without the quotes."
    else:
        yield "It prints one of several tokens that are nearly as likely."
    yield (
        "The first position is that of the text's first token: nothing may be put in"
        f" front. The text and what follows must fit {model.n_ctx} tokens, of which"
        " the last is written, not read."
    )


def _hashes(model: Model, files: Files) -> str:
    rows = [
        f"- `{name}`: `{sha256(data)}`"
        for name, data in files.items()
        if name.endswith(_WEIGHTS)
    ]
    if model.program is not None:  # others may be none that it writes
        own = sha256(to_safetensors(model.weights))
        rows.append(f"- the weights that `handcraft build` writes: `{own}`")
    return "SHA-256:\n\n" + "\n".join(rows)
