"""Model: weights that can be run, traced and saved, with their program if they have one.

    model = program.build()         from rules
    model = Model.load("build/aab") from a built directory
    model = Model.open("gpt2")      from any of these, or from a GPT-2 of Hugging Face
    model("aaba")                   logits [n_seq, n_vocab]
    model.generate("a", 10)         "baabaabaab"
    model.answer(["12+3=", "4+5="]) the answers of an `answers` program, in batches
    model.trace("aaba")             every intermediate, by name
    model.view()                    a page that runs it, in notebooks
    model.save("build/aab")         writes model.safetensors and program.json

Loading a built directory executes nothing and checks everything. Rules of this file: a Model is
frozen and its arrays are read-only; a prompt outside the claim's domain is refused.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, overload

import numpy as np

from handcraft.claims.kinds import Claim
from handcraft.claims.prompt_room import in_frame, prompt_room
from handcraft.core.arguments import asked_call
from handcraft.core.decoding import (
    Sampler,
    continue_together,
    generate,
    greedy,
)
from handcraft.core.errors import (
    HandcraftError,
    ProgramError,
    PromptError,
    WeightsError,
    hint,
    in_quotes,
    listing,
    printable,
)
from handcraft.core.frozen import no_attribute
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
from handcraft.core.provenance import Entry, provenance_json
from handcraft.core.source import caller
from handcraft.core.tracing import Names, Trace, name_trace, plain_names
from handcraft.core.vocabulary import Vocabulary
from handcraft.core.weights import flatten, nest
from handcraft.files.built_directory import (
    SEES_ALL,
    read_built,
    rebuild_hint,
    write_built,
)
from handcraft.files.pair import PROGRAM_JSON
from handcraft.files.program_file import find, load_program, summary
from handcraft.language.affine import kind_of
from handcraft.program.advice import advise
from handcraft.program.compiler import compile_program
from handcraft.program.matching import (
    Differences,
    check_matches,
    differences,
    differing_cells,
)
from handcraft.program.program import OF_HANDCRAFT, Program

Prompt = str | Iterable[str] | Iterable[int]  # a text, tokens, or ids
UNASKED = (
    20  # tokens generated where neither a number nor the claim says how many
)
DTYPES = ("float32", "float64")
# what a Sampler takes, and what generate takes for it
_DRAWN = {
    name: f"sampler=Sampler({name}=...)"
    for name in ("temperature", "top_k", "top_p", "seed")
}
MOST_TRACED = 2**24  # numbers that a trace of weights without a program names


_OTHER_WORDS = {
    "answers": "; write model.answer(prompts)",
    "build": "; a model is built already",
    "logits": "; model(text) gives them",
    "n_vocab": "; write len(model.vocabulary)",
    "run": "; write model.generate(text, n)",
}


@dataclass(frozen=True, eq=False)
class Model:
    """Weights in picoGPT's format, with the settings that are needed to run them.

    epsilon  of the layer norms; always GPT-2's own where there is a program
    about    the first line of the program file's docstring
    Raises WeightsError for weights that do not fit each other or the settings.
    """

    name: str
    weights: Weights
    vocabulary: Vocabulary
    n_head: int
    activation: Activation = "gelu"
    causal: bool = True
    program: Program | None = None
    epsilon: float = EPSILON
    about: str = ""

    def __post_init__(self) -> None:
        self._check_kinds()
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
        if self.program is not None:
            self._check_held()

    def _check_kinds(self) -> None:
        """Raise WeightsError for a setting of a wrong kind."""
        kinds: dict[str, tuple[Any, str]] = {
            "name": (str, "a text"),
            "weights": (Mapping, "a dict of arrays, as GPT-2 names them"),
            "vocabulary": (
                Vocabulary,
                "a Vocabulary, such as Vocabulary(('a', 'b'))",
            ),
            "n_head": (Integral, "a whole number"),
            "activation": (str, "'gelu' or 'relu'"),
            "causal": (bool, "True or False"),
            "program": (Program | None, "a Program or None"),
            "epsilon": (Real, "a number"),
            "about": (str, "a text"),
        }
        for name, (kind, words) in kinds.items():
            found = getattr(self, name)
            if not isinstance(found, kind):
                raise WeightsError(
                    f"{name} must be {words}, found {kind_of(found)}"
                )
        if self.activation not in get_args(Activation):
            raise WeightsError(
                f"activation must be 'gelu' or 'relu', found {self.activation!r:.60}"
            )

    def _check_held(self) -> None:
        """Raise WeightsError for what no proof, count or export of a program's model knows."""
        if self.weights.get("lm_head") is not None:
            raise WeightsError(
                "the unembedding of a program's model is wte; an lm_head of its own can"
                " be run, but not be held to a program or a claim"
            )
        if type(self.vocabulary) is not Vocabulary:
            raise WeightsError(
                "the tokens of a program's model stand in texts as they are; those of"
                f" {self.name} come from a tokenizer and cannot be held to a program or"
                " a claim; load_gpt2(directory, tokens=[...]) gives other ones"
            )

    # ------------------------------------------------------------ making and saving

    @classmethod
    @asked_call("Model.of")
    def of(cls, program: Program, dtype: str = "float32") -> Model:
        """The model of a program, in float32 or float64.

        Warns (AuthorWarning) of scores that are too small for what they name.
        """
        _is_program(program)
        compiled = compile_program(program, _checked_dtype(dtype))
        advise(program, compiled.weights)
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
    @asked_call("Model.open")
    def open(cls, reference: str, dtype: str = "float32") -> Model:
        """The model of a program file, a bundled program (by name), a built directory, or a GPT-2
        of Hugging Face.
        """
        _path(reference)
        path = find(os.fspath(reference))
        if path.is_dir():
            built = (path / PROGRAM_JSON).exists()
            return (
                cls.load(path, dtype)
                if built
                else cls.from_checkpoint(path, dtype=dtype)
            )
        model = cls.of(load_program(path), dtype)
        return model.replace(about=summary(path))

    @classmethod
    @asked_call("Model.load")
    def load(cls, directory: str | Path, dtype: str = "float32") -> Model:
        """The model of a built directory; nothing is executed.

        Raises WeightsError for files that are damaged or do not fit together.
        """
        directory = _path(directory)
        dtype = _checked_dtype(dtype)
        fields, weights = read_built(directory)
        flat = flatten(weights)
        with np.errstate(
            over="ignore"
        ):  # overflow is refused below as not finite
            arrays = {name: array.astype(dtype) for name, array in flat.items()}
        try:
            program = None
            if fields["program"] is not None:
                program = Program.from_data(fields["program"])
                check_matches(fields, weights, program)
            model = cls(
                fields["name"],
                nest(arrays, len(weights["blocks"])),
                Vocabulary(tuple(fields["vocab"])),
                fields["n_head"],
                fields["activation"],
                program.causal if program else fields.get(SEES_ALL, True),
                program,
            )
            _ = (
                model.entries
            )  # raises if a weight of the rules is beyond the dtype
            return model
        except (HandcraftError, RecursionError) as error:
            raise WeightsError(
                f"{directory / PROGRAM_JSON}: {printable(str(error))[:500]}"
                f"{rebuild_hint(fields, directory)}"
            ) from None

    @classmethod
    @asked_call("Model.from_checkpoint")
    def from_checkpoint(
        cls,
        directory: str | Path,
        tokens: Sequence[str] | None = None,
        dtype: str | None = None,
    ) -> Model:
        """The model of a GPT-2 of Hugging Face; nothing is executed.

        tokens  in the order of their ids, in place of its tokenizer
        dtype   float32 or float64; where it is None, that of the file, but at least float32

        Raises WeightsError for a checkpoint that is incomplete or not a GPT-2.
        """
        from handcraft.files.checkpoint import read_checkpoint

        directory = _path(directory)
        found = read_checkpoint(directory, tokens)
        arrays = found.arrays
        if dtype is not None:
            kind = _checked_dtype(dtype)
            with np.errstate(over="ignore"):  # refused as not finite
                arrays = {
                    name: array.astype(kind, copy=False)
                    for name, array in arrays.items()
                }
        try:
            return cls(
                found.name,
                nest(arrays),
                found.vocabulary,
                found.n_head,
                found.activation,
                epsilon=found.epsilon,
            )
        except WeightsError as error:
            raise error.of(directory) from None

    @asked_call("model.save")
    def save(self, directory: str | Path) -> list[Path]:
        """Write `model.safetensors` and `program.json`, and return their paths.

        Raises WeightsError for a model that is not float32, or that has tokens or an epsilon
        which the files cannot hold.
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
            "program": self.program.model_dump(mode="json")
            if self.program
            else None,
            "provenance": provenance_json(self.entries),
        }
        if self.program is None and not self.causal:
            fields[SEES_ALL] = False  # the rules would say it
        return write_built(_path(directory), fields, self.weights)

    # ------------------------------------------------------------ sizes

    @property
    def dtype(self) -> str:
        """The dtype of every weight and of the whole forward pass."""
        return str(self.weights["wte"].dtype)

    @property
    def n_ctx(self) -> int:
        """The length of the context window."""
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
        """The numbers of weights, of those that are not zero, and of distinct values of those."""
        arrays = flatten(self.weights).values()
        values = np.concatenate([array.ravel() for array in arrays])
        nonzero = np.sort(values[values != 0])  # np.unique takes long to import
        steps = np.count_nonzero(nonzero[1:] != nonzero[:-1])
        return {
            "dense": values.size,
            "nonzero": nonzero.size,
            "distinct": min(1, nonzero.size) + int(steps),
        }

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The values that each rule wrote into each cell; empty without a program."""
        return compile_program(self.program).entries if self.program else ()

    @property
    def config(self) -> dict[str, Any]:
        """The keyword arguments of `gpt2`; epsilon only where it is not GPT-2's own."""
        config: dict[str, Any] = {
            "n_head": self.n_head,
            "activation": self.activation,
            "causal": self.causal,
        }
        if self.epsilon != EPSILON:
            config["epsilon"] = self.epsilon
        return config

    # ------------------------------------------------------------ running

    def ids(self, prompt: Prompt) -> list[int]:
        """The ids of a text, of tokens, or of ids.

        Raises PromptError for an empty prompt or an unknown token.
        """
        if not isinstance(prompt, Iterable):
            raise PromptError(
                f"a prompt is a text, tokens or ids, found {type(prompt).__name__}"
            )
        given: Any = prompt if isinstance(prompt, str) else _listed(prompt)
        if not len(given):
            raise PromptError(
                "the text is empty; it needs at least one of the tokens"
                f" {listing(map(in_quotes, self.vocabulary.tokens))}"
            )
        if isinstance(given, str) or all(
            isinstance(token, str) for token in given
        ):
            return self.vocabulary.encode(given)
        ids = _array(given)
        # the dtype alone: the length is checked where it matters
        check_tokens(ids[:1] if ids.ndim else ids, self.weights)
        if ids.min() < 0 or ids.max() >= len(self.vocabulary):
            raise PromptError(
                f"token ids must lie in 0..{len(self.vocabulary) - 1}, found"
                f" {ids.min()}..{ids.max()}"
            )
        return [int(i) for i in ids]

    @asked_call("model")
    def __call__(self, tokens: Prompt | Array) -> Array:
        """The logits after every position: [n_seq] -> [n_seq, n_vocab].

        A batch of ids [n_batch, n_seq] gives [n_batch, n_seq, n_vocab].
        """
        ids = (
            tokens
            if isinstance(tokens, np.ndarray)
            else np.array(self.ids(tokens))
        )
        check_tokens(ids, self.weights)
        return finite(gpt2(ids, **self.weights, **self.config))

    @asked_call("model.generate", **_DRAWN)
    def generate(
        self,
        prompt: Prompt,
        n: int | None = None,
        *,
        sampler: Sampler | None = None,
        stop: str | None = None,
        cached: bool = True,
    ) -> str:
        """The continuation of the prompt as text: greedy, or drawn by a Sampler.

        It has `n` tokens, or ends with the stop token (given, or the claim's own). By default `n`
        is 20, or as many as the claim allows. Beyond n_ctx the window slides. Raises PromptError
        for a prompt outside the claim's domain.
        """
        new = self.continued(
            self.ids(prompt), n, sampler=sampler, stop=stop, cached=cached
        )
        return self.vocabulary.decode(new)

    @asked_call("model.continued", **_DRAWN)
    def continued(
        self,
        ids: Sequence[int],
        n: int | None = None,
        *,
        sampler: Sampler | None = None,
        stop: str | None = None,
        cached: bool = True,
    ) -> list[int]:
        """The ids of the tokens that `generate` adds to these ids."""
        if n is not None and not _is_whole(n):
            raise PromptError(
                "the number of tokens to add must be a whole number, found"
                f" {kind_of(n)}"
            )
        if not isinstance(sampler, Sampler | None):
            raise PromptError(
                f"sampler= takes a Sampler(...), found {kind_of(sampler)}"
            )
        if not isinstance(stop, str | None):
            raise PromptError(f"stop= takes a token, found {kind_of(stop)}")
        if not isinstance(cached, bool | np.bool_):
            raise PromptError(
                f"cached= takes True or False, found {kind_of(cached)}"
            )
        ids = self.ids(ids)
        limits = [limit for limit in (self.room(ids), n) if limit is not None]
        most = min(limits, default=UNASKED)
        stop = stop if stop is not None else self._stop_token
        choose = greedy if sampler is None else sampler.start()
        stop_id = None if stop is None else self.vocabulary.encode([stop])[0]
        return generate(
            self.weights,
            ids,
            most,
            choose=choose,
            stop=stop_id,
            cached=cached,
            **self.config,
        )

    @overload  # a text is an iterable of texts too, but the first signature wins
    def answer(self, prompts: str) -> str: ...  # type: ignore[overload-overlap]

    @overload
    def answer(self, prompts: Iterable[Prompt]) -> list[str]: ...

    @asked_call("model.answer")
    def answer(self, prompts: str | Iterable[Prompt]) -> str | list[str]:
        """The answer to a text, or the list of answers to several prompts, without stop tokens.

        For claims of the kind `answers`. Where its prompts are framed (`answer(e, ...)`), the text
        may stand alone, and the answer is what follows its echoes. For claims on each position
        (`tag(e, ...)`) it is the tokens of `tags`, with spaces between them where one is longer
        than a character. Prompts of equal length go through the model together. Raises
        PromptError, with the number of the prompt, for one outside the claim's domain, and
        ProgramError for a model with another claim or none.
        """
        claim = self._claim
        tags = claim is not None and claim.whole_text
        if not tags and (claim is None or not claim.asks_prompts):
            raise ProgramError(
                "has no answers, since its claim is not answers(...);"
                " model.generate(text, n) continues any text",
                (self.name,),
            )
        if isinstance(prompts, str):
            return self._tagged(prompts) if tags else self._answered(prompts)
        if isinstance(prompts, set | frozenset) or not isinstance(
            prompts, Iterable
        ):
            raise PromptError(
                "answers a text or a list of prompts, found"
                f" {type(prompts).__name__}"
            )
        if tags:
            return [self._tagged(prompt) for prompt in prompts]
        asked = []
        for i, prompt in enumerate(prompts):
            try:
                asked.append(self._asked(prompt))
            except PromptError as error:
                raise error.of(f"prompts[{i}]") from None
        return self._answers(asked)

    def _answered(self, prompt: Prompt) -> str:
        return self._answers([self._asked(prompt)])[0]

    def _tagged(self, text: Prompt) -> str:
        """The tags of a text as one, with spaces where one is longer than a character."""
        said = self.tags(text)
        return (" " if max(map(len, said)) > 1 else "").join(said)

    @asked_call("model.tags")
    def tags(self, text: Prompt) -> list[str]:
        """The likeliest token at each position of a text, as `tag(e, ...)` means it.

        Where the texts of the claim begin with a token of their own, the text may stand without
        it, and its position is left out. Raises PromptError for a text past the window.
        """
        ids = self.ids(text)
        begin = self.vocabulary.encode(self.begins)
        if ids[: len(begin)] != begin:
            ids = [*begin, *ids]
        logits = self(ids)[len(begin) :]  # [n_seq, n_vocab]
        return [self.vocabulary.tokens[int(i)] for i in logits.argmax(-1)]

    @property
    def begins(self) -> list[str]:
        """The token that stands before each text that the claim speaks of; none where there is
        none.
        """
        claim = self._claim
        if claim is None or not claim.whole_text or claim.begin is None:
            return []
        return [claim.begin]

    def _asked(self, prompt: Prompt) -> tuple[list[int], int, int]:
        """The ids of a prompt, the number of tokens that may follow, and of its echoes' tokens."""
        ids, echoed = self.in_frame(self.ids(prompt))
        return ids, self.room(ids) or 0, echoed

    def in_frame(self, ids: Sequence[int]) -> tuple[list[int], int]:
        """The prompt of a text, where the claim frames it and the text stands alone, else itself;
        and the number of tokens of its echoes.
        """
        claim = self._claim
        if claim is None or not claim.asks_prompts:
            return list(ids), 0
        return in_frame(claim, ids, self.vocabulary)

    def _answers(
        self, asked: Sequence[tuple[list[int], int, int]]
    ) -> list[str]:
        """The answers to prompts, each given by `_asked`, without echoes and stop tokens."""
        stop = self._stop_token
        end = None if stop is None else self.vocabulary.encode([stop])[0]
        prompts, rooms = [one[0] for one in asked], [one[1] for one in asked]
        answers = continue_together(
            self.weights, prompts, rooms, stop=end, **self.config
        )
        return [
            self.vocabulary.decode(self.answer_in(ids, echoed))
            for ids, (_, _, echoed) in zip(answers, asked, strict=True)
        ]

    def answer_in(self, ids: Sequence[int], echoed: int) -> list[int]:
        """The answer in what follows a prompt: what is after the echoes, without the stop token."""
        stop = self._stop_token
        end = None if stop is None else self.vocabulary.encode([stop])[0]
        return list(ids[:-1] if ids and ids[-1] == end else ids)[echoed:]

    @property
    def _claim(self) -> Claim | None:
        return self.program.claim if self.program else None

    @property
    def _stop_token(self) -> str | None:
        return self._claim.stop_token if self._claim else None

    def room(self, ids: Sequence[int]) -> int | None:
        """The number of tokens that may follow; None where the window slides.

        Raises PromptError for a text that is not a prompt of a claim on prompts.
        """
        claim = self._claim
        if claim is None or not claim.asks_prompts:
            return None
        return prompt_room(claim, ids, self.vocabulary, self.n_ctx, self.name)

    @asked_call("model.trace")
    def trace(
        self,
        context: Prompt,
        position: int | None = None,
        *,
        checked: bool = True,
    ) -> Trace:
        """Every intermediate of one context, by the names of the program.

        The contributions of the rules are those at `position`, by default the last. Raises
        PromptError for a position outside the context, and WeightsError where the logits are not
        finite, unless `checked` is False.
        """
        from handcraft.pictures.drawn import drawn_trace

        ids = self.ids(context)
        self._check_trace(len(ids))
        if position is not None and not (
            _is_whole(position) and position in range(len(ids))
        ):
            raise PromptError(
                f"the position must lie in 0..{len(ids) - 1}, found"
                f" {printable(repr(position))[:60]}"
            )
        arrays = trace(np.array(ids), self.weights, **self.config)
        if checked:
            finite(arrays["logits"])
        found = name_trace(
            arrays,
            ids,
            self.weights,
            self.vocabulary,
            self.names,
            self.entries,
            self.causal,
            len(ids) - 1 if position is None else position,
        )
        return drawn_trace(found)

    def _check_trace(self, n_seq: int) -> None:
        """Raise PromptError where the numbers of a trace are too many to be named one by one."""
        heads = self.n_layer * (self.n_head + 5) * self.n_embd
        most = max(1, MOST_TRACED // (len(self.vocabulary) + heads))
        if self.program is None and n_seq > most:
            raise PromptError(
                f"at most {most} tokens of {self.name} are traced at once, found"
                f" {n_seq}; handcraft.core.gpt2.trace has the arrays of any number"
            )

    @cached_property
    def names(self) -> Names:
        """The names of the columns of the stream and of each head; without a program x0, x1, ..."""
        if self.program is None:
            return plain_names(self.weights, self.n_head)
        layout = self.program.layout

        def of_head(i: int, h: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
            return layout.head_names(i, h, "match"), layout.head_names(
                i, h, "value"
            )

        layers = enumerate(self.program.layers)
        named = [
            [of_head(i, h) for h in range(len(b.heads))] for i, b in layers
        ]
        return Names(layout.names, named)

    def differences(self) -> list[str]:
        """The cells whose weights differ from the program's rules; none without a program."""
        if self.program is None:
            return []
        return differing_cells(self.weights, self.program)

    def differing(self) -> Differences | None:
        """How far the weights are from the program's rules; None where they are the same, or
        without a program.
        """
        if self.program is None:
            return None
        return differences(self.weights, self.program)

    @asked_call("model.held_to")
    def held_to(self, program: Program) -> Model:
        """The model of these weights with another program's rules and claim.

        Raises WeightsError where the weights cannot be those of the program.
        """
        _is_program(program)
        fields = {
            "vocab": list(self.vocabulary.tokens),
            "n_ctx": self.n_ctx,
            "n_head": self.n_head,
            "activation": self.activation,
        }
        check_matches(fields, self.weights, program)
        return dataclasses.replace(self, program=program, causal=program.causal)

    def replace(self, **changes: Any) -> Model:
        """A copy with some fields changed. Raises ProgramError for a name that is no field."""
        known = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise ProgramError(
                    f"a model has no such field; it has {', '.join(known)}"
                    f"{hint(name, known)}",
                    ("model.replace", name),
                    caller(),
                )
        return dataclasses.replace(self, **changes)

    if not TYPE_CHECKING:  # a type checker knows the attributes

        def __getattr__(self, name: str) -> Any:
            """Raises the error of an attribute that is not there, with what to write."""
            if name.startswith("_"):
                raise AttributeError(name)
            known = [x for x in dir(self) if x[0] != "_"]
            raise no_attribute(("Model",), name, _instead_of(name), known)

    def __repr__(self) -> str:
        sizes = (
            f"n_layer={self.n_layer}, n_head={self.n_head}, n_embd={self.n_embd},"
            f" n_vocab={len(self.vocabulary)}"
        )
        return (
            f"Model({self.name!r}, {sizes}, n_ctx={self.n_ctx}, {self.dtype})"
        )

    def view(self, *, verified: bool = True) -> Any:
        """The page that runs the model, as `handcraft.view` makes it: notebooks show it, and
        `.save(path)` writes it.

        verified  judge the claim first, for the verdict in the page
        """
        from handcraft.results.view import view

        return view(self, verified=verified)

    def _repr_html_(self) -> str:
        from handcraft.pictures.notebooks import model_page

        return model_page(self)


def _instead_of(name: str) -> str:
    """What an author may have meant by an attribute that no model has; else empty."""
    if name in OF_HANDCRAFT:
        return f"; write handcraft.{name}(model)"
    if name in Program.model_fields:
        return f"; its program has it: model.program.{name}"
    return _OTHER_WORDS.get(name, "")


def _is_program(given: object) -> None:
    """Raise ProgramError for what is no program."""
    if not isinstance(given, Program):
        raise ProgramError(f"a program is a Program, found {kind_of(given)}")


def _is_whole(value: object) -> bool:
    """True for a whole number, Python's or NumPy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def _path(given: str | Path) -> Path:
    """The path. Raises WeightsError for what is none."""
    if not isinstance(given, str | os.PathLike):
        raise WeightsError(
            f"a directory is named by a text or a path, found {kind_of(given)}"
        )
    return Path(given)


def _listed(prompt: Iterable[Any]) -> list[Any]:
    """The parts of a prompt. Raises PromptError for an array of no dimension."""
    if isinstance(prompt, np.ndarray) and not prompt.ndim:
        raise PromptError(
            f"a prompt is a text, tokens or ids, found the array {prompt}"
        )
    return list(prompt)


def _array(given: list[Any]) -> Array:
    """The parts of a prompt as an array of one dimension. Raises PromptError where they are none:
    NumPy asks them for a number, and they may raise whatever they like.
    """
    try:
        found = np.asarray(given)
    except Exception:
        found = np.empty((0, 0))
    if found.ndim != 1:
        odd = (x for x in given if not isinstance(x, str | Integral))
        raise PromptError(
            "a prompt is a text, tokens or ids, found a list with"
            f" {kind_of(next(odd, given))}"
        )
    return found


def _checked_dtype(dtype: str) -> str:
    named = isinstance(dtype, str | np.dtype)
    if not named or dtype not in DTYPES:
        found = printable(str(dtype)) if named else kind_of(dtype)
        raise WeightsError(
            f"the dtype must be {' or '.join(DTYPES)}, found {found}"
        )
    return dtype
