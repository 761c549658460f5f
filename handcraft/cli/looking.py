"""Runs the commands that look at a program: `explain` its matrices, `run` it, `trace` one
context, show the `circuit` in it, `read` its heads, `diff` it with another, and list its `states`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from handcraft.cli.completing import programs
from handcraft.cli.numbers import real, whole
from handcraft.cli.terminal import (
    PROGRAM_HELP,
    Dtype,
    Json,
    ProgramArgument,
    Tokens,
    given_file,
    open_model,
    print_json,
    read_prompt,
    show,
    writing,
)
from handcraft.core.errors import ProgramError, printable

if TYPE_CHECKING:
    from pathlib import Path

    from handcraft.core.decoding import Sampler
    from handcraft.model import Model


SaveSvg = Annotated[
    str | None,
    typer.Option(
        "--save", metavar="FILE", help="Write a picture to this .svg file."
    ),
]
SaveGraph = Annotated[
    str | None,
    typer.Option(
        "--save",
        metavar="FILE",
        help="Write a picture to this .svg, .dot, .mmd, .mermaid or .json file.",
    ),
]


def explain(
    program: ProgramArgument,
    part: Annotated[
        str | None,
        typer.Argument(
            metavar="PART",
            help="Show one part only, such as wte, 0.c_attn, 0.h1, 0.h1.qk or 0.mlp.",
        ),
    ] = None,
    save: SaveSvg = None,
    json: Json = False,
) -> None:
    """Show the matrices and the rule of each cell.

    Rows and columns have the names of their lanes; beside the cells stands the rule that wrote
    them, with the line of the program. With --save they are drawn: each number in its cell, with
    the letter of its rule.
    """
    picture = _svg_file(save)
    from handcraft.results.explain import explain as explain_model

    found = explain_model(open_model(program), part)
    _shown_and_saved(found, json, picture)


def _svg_file(given: str | None) -> Path | None:
    """The file to draw, None where none is asked for. Raises ProgramError for another ending."""
    path = given_file("--save", given)
    if path is not None:
        from handcraft.pictures.endings import ONLY_SVG, check_ending

        check_ending(path, ONLY_SVG)  # before anything is computed
    return path


def _graph_file(given: str | None) -> Path | None:
    """The same for a graph, which has several formats."""
    path = given_file("--save", given)
    if path is not None:
        from handcraft.pictures.endings import GRAPH_ENDINGS, check_ending

        check_ending(path, GRAPH_ENDINGS)
    return path


def _shown_and_saved(found: Any, json: bool, picture: Path | None) -> None:
    """Write the picture of a result, then print it, as JSON where that is asked for."""
    files = [] if picture is None else writing(lambda: [found.save(picture)])
    if json:
        return print_json(found.to_json())
    show(found.drawn)
    for file in files:
        print(f"\nwrote {printable(str(file))}")
    return None


def circuit(
    program: ProgramArgument,
    save: SaveGraph = None,
    json: Json = False,
) -> None:
    """Show which head and neuron feeds which.

    A row for each input of a head, of neurons and of the logits: which earlier part writes lanes
    that it reads, and which lanes these are. What is not listed does nothing.
    """
    picture = _graph_file(save)
    from handcraft.results.circuit import circuit as circuit_of

    _shown_and_saved(circuit_of(open_model(program)), json, picture)


def read(
    program: ProgramArgument,
    claim: Annotated[
        str | None,
        typer.Option(
            "--claim",
            metavar="FILE",
            help="Read the heads on the contexts of the claim in this file.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Read off the weights what each head does.

    Names and rules are not looked at: a head is read by what it attends to on the contexts of the
    claim, or on random texts. Each reading has the fraction of the attention that it explains, and
    of the predictions that stay with it in place of the head's own attention.
    """
    from handcraft.results.read import read as read_heads

    found = read_heads(open_model(program), claim=claim)
    if json:
        return print_json(found.to_json())
    return show(found.drawn)


