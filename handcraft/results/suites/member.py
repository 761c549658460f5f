"""Makes one program of a suite: compiles an expression, holds the model to it, turns its stream.

    examined(candidate, seed)   the Member, or why there is none
    write_member(member, folder)  model.safetensors program.json program.py circuit.json claim.json
                                  verdict.json train.jsonl test.jsonl
    write_twin(...)               model.safetensors program.json rotation.safetensors verdict.json

Rules of this file: a model is compared with the evaluator first, whatever its verdict will be;
nothing is written that says when, where or how fast it was made.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.analysis.turning import LEAST_TURNED, rotation, turned_model
from handcraft.claims.kinds import Claim
from handcraft.core.errors import AuthorWarning, ProgramError, WeightsError
from handcraft.core.gpt2 import Array
from handcraft.core.source import NOWHERE, author
from handcraft.core.weights import to_safetensors
from handcraft.core.writing import write_atomically
from handcraft.lowering.frames.tag import tag
from handcraft.model import Model
from handcraft.program.program import Program
from handcraft.proof.report import Report
from handcraft.proof.task import Budget
from handcraft.results.suites.choosing import Candidate
from handcraft.results.suites.texts import (
    EVERY,
    Answered,
    Words,
    apart,
    asked,
    asked_texts,
    text_count,
    values_at,
)
from handcraft.results.verify import verify
from handcraft.results.write import program_of
from handcraft.runtimes.circuit import circuit

SAME = 1e-5  # of the largest logit, by which a turned model may differ
_MOST_WEIGHTS = 30_000
_TURNS = 64  # matrices tried
_FIRST_TURNS, _HOPELESS = (
    8,
    4 * SAME,
)  # no further ones where none of these is so near
_FIRST = 100  # texts on which a matrix is tried first
_EXAMPLES = 1_000
_TEST = 5  # one example of so many is kept for testing
_DRAWN = 200  # texts by verify, where there are too many for all
_METHODS = ("exhaustive", "sampled")
_HELD = ("proved", "checked")


@dataclass(frozen=True)
class Member:
    """A program of a suite, right on every text on which it was asked."""

    candidate: Candidate
    model: Model
    texts: Sequence[Words]
    answers: Sequence[Answered]
    seed: int

    @property
    def program(self) -> Program:
        """Its rules and its claim."""
        if self.model.program is None:
            raise ProgramError("has no rules", (self.model.name,))
        return self.model.program

    @property
    def claim(self) -> Claim:
        """The claim to which it is held."""
        if self.program.claim is None:
            raise ProgramError("has no claim", (self.model.name,))
        return self.program.claim

    @property
    def every(self) -> bool:
        """True if its texts are all that there are."""
        alphabet, n = self.candidate.alphabet, self.candidate.n
        return text_count(len(alphabet), n) == len(self.texts)

    @cached_property
    def report(self) -> Report:
        """The verdict of verify."""
        return _verified(self.model)

    @cached_property
    def turned(self) -> tuple[Model, Array, float] | None:
        """The first turned model that keeps the logits, what it was turned by, and by how much its
        logits differ; None where there is none.
        """
        nearest = np.inf
        for i in range(_TURNS):
            if i == _FIRST_TURNS and nearest > _HOPELESS:
                return None
            random = self.candidate.random(f"turn:{i}", self.seed)
            q = rotation(random, self.model.n_embd)  # [n_embd, n_embd]
            found = turned_model(self.model, q, f"{self.model.name}_rotated")
            first = _difference(self.model, found, self.texts[-_FIRST:])
            nearest = min(nearest, first)
            if first <= SAME:
                difference = _difference(self.model, found, self.texts)
                if difference <= SAME and self._is_right(found):
                    return found, q, difference
        return None

    @cached_property
    def twin(self) -> Twin | None:
        """The turned model with its verdict; None where there is none, or it is not held."""
        if self.turned is None:
            return None
        model, q, difference = self.turned
        report = _verified(model, self.claim)
        held = report.verdict in _HELD
        return Twin(model, q, difference, report) if held else None

    def _is_right(self, model: Model) -> bool:
        return asked(model, self.texts, self.answers).margin > 0


@dataclass(frozen=True)
class Twin:
    """A turned model.

    q           what its stream was multiplied by [n_embd, n_embd]
    difference  of the logits, as a part of the largest one
    """

    model: Model
    q: Array
    difference: float
    report: Report


@dataclass(frozen=True)
class Miscompiled:
    """An expression whose compiled model answers a text wrongly."""

    expression: str
    says: str


def examined(candidate: Candidate, seed: int) -> Member | Miscompiled | None:
    """The program of an expression; None where it cannot be lowered, is too large, is not shown to
    be right, or has no turned twin.
    """
    model = _compiled(candidate)
    if model is None:
        return None
    random = candidate.random("texts", seed)
    texts = asked_texts(candidate.alphabet, candidate.n, random)
    try:
        answers = _answers(candidate, texts)
    except ProgramError:  # undefined by a rule of the language on some text
        return None
    found = asked(model, texts, answers)
    if found.wrong is not None:
        text, q, expected, got = found.wrong
        return Miscompiled(
            candidate.text, f"{text!r} at {q}: {got!r}, not {expected!r}"
        )
    member = Member(candidate, model, texts, answers, seed)
    if member.turned is None:
        return None
    if member.report.verdict == "refuted":
        return Miscompiled(candidate.text, "refuted by verify")
    held = member.report.verdict in _HELD and member.twin is not None
    return member if held else None


def _compiled(candidate: Candidate) -> Model | None:
    """The model of an expression, if it can be lowered and is neither too small nor too large."""
    try:
        with author(NOWHERE, {}), warnings.catch_warnings():
            warnings.simplefilter("ignore", AuthorWarning)
            program = tag(
                candidate.expression,
                tokens=candidate.alphabet,
                n=candidate.n,
                causal=candidate.causal,
                name=candidate.name,
            )
            model = Model.of(program)
    except ProgramError:
        return None
    fits = model.parameters["dense"] <= _MOST_WEIGHTS
    return model if fits and model.n_embd >= LEAST_TURNED else None


def _answers(candidate: Candidate, texts: Sequence[Words]) -> list[Answered]:
    """The token of each value of the expression."""
    rows = values_at(candidate.expression, texts, causal=candidate.causal)
    return [tuple(None if x is None else str(x) for x in row) for row in rows]


def _verified(model: Model, claim: Claim | None = None) -> Report:
    return verify(
        model,
        method=_METHODS,
        budget=Budget(contexts=EVERY, drawn=_DRAWN),
        claim=claim,
    )


def _difference(one: Model, other: Model, texts: Sequence[Words]) -> float:
    """The greatest difference of their logits, as a part of the largest one."""
    try:
        most, largest = apart(one, other, texts)
    except WeightsError:  # not finite
        return np.inf
    return most / largest


# ---------------------------------------------------------------- what is written


def write_member(member: Member, folder: Path) -> dict[str, Any]:
    """Write all files of a program into a folder, and return its row of the index."""
    member.model.save(folder)
    train, test = _examples(member)
    files = {
        "program.py": program_of(member.model).encode(),
        "circuit.json": as_json(circuit(member.model).to_json()),
        "claim.json": as_json(member.claim.model_dump(mode="json")),
        "verdict.json": _verdict(member.report),
        "train.jsonl": _lines(train),
        "test.jsonl": _lines(test),
    }
    for name, data in files.items():
        write_atomically(folder / name, data)
    return _row(member)


def write_twin(member: Member, folder: Path) -> dict[str, Any]:
    """Write the files of the turned model into a folder, and return its row of the index."""
    twin = member.twin
    if twin is None:
        raise ProgramError("cannot be turned", (member.model.name,))
    twin.model.save(folder)
    matrix = {"rotation": twin.q.astype("float32")}
    write_atomically(folder / "rotation.safetensors", to_safetensors(matrix))
    write_atomically(folder / "verdict.json", _verdict(twin.report))
    return {
        "name": twin.model.name,
        "verdict": twin.report.verdict,
        "margin": twin.report.min_margin,
        "difference": twin.difference,
        "place": member.candidate.place,
    }


def _row(member: Member) -> dict[str, Any]:
    model, candidate, program = member.model, member.candidate, member.program
    mlps = [block.mlp for block in program.layers if block.mlp is not None]
    return {
        "name": model.name,
        "expression": candidate.text,
        "kind": candidate.kind,
        "operations": sorted(candidate.expression.ops),
        "alphabet": list(candidate.alphabet),
        "n": candidate.n,
        "causal": candidate.causal,
        "layers": model.n_layer,
        "heads": sum(len(block.heads) for block in program.layers),
        "neurons": sum(len(mlp.neurons) for mlp in mlps),
        "sizes": {
            "n_layer": model.n_layer,
            "n_head": model.n_head,
            "n_embd": model.n_embd,
            "n_vocab": len(model.vocabulary),
            "n_ctx": model.n_ctx,
            "parameters": model.parameters,
        },
        "verdict": member.report.verdict,
        "margin": member.report.min_margin,
        "texts": len(member.texts),
        "every_text": member.every,
        "seed": member.seed,
        "place": candidate.place,
    }


def _verdict(report: Report) -> bytes:
    """The report without its seconds, which are others each time."""
    found = report.to_json()
    del found["seconds"]
    return as_json(found)


def _examples(member: Member) -> tuple[list[Any], list[Any]]:
    """Texts with their right answers, each as a line: some to train on, and some to test."""
    random = member.candidate.random("examples", member.seed)
    pairs = [*zip(member.texts, member.answers, strict=True)]
    drawn = random.sample(pairs, min(_EXAMPLES, len(pairs)))
    begin = member.model.vocabulary.tokens[0]
    rows = [
        {"tokens": [begin, *text], "answers": [None, *answers]}
        for text, answers in drawn
    ]
    test = len(rows) // _TEST
    return rows[test:], rows[:test]


def _lines(rows: Iterable[Any]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def as_json(value: Mapping[str, Any]) -> bytes:
    """JSON with one key a line, and one object of a list."""
    rows = [f"{json.dumps(key)}: {_listed(x)}" for key, x in value.items()]
    return ("{\n" + ",\n".join(rows) + "\n}\n").encode()


def _listed(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        rows = ",\n".join(json.dumps(x, allow_nan=False) for x in value)
        return f"[\n{rows}\n]"
    return json.dumps(value, allow_nan=False)
