"""Model: weights that run, with the program they came from where there is one.

    model = program.build()         from rules                model = Model.load("build/aab")
                                    from data
    model("aaba")                   logits [n_seq, n_vocab]   model.generate("a", 10)
                                    "baabaabaab"
    model.trace("aaba")             every number by name      model.save("build/aab")
                                    two files

A built directory holds `model.safetensors` and `program.json`; loading it executes nothing and
checks everything. Rules of this file: a Model is frozen and its arrays are read-only; a prompt
that the claim does not cover is refused, never answered silently.
"""

from __future__ import annotations

import dataclasses
import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.core import provenance
from handcraft.core.decoding import Sampler, generate, greedy
from handcraft.core.errors import (
    HandcraftError,
    PromptError,
    WeightsError,
    listing,
    printable,
)
from handcraft.core.gpt2 import (
    EPSILON,
    Activation,
    Array,
    Weights,
    check_tokens,
    check_weights,
    finite,
    gpt2,
    trace,
)
from handcraft.core.provenance import Entry
from handcraft.core.tracing import Names, Trace, name_trace
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest
from handcraft.files.built_directory import (
    PROGRAM_JSON,
    read_built,
    rebuild_hint,
    write_built,
)
from handcraft.files.program_file import find, load_program
from handcraft.program.compiler import compile_program, shapes
from handcraft.program.program import Program

Prompt = str | Iterable[str] | Iterable[int]  # a text, tokens, or ids
UNASKED = 20  # tokens, where neither a number nor a claim's window says how many
DTYPES = ("float32", "float64")