def run(
    program: ProgramArgument,
    prompt: Annotated[
        str, typer.Argument(metavar="PROMPT", help="The text to continue.")
    ],
    n: Annotated[
        str | None,
        typer.Option(
            "-n",
            metavar="N",
            help="Add at most this many tokens (by default 20, or the whole answer where"
            " the claim is about answers).",
        ),
    ] = None,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample", help="Draw each token instead of taking the likeliest."
        ),
    ] = False,
    temperature: Annotated[
        str | None,
        typer.Option(
            "--temperature",
            metavar="T",
            help="With --sample: divide the logits by this (1 by default).",
        ),
    ] = None,
    top_k: Annotated[
        str | None,
        typer.Option(
            "--top-k",
            metavar="K",
            help="With --sample: draw from the k likeliest tokens.",
        ),
    ] = None,
    top_p: Annotated[
        str | None,
        typer.Option(
            "--top-p",
            metavar="P",
            help="With --sample: draw from the likeliest tokens that together have this"
            " probability.",
        ),
    ] = None,
    seed: Annotated[
        str | None,
        typer.Option(
            "--seed",
            metavar="N",
            help="With --sample: the same seed draws the same tokens.",
        ),
    ] = None,
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Continue a prompt.

    Each new token is the one with the highest logit, unless --sample is given. Past the window
    of the program (n_ctx) the oldest tokens are dropped, so positions count from a later token.
    A program made by `answer(...)` also takes the text alone, and then prints the answer alone;
    one made by `tag(...)`, or with another claim on each position, prints the token of each.
    """
    from handcraft.core.decoding import Sampler

    most = None if n is None else whole("-n", n, 0)
    given = (temperature, top_k, top_p, seed)
    if not sample and given != (None,) * 4:
        raise ProgramError(
            "--temperature, --top-k, --top-p and --seed go with --sample"
        )
    drawing = _drawing(temperature, top_k, top_p)
    chance = None if seed is None else whole("--seed", seed, 0)
    sampler = Sampler(**drawing, seed=chance) if sample else None
    model = open_model(program, dtype)
    given_ids = model.ids(read_prompt(prompt, tokens))
    if most is None and sampler is None and _tags(model):
        ids, said = given_ids, model.tags(given_ids)
        (completion,) = model.answer([given_ids])
    else:
        ids, new = _continued(model, given_ids, most, sampler)
        completion = model.vocabulary.decode(new)
        said = [model.vocabulary.tokens[i] for i in new]
    if json:
        names = model.vocabulary.tokens
        return print_json(
            {
                "prompt": model.vocabulary.decode(ids) if tokens else prompt,
                "completion": completion,
                "prompt_tokens": [names[i] for i in ids],
                "completion_tokens": said,
            }
        )
    # a line break is harmless, and texts have them
    print("\n".join(map(printable, completion.split("\n"))))
    return None


def _tags(model: Model) -> bool:
    """True for a model whose claim is about every position of a text."""
    claim = model.program.claim if model.program else None
    return claim is not None and claim.whole_text


def _continued(
    model: Model, given: list[int], most: int | None, sampler: Sampler | None
) -> tuple[list[int], list[int]]:
    """The prompt's ids, and those that follow: of a text that stands alone its answer."""
    ids, echoed = model.in_frame(given)
    new = model.continued(ids, most, sampler=sampler)
    if ids != given:
        new = model.answer_in(new, echoed)
    return ids, new


def _drawing(
    temperature: str | None, top_k: str | None, top_p: str | None
) -> dict[str, Any]:
    """The options that say how tokens are drawn, as numbers."""
    return {
        "temperature": 1.0
        if temperature is None
        else real("--temperature", temperature),
        "top_k": None if top_k is None else whole("--top-k", top_k),
        "top_p": None if top_p is None else real("--top-p", top_p),
    }


def trace(
    program: ProgramArgument,
    context: Annotated[
        str, typer.Argument(metavar="CONTEXT", help="The text to trace.")
    ],
    save: SaveSvg = None,
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Show one forward pass, number by number.

    Attention patterns, the residual stream by slot, the logits, and how much each rule added to
    them. With --save the attention of each head, the stream and the logits are drawn.
    """
    picture = _svg_file(save)
    from handcraft.results.trace import trace as trace_model

    prompt = read_prompt(context, tokens)
    found = trace_model(open_model(program, dtype), prompt)
    _shown_and_saved(found, json, picture)


def diff(
    a: Annotated[
        str,
        typer.Argument(metavar="A", help=PROGRAM_HELP, autocompletion=programs),
    ],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="The program to compare it with.",
            autocompletion=programs,
        ),
    ],
    json: Json = False,
) -> None:
    """Show how two programs differ.

    Lists the cells, the rules and the sizes that are not the same.
    """
    from handcraft.analysis.diff import diff_models

    found = diff_models(open_model(a), open_model(b))
    if json:
        return print_json(found.to_json())
    from handcraft.results.model_tables import difference

    return show(lambda _: difference(found))


def states(
    program: ProgramArgument,
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="TEXT",
            help="Start from this context (can be given several times).",
        ),
    ] = None,
    avoid: Annotated[
        str | None,
        typer.Option(
            "--avoid",
            metavar="TEXT",
            help="Ask whether a context that contains this text can be reached.",
        ),
    ] = None,
    save: SaveGraph = None,
    floor: Annotated[
        str,
        typer.Option(
            "--floor",
            metavar="P",
            help="Treat tokens at or below this probability as impossible.",
        ),
    ] = "0",
    temperature: Annotated[
        str,
        typer.Option(
            "--temperature", metavar="T", help="Divide the logits by this."
        ),
    ] = "1",
    top_k: Annotated[
        str | None,
        typer.Option(
            "--top-k",
            metavar="K",
            help="Keep the k likeliest tokens; 1 takes the likeliest.",
        ),
    ] = None,
    top_p: Annotated[
        str | None,
        typer.Option(
            "--top-p",
            metavar="P",
            help="Keep the likeliest tokens that together have this probability.",
        ),
    ] = None,
    limit: Annotated[
        str,
        typer.Option(
            "--limit", metavar="N", help="Compute at most this many contexts."
        ),
    ] = "4096",
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Show the Markov chain over contexts.

    For each context: how likely each next token is, its share of the time in the long run, and
    whether the chain stays there or leaves it for good. With --avoid the exit code is 1 where
    the text can be reached, and the path to it is shown.
    """
    picture = _graph_file(save)
    from handcraft.results.states import states as states_of

    sampling = _drawing(temperature, top_k, top_p)
    lowest = real("--floor", floor)
    most = whole("--limit", limit, 1)
    model = open_model(program, dtype)
    found = states_of(
        model,
        starts=[read_prompt(text, tokens) for text in start or ()],
        avoid=None if avoid is None else read_prompt(avoid, tokens),
        floor=lowest,
        **sampling,
        limit=most,
    )
    _shown_and_saved(found, json, picture)
    raise typer.Exit(found.exit_code)
