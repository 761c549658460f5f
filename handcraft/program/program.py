"""Program: the slots, the layers and the claim of a transformer, checked against each other.

The checks that no rule can make alone are made here: every lane exists, a query and its key have
the same lanes, tables agree on the window and the vocabulary, the claim fits. Every error has the
path of the rule, `aab > layers[0] > query`, and its file and line. A Program is plain data and
can be written to JSON and read again.

Rules of this file: a program that was accepted compiles; nothing here computes a weight.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, cast

from pydantic import (
    BeforeValidator,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from handcraft.claims.checks import check_claim
from handcraft.claims.kinds import Claim
from handcraft.claims.words import as_claim
from handcraft.core.arguments import asked_call, checked_call
from handcraft.core.errors import ProgramError, hint, printable
from handcraft.core.frozen import NAME, Frozen, is_nest
from handcraft.core.nesting import flat, refuse_set
from handcraft.core.source import Source, Where, caller, without_source_lines
from handcraft.core.vocabulary import Vocabulary
from handcraft.language.affine import Lane, Map, Operand, kind_of
from handcraft.language.layers import Layer, as_block
from handcraft.language.notation import call_text, short_list
from handcraft.language.rules import MLP, Block, Head, Neuron
from handcraft.language.slot_tables import MAX_N_CTX
from handcraft.language.slots import Slot
from handcraft.program.check_lanes import rule_problems, unknown_lanes
from handcraft.program.check_reuse import reuse_problems
from handcraft.program.direct_path import leak_problem
from handcraft.program.layout import Layout
from handcraft.sequence.expression import Expression

if TYPE_CHECKING:
    from handcraft.model import Model

# what a built model has and a program has not, and what handcraft does with either
OF_MODELS = (
    *("answer", "answers", "config", "continued", "differences", "dtype"),
    *("entries", "generate", "ids", "names", "parameters", "run", "save"),
    *("tags", "weights", "n_embd", "n_head", "n_layer"),
)
OF_HANDCRAFT = (
    *("circuit", "explain", "export", "states", "trace", "verify"),
    *("view", "write"),
)
# raised for data that is not a program, besides ProgramError
_NOT_RULES = (ValueError, TypeError, AttributeError, KeyError, RecursionError)
ClaimLike: TypeAlias = (
    Claim | Expression | Callable[[Any], str | None] | Mapping[Any, Any] | None
)
_MAX_BYTES = 2**30  # a program whose weights would need more memory is refused


def _blocks(layers: object) -> object:
    if isinstance(layers, Head | MLP | Neuron | Block | Map):
        raise ProgramError("a single layer is written (layer,)")
    if not is_nest(layers):
        return layers
    refuse_set(layers)
    blocks = []
    for i, layer in enumerate(cast("Iterable[object]", layers)):
        try:
            blocks.append(layer if Block.is_data(layer) else as_block(layer))
        except ProgramError as error:
            raise error.at(f"layers[{i}]") from None
    return tuple(blocks)


def _flat_slots(slots: Any) -> tuple[Any, ...]:
    """The slots of a nesting, in their order."""
    try:
        return tuple(flat(slots, is_nest))
    except ProgramError as error:
        raise error.at("embedding") from None


def _slots(embedding: object) -> object:
    if isinstance(embedding, Slot):
        raise ProgramError("a single slot is written (slot,)")
    return embedding


def _named(fields: Mapping[str, Any]) -> str:
    """The name of the program with these fields: its file's where it has none."""
    name = fields.get("name")
    if name is not None and not (isinstance(name, str) and name == ""):
        return printable(str(name))[:100]
    source = fields.get("source") or caller()
    file = Path(source.file if isinstance(source, Source) else "")
    is_cell = _CELL.search(file.as_posix())
    return "program" if is_cell else program_name(file.stem)


# what Python calls its prompt, and notebooks a cell: no file that an author knows
_CELL = re.compile(
    r"(^|/)(<[^/]*|ipykernel_\d+/\d+\.py|(ipython-input-|__marimo__cell)[^/]*)$"
)