@dataclass(frozen=True, eq=False)
class Model:
    """Weights in picoGPT's format with what is needed to run them. Raises WeightsError for
    weights that do not fit.
    """

    name: str
    weights: Weights
    vocabulary: Vocabulary
    n_head: int
    activation: Activation = "gelu"
    causal: bool = True
    program: Program | None = None
    # of the layer norms; the methods that verify a program know no other
    epsilon: float = EPSILON

    def __post_init__(self) -> None:
        check_weights(self.weights, self.n_head)
        if len(self.vocabulary) != self.weights["wte"].shape[0]:
            raise WeightsError(
                f"{len(self.vocabulary)} tokens, but wte has"
                f" {self.weights['wte'].shape[0]} rows"
            )
        if not 0 <= self.epsilon < math.inf:
            raise WeightsError(
                f"epsilon must be finite and not negative, found {self.epsilon}"
            )
        if self.epsilon != EPSILON and self.program is not None:
            raise WeightsError(
                f"the layer norms of a program's model have epsilon {EPSILON}, found"
                f" {self.epsilon}"
            )

    # ------------------------------------------------------------ where models come from

    @classmethod
    def of(cls, program: Program, dtype: str = "float32") -> Model:
        """The model of a program, in float32 or float64."""
        compiled = compile_program(program, _checked_dtype(dtype))
        return cls(
            program.name,
            compiled.weights,
            Vocabulary(program.vocabulary),
            compiled.layout.n_head,
            program.activation,
            program.causal,
            program,
        )

    @classmethod
    def open(cls, reference: str, dtype: str = "float32") -> Model:
        """The model of a program file, a bundled program's name, or a built directory."""
        path = find(reference)
        return (
            cls.load(path, dtype)
            if path.is_dir()
            else cls.of(load_program(path), dtype)
        )

    @classmethod
    def load(cls, directory: str | Path, dtype: str = "float32") -> Model:
        """The model of a built directory: data, nothing is executed. Raises WeightsError for
        anything amiss.
        """
        directory, dtype = Path(directory), _checked_dtype(dtype)
        fields, weights = read_built(directory)
        with np.errstate(over="ignore"):  # what overflows is refused as not finite
            arrays = {
                name: array.astype(dtype) for name, array in flatten(weights).items()
            }
        try:
            program = (
                None
                if fields["program"] is None
                else Program.from_data(fields["program"])
            )
            _agree(fields, weights, program)
            model = cls(
                fields["name"],
                nest(arrays, len(weights["blocks"])),
                Vocabulary(tuple(fields["vocab"])),
                fields["n_head"],
                fields["activation"],
                program.causal if program else True,
                program,
            )
            # compiles the rules, which may be past the range of the dtype
            _ = model.entries
            return model
        except (HandcraftError, RecursionError) as error:
            raise WeightsError(
                f"{directory / PROGRAM_JSON}: {printable(str(error))[:500]}"
                f"{rebuild_hint(fields, directory)}"
            ) from None

    def save(self, directory: str | Path) -> list[Path]:
        """Write `model.safetensors` and `program.json`; returns their paths. Raises
        WeightsError for what they cannot hold.
        """
        if self.dtype != "float32":
            raise WeightsError(
                f"a built directory holds float32, this model is {self.dtype}; build it"
                " in float32"
            )
        if type(self.vocabulary) is not Vocabulary:
            raise WeightsError(
                "a built directory holds tokens that stand in texts as they are, not"
                f" those of {self.name}"
            )
        if self.epsilon != EPSILON:
            raise WeightsError(
                f"the layer norms of a built directory have epsilon {EPSILON}, this"
                f" model's have {self.epsilon}"
            )
        fields = {
            "name": self.name,
            "vocab": self.vocabulary.tokens,
            "n_ctx": self.n_ctx,
            "n_head": self.n_head,
            "activation": self.activation,
            "program": self.program.model_dump(mode="json") if self.program else None,
            "provenance": provenance.provenance_json(self.entries),
        }
        return write_built(Path(directory), fields, self.weights)

    # ------------------------------------------------------------ sizes

    @property
    def dtype(self) -> str:
        """The dtype of every weight and of the whole forward pass."""
        return str(self.weights["wte"].dtype)

    @property
    def n_ctx(self) -> int:
        """The context window."""
        return int(self.weights["wpe"].shape[0])

    @property
    def n_embd(self) -> int:
        """The width of the residual stream."""
        return int(self.weights["wte"].shape[1])

    @property
    def n_layer(self) -> int:
        """The number of blocks."""
        return len(self.weights["blocks"])

    @property
    def parameters(self) -> dict[str, int]:
        """How many weights there are, how many are not zero, and how many distinct values those
        have.
        """
        values = np.concatenate(
            [array.ravel() for array in flatten(self.weights).values()]
        )
        nonzero = values[values != 0]
        return {
            "dense": values.size,
            "nonzero": nonzero.size,
            "distinct": np.unique(nonzero).size,
        }

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """What each rule wrote into each cell; empty where there is no program."""
        return compile_program(self.program).entries if self.program else ()

    @property
    def config(self) -> dict[str, Any]:
        """What the forward pass needs beside the weights; epsilon only where it is not GPT-2's
        own.
        """
        own = {} if self.epsilon == EPSILON else {"epsilon": self.epsilon}
        return {
            "n_head": self.n_head,
            "activation": self.activation,
            "causal": self.causal,
            **own,
        }

    # ------------------------------------------------------------ running

    def ids(self, prompt: Prompt) -> list[int]:
        """The ids of a text, of tokens, or of ids. Raises PromptError for an empty prompt or an
        unknown token.
        """
        if not isinstance(prompt, Iterable):
            raise PromptError(
                f"a prompt is a text, tokens or ids, found {type(prompt).__name__}"
            )
        given: Any = prompt if isinstance(prompt, str) else list(prompt)
        if not len(given):
            raise PromptError(
                "the prompt is empty; it needs at least one of the tokens"
                f" {listing(self.vocabulary.tokens)}"
            )
        if isinstance(given, str) or all(isinstance(token, str) for token in given):
            return self.vocabulary.encode(given)
        ids = np.asarray(given)
        check_tokens(
            ids[:1] if ids.ndim else ids, self.weights
        )  # the kind; the length is the caller's matter
        if ids.min() < 0 or ids.max() >= len(self.vocabulary):
            raise PromptError(
                f"token ids must lie in 0..{len(self.vocabulary) - 1}, found"
                f" {ids.min()}..{ids.max()}"
            )
        return [int(i) for i in ids]

    def __call__(self, tokens: Prompt | Array) -> Array:
        """The logits after every position: [n_seq] -> [n_seq, n_vocab], or a batch [n_batch,
        n_seq] of ids.
        """
        ids = tokens if isinstance(tokens, np.ndarray) else np.array(self.ids(tokens))
        check_tokens(ids, self.weights)
        return finite(gpt2(ids, **self.weights, **self.config))

    def generate(
        self,
        prompt: Prompt,
        n: int | None = None,
        *,
        sampler: Sampler | None = None,
        stop: str | None = None,
        cached: bool = True,
    ) -> str:
        """The continuation of the prompt: greedy, or drawn by a Sampler; the window slides past
        n_ctx.

        `n` tokens, or fewer where the stop token (given, or the claim's own) comes first; by
        default 20, or what the claim's window holds. Raises PromptError for a prompt outside
        the claim's domain.
        """
        ids = self.ids(prompt)
        room = self.room(ids)
        most = (
            UNASKED
            if room is None and n is None
            else min(x for x in (room, n) if x is not None)
        )
        stop = stop if stop is not None else self._stop_token
        choose = greedy if sampler is None else sampler.start()
        stop_id = None if stop is None else self.vocabulary.encode([stop])[0]
        new = generate(
            self.weights,
            ids,
            most,
            choose=choose,
            stop=stop_id,
            cached=cached,
            **self.config,
        )
        return self.vocabulary.decode(new)

    @property
    def _claim(self) -> Claim | None:
        return self.program.claim if self.program else None

    @property
    def _stop_token(self) -> str | None:
        return self._claim.stop_token if self._claim else None

    def room(self, ids: Sequence[int]) -> int | None:
        """How many tokens may follow: None where the window slides. A claim of prompts refuses
        what is not one.
        """
        claim = self._claim
        if claim is None or not claim.asks_prompts:
            return None
        text = self.vocabulary.decode(ids)
        if text not in claim.language(
            self.n_ctx, self.vocabulary
        ) or self.vocabulary.encode(text) != list(ids):
            shown = (
                claim.prompts
                if len(claim.prompts) <= 60
                else claim.prompts[:60] + "..."
            )
            some = max(islice(claim.language(self.n_ctx, self.vocabulary), 20), key=len)
            domain = (
                f"its prompts match '{printable(shown)}', such as '{printable(some)}',"
                f" and fit {self.n_ctx} tokens"
            )
            raise PromptError(
                f"'{printable(text)}' is not a prompt of {self.name}; {domain} with"
                " their answer"
            )
        if claim.known:
            claim.expected(
                text, self.vocabulary, self.n_ctx
            )  # refuses a prompt whose answer does not fit
        asked = [self.vocabulary.tokens[i] for i in ids]
        if self.n_ctx - len(ids) + 1 < (claim.size(asked) or 1):
            raise PromptError(
                f"'{printable(text)}' and its answer do not fit the {self.n_ctx} tokens"
                f" of {self.name}"
            )
        return claim.room(asked, self.vocabulary, self.n_ctx)

    def trace(
        self, context: Prompt, position: int | None = None, *, checked: bool = True
    ) -> Trace:
        """Every intermediate of one context, by the names of the program; what the rules gave
        at a position, or the last.

        Raises WeightsError where the logits are not finite, unless they are asked for as they are.
        """
        ids = self.ids(context)
        arrays = trace(np.array(ids), self.weights, **self.config)
        if checked:
            finite(arrays["logits"])
        at = len(ids) - 1 if position is None else position
        return name_trace(
            arrays,
            ids,
            self.weights,
            self.vocabulary,
            self.names,
            self.entries,
            self.causal,
            at,
        )

    @cached_property
    def names(self) -> Names:
        """The names of the stream's columns and of each head's; plain numbers where there is no
        program.
        """
        d_head = self.n_embd // self.n_head
        if self.program is None:
            columns = [f"x{i}" for i in range(d_head)]
            blocks = self.weights["blocks"]
            heads = [
                [(columns, columns)] * self.n_head if "attn" in block else []
                for block in blocks
            ]
            return Names([f"x{i}" for i in range(self.n_embd)], heads)
        layout = self.program.layout
        layers = enumerate(self.program.layers)
        return Names(
            layout.names,
            [
                [
                    (layout.head_names(i, h, "match"), layout.head_names(i, h, "value"))
                    for h in range(len(block.heads))
                ]
                for i, block in layers
            ],
        )

    def differences(self) -> list[str]:
        """The cells whose weight is not what the program's rules say: none, unless someone
        changed a file.
        """
        if self.program is None:
            return []
        rules = flatten(
            compile_program(self.program).weights
        )  # in float32, as a built directory holds them
        own = {
            name: array.astype("float32")
            for name, array in flatten(self.weights).items()
        }
        cells = (
            (name, index)
            for name in own
            for index in np.argwhere(own[name] != rules[name])
        )
        return [f"{name}{list(map(int, index))}" for name, index in cells]

    def held_to(self, program: Program) -> Model:
        """These weights with another program's rules and claim. Raises WeightsError where the
        two cannot belong together.
        """
        fields = {
            "vocab": list(self.vocabulary.tokens),
            "n_ctx": self.n_ctx,
            "n_head": self.n_head,
            "activation": self.activation,
        }
        _agree(fields, self.weights, program)
        return dataclasses.replace(self, program=program, causal=program.causal)

    def replace(self, **changes: Any) -> Model:
        """A copy with some fields changed, e.g. other weights."""
        return dataclasses.replace(self, **changes)

    def __repr__(self) -> str:
        sizes = (
            f"n_layer={self.n_layer}, n_head={self.n_head}, n_embd={self.n_embd},"
            f" n_vocab={len(self.vocabulary)}"
        )
        return f"Model({self.name!r}, {sizes}, n_ctx={self.n_ctx}, {self.dtype})"

    def _repr_html_(self) -> str:
        rows = {
            "layers": self.n_layer,
            "heads": self.n_head,
            "n_embd": self.n_embd,
            "n_ctx": self.n_ctx,
            "tokens": listing(self.vocabulary.tokens, 30),
            "columns": listing(self.names.stream, 30),
            "parameters": (
                f"{self.parameters['nonzero']} non-zero of {self.parameters['dense']}"
            ),
        }
        cells = "".join(
            f"<tr><th>{html.escape(k)}</th><td>{html.escape(str(v))}</td></tr>"
            for k, v in rows.items()
        )
        return f"<table><caption>{html.escape(self.name)}</caption>{cells}</table>"