class Program(Frozen):
    """A hand-weighted transformer, as slots, layers and a claim.

    embedding   the slots; their order is the order of the columns
    layers      the layers, one after the other. A layer is a head, neurons, a map, constants, or
                a nesting of them: layers=((head, neurons), (head,)) are two layers, and
                layers=(neuron, neuron) are two as well
    claim       the right predictions: a table {last tokens: next token}, after, answers,
                distribution, residual, each, last, an expression, or a function
                context -> token or None; without one the program runs, and nothing is verified
    vocabulary  the tokens; inferred from the slots' tables, in their order
    n_ctx       the context window, in tokens; inferred from a slot of positions, and needed
                where there is none
    name        in messages and in the names of built files; by default its file's name, and
                "program" in a notebook or at Python's prompt
    activation  of every neuron: "gelu" (GPT-2's tanh form) or "relu"
    causal      False removes the causal mask, so that every position sees the whole sequence; the
                claim then holds at every position (`last` and `each` in handcraft.claims.words)
    d_head      the least width of a head; a power of 4 keeps ties exact under scores="exact"

    Raises ProgramError, with the place, what was found and what would work.
    """

    name: str = "program"
    embedding: Annotated[tuple[Slot, ...], BeforeValidator(_slots)]
    layers: Annotated[tuple[Block, ...], BeforeValidator(_blocks)] = ()
    claim: Annotated[
        Annotated[Claim, Field(discriminator="kind")] | None,
        BeforeValidator(as_claim),
    ] = None
    vocabulary: tuple[str, ...] = ()
    n_ctx: StrictInt = 0
    activation: Literal["gelu", "relu"] = "gelu"
    causal: StrictBool = True
    d_head: StrictInt | None = None
    source: Where = Field(default_factory=caller)

    @checked_call(_named)
    def __init__(
        self,
        *,
        embedding: Iterable[Slot],
        layers: Iterable[Layer] = (),
        claim: ClaimLike = None,
        vocabulary: Iterable[str] = (),
        n_ctx: int | None = None,
        name: str | None = None,
        activation: Literal["gelu", "relu"] = "gelu",
        causal: bool = True,
        d_head: int | None = None,
        source: Source | None = None,
    ) -> None:
        source = caller() if source is None else source
        called = _named({"name": name, "source": source})
        window = {} if n_ctx is None else {"n_ctx": n_ctx}  # else inferred
        Block.model_rebuild()  # else pydantic builds it twice
        try:
            super().__init__(
                name=called if name is None else name,
                embedding=embedding,
                layers=layers,
                claim=claim,
                vocabulary=vocabulary,
                activation=activation,
                causal=causal,
                d_head=d_head,
                source=source,
                **window,
            )
        except ProgramError as error:
            path = error.path[error.path[:1] == ("Program",) :]
            path = (called, *path)
            raise ProgramError(error.message, path, error.source) from None

    def _instead_of(self, name: str) -> str:
        called = {"answers": "answer", "run": "generate"}.get(name, name)
        if name in OF_MODELS:
            return f"; a built model has it: program.build().{called}"
        if name in OF_HANDCRAFT:
            return f"; write handcraft.{name}(program)"
        return ""

    def __repr__(self) -> str:
        return call_text(
            "Program",
            name=repr(self.name),
            embedding=short_list(self.embedding),
            layers=short_list(self.layers),
            claim=self.claim and repr(self.claim),
        )

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import program_page

        return program_page(self)

    @model_validator(mode="before")
    @classmethod
    def _infer(cls, fields: Any) -> Any:
        """Fills in the vocabulary and the window from the tables of the slots."""
        slots = fields.get("embedding") if isinstance(fields, Mapping) else None
        if not is_nest(slots):
            return fields
        slots = _flat_slots(slots)
        fields = {**fields, "embedding": slots}
        if not all(isinstance(slot, Slot) for slot in slots):
            return fields
        named = dict.fromkeys(
            token for slot in slots for token in slot.vocabulary
        )
        windows = {
            slot.name: slot.n_ctx for slot in slots if slot.n_ctx is not None
        }
        given = fields.get("vocabulary")
        if isinstance(given, Operand):
            raise ProgramError(
                f"takes a list of tokens, found {kind_of(given)}",
                ("vocabulary",),
            )
        if isinstance(given, set | frozenset):
            raise ProgramError(
                "a set has no order, and the ids of the tokens are their places: pass a"
                " list",
                ("vocabulary",),
            )
        if isinstance(given, str | Mapping) or is_nest(given):
            given = tuple(given)
        unsaid = given is None or (isinstance(given, tuple) and not given)
        fields["vocabulary"] = tuple(named) if unsaid else given
        fields.setdefault("n_ctx", next(iter(windows.values()), 0))
        return fields

    @model_validator(mode="after")
    def _check(self) -> Program:
        self._check_name_and_sizes()
        self._check_slots()
        for path, rule, problem in rule_problems(self.embedding, self.layers):
            raise ProgramError(problem, path, getattr(rule, "source", None))
        self._check_memory()
        for i, problem in reuse_problems(self.embedding, self.layers):
            raise ProgramError(
                problem, (f"embedding[{i}]",), self.embedding[i].source
            )
        leaking = leak_problem(self.embedding, self.layers, self.vocabulary)
        if leaking is not None:
            raise ProgramError(leaking, ("embedding",), self.source)
        self._check_claim()
        return self

    def _check_name_and_sizes(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ProgramError(
                "a name is made of letters, digits, _ . and -, found"
                f" '{printable(self.name)}'",
                ("name",),
            )
        if not 1 <= self.n_ctx <= MAX_N_CTX:
            found = "no slot has a table of positions: pass n_ctx= to Program"
            if self.n_ctx:
                found = f"found {self.n_ctx}"
            raise ProgramError(
                f"the context window must be 1 to {MAX_N_CTX}; {found}",
                ("n_ctx",),
            )
        if self.d_head is not None and not 1 <= self.d_head <= MAX_N_CTX:
            raise ProgramError(
                f"must be at least 1 and at most {MAX_N_CTX}, found {self.d_head}",
                ("d_head",),
            )
        if not self.vocabulary:
            raise ProgramError(
                "no slot has a table of tokens: add token(...) or pass vocabulary=",
                ("embedding",),
            )
        Vocabulary(self.vocabulary)

    def _check_slots(self) -> None:
        seen: set[str] = set()
        for i, slot in enumerate(self.embedding):
            problem = self._slot_problem(slot, seen)
            if problem is not None:
                raise ProgramError(problem, (f"embedding[{i}]",), slot.source)
            seen.add(slot.name)
        if not any(slot.tokens for slot in self.embedding):
            raise ProgramError(
                "no slot depends on the token, so every logit would be 0: add"
                " token(...)",
                ("embedding",),
            )

    def _slot_problem(self, slot: Slot, seen: set[str]) -> str | None:
        name = slot.name
        if name in seen:
            return f"the slot {name} is declared twice; give one of them another name"
        if slot.local:
            return (
                f"{name} is local to a head and has no column; use scratch(...)"
            )
        if slot.n_ctx is not None and slot.n_ctx != self.n_ctx:
            return f"{name} has {slot.n_ctx} positions, but the window is {self.n_ctx}"
        for token in slot.vocabulary:
            if token not in self.vocabulary:
                return (
                    f"{name} names the token '{printable(token)}', which is not in the"
                    f" vocabulary{hint(token, self.vocabulary)}"
                )
        return None

    def _check_memory(self) -> None:
        layout = self.layout
        inner = sum(
            len(block.mlp.neurons) for block in self.layers if block.mlp
        )
        attention = 4 * layout.n_embd * len(self.layers)
        rows = len(self.vocabulary) + self.n_ctx + attention + 2 * inner
        cells = layout.n_embd * rows
        if cells * 16 > _MAX_BYTES:
            raise ProgramError(
                f"the weights would need {cells * 16 / 2**30:.1f} GB ({layout.n_embd}"
                f" columns, window {self.n_ctx}); at most {_MAX_BYTES / 2**30:.0f} GB is"
                " allowed: use fewer lanes or a shorter window",
                ("n_ctx",),
            )

    def _check_claim(self) -> None:
        if self.claim is None:
            return
        known = {str(lane): lane for lane in self.layout.column}
        for problem in unknown_lanes(map(Lane.parse, self.claim.lanes), known):
            raise ProgramError(problem, ("claim",), self.claim.source)
        vocabulary = Vocabulary(self.vocabulary)
        check_claim(self.claim, vocabulary, self.n_ctx, causal=self.causal)

    @classmethod
    def from_data(cls, fields: object) -> Program:
        """The program of data that `model_dump` gave. Raises ProgramError for any other data."""
        if not isinstance(fields, Mapping):
            raise ProgramError(
                f"'program' must be of type dict, found {printable(repr(fields))[:60]}"
            )
        with without_source_lines():
            try:
                return cls(**{str(key): value for key, value in fields.items()})
            except ProgramError:
                raise
            except _NOT_RULES as error:
                raise ProgramError(
                    f"not the rules of a program: {type(error).__name__}"
                ) from None

    @cached_property
    def layout(self) -> Layout:
        """The columns of all lanes."""
        return Layout.of(self.embedding, self.layers, self.d_head)

    @asked_call("program.build")
    def build(self, dtype: str = "float32") -> Model:
        """The model of these rules, with weights that run, in float32 or float64.

        For the author's comfort: this is the one import of a room further down.
        """
        from handcraft.model import Model

        return Model.of(self, dtype)

    @asked_call("program")
    def __call__(
        self, prompt: str | Iterable[str], n: int | None = None
    ) -> str:
        """The text that the program adds to a prompt (a text or tokens), as `handcraft run` does.

        Each token is the likeliest. The text has `n` tokens, or ends with the claim's stop token;
        by default `n` is 20, or as many as the claim allows. Raises PromptError for a prompt that
        the claim does not cover. Built anew at every call: keep `build()` to ask many.
        """
        return self.build().generate(prompt, n)


def program_name(stem: str) -> str:
    """The name of a program in a file with this stem; characters that no name has become _."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", stem)
    return name if NAME.fullmatch(name) else "program"