def _agree(fields: dict[str, Any], weights: Weights, program: Program | None) -> None:
    """Raises WeightsError where the fields or the weights of a built directory cannot be those
    of its program.
    """
    if program is None:
        return
    layout, n_layer = program.layout, len(weights["blocks"])
    if n_layer != len(program.layers):
        raise WeightsError(
            f"n_layer is {n_layer}, but the program's is {len(program.layers)}"
        )
    own = {
        "vocab": list(program.vocabulary),
        "n_ctx": program.n_ctx,
        "n_head": layout.n_head,
        "activation": program.activation,
    }
    for key, value in own.items():
        if fields[key] != value:
            raise WeightsError(
                f"{key} is {printable(str(fields[key]))[:60]}, but the program's is"
                f" {printable(str(value))[:60]}"
            )
    found, expected = (
        {name: array.shape for name, array in flatten(weights).items()},
        shapes(program),
    )
    for name in {**expected, **found}:
        if found.get(name) != expected.get(name):
            raise WeightsError(
                f"{name} has the shape {found.get(name)}, but the program's has"
                f" {expected.get(name)}"
            )


def _checked_dtype(dtype: str) -> str:
    if dtype not in DTYPES:
        raise WeightsError(
            f"the dtype must be {' or '.join(DTYPES)}, found {printable(str(dtype))}"
        )
    return dtype
