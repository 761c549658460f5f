"""Runs the commands that look at a program: `explain` its matrices, `run` it, `trace` one
context, `diff` it with another, and list its `states`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handcraft.cli.terminal import (
    PROGRAM_HELP,
    Dtype,
    Json,
    ProgramArgument,
    Tokens,
    open_model,
    print_json,
    read_prompt,
    show,
    writing,
)
from handcraft.core.errors import ProgramError, printable


def explain(
    program: ProgramArgument,
    part: Annotated[
        str | None,
        typer.Argument(
            metavar="PART",
            help="Show one part only, such as wte, 0.c_attn, 0.h1, 0.h1.qk or 0.mlp.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show the matrices and the rule of each cell.

    Rows and columns have the names of their lanes; beside the cells stands the rule that wrote
    them, with the line of the program.
    """
    from handcraft.results.explain import explain as explain_model

    found = explain_model(open_model(program), part)
    return print_json(found.to_json()) if json else show(found.drawn)


def run(
    program: ProgramArgument,
    prompt: Annotated[str, typer.Argument(help="The text to continue.")],
    n: Annotated[
        int | None,
        typer.Option("-n", min=0, help="Add at most this many tokens."),
    ] = None,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample", help="Draw each token instead of taking the likeliest."
        ),
    ] = False,
    temperature: Annotated[
        float,
        typer.Option(
            "--temperature", help="With --sample: divide the logits by this."
        ),
    ] = 1.0,
    top_k: Annotated[
        int | None,
        typer.Option(
            "--top-k", help="With --sample: draw from the k likeliest tokens."
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p",
            help="With --sample: draw from the likeliest tokens that together have this"
            " probability.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            min=0,
            help="With --sample: the same seed draws the same tokens.",
        ),
    ] = None,
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Continue a prompt.

    Each new token is the one with the highest logit, unless --sample is given.
    """
    from handcraft.core.decoding import Sampler

    if not sample and (temperature, top_k, top_p, seed) != (
        1.0,
        None,
        None,
        None,
    ):
        raise ProgramError(
            "--temperature, --top-k, --top-p and --seed go with --sample"
        )
    model = open_model(program, dtype)
    sampler = Sampler(temperature, top_k, top_p, seed) if sample else None
    completion = model.generate(read_prompt(prompt, tokens), n, sampler=sampler)
    if json:
        return print_json({"prompt": prompt, "completion": completion})
    # a line break is harmless, and texts have them
    print("\n".join(map(printable, completion.split("\n"))))
    return None


def trace(
    program: ProgramArgument,
    context: Annotated[str, typer.Argument(help="The text to trace.")],
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Show one forward pass, number by number.

    Attention patterns, the residual stream by slot, the logits, and how much each rule added to
    them.
    """
    from handcraft.results.trace import trace as trace_model

    prompt = read_prompt(context, tokens)
    found = trace_model(open_model(program, dtype), prompt)
    return print_json(found.to_json()) if json else show(found.drawn)


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=PROGRAM_HELP)],
    b: Annotated[
        str, typer.Argument(metavar="B", help="The program to compare it with.")
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
            help="Start from this context (can be given several times).",
        ),
    ] = None,
    avoid: Annotated[
        str | None,
        typer.Option(
            "--avoid",
            help="Ask whether a context that contains this text can be reached.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save",
            help="Write a picture to this .svg, .dot, .mmd, .mermaid or .json file.",
        ),
    ] = None,
    floor: Annotated[
        float,
        typer.Option(
            "--floor",
            help="Treat tokens at or below this probability as impossible.",
        ),
    ] = 0.0,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Divide the logits by this.")
    ] = 1.0,
    top_k: Annotated[
        int | None,
        typer.Option(
            "--top-k",
            help="Keep the k likeliest tokens; 1 takes the likeliest.",
        ),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p",
            help="Keep the likeliest tokens that together have this probability.",
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", min=1, help="Compute at most this many contexts."
        ),
    ] = 4096,
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Show the Markov chain over contexts.

    For each context: how likely each next token is, its share of the time in the long run, and
    whether the chain stays there or leaves it for good. With --avoid the exit code is 1 where
    the text can be reached, and the path to it is shown.
    """
    from handcraft.analysis.states_files import check_picture
    from handcraft.results.states import states as states_of

    if save is not None:
        check_picture(save)  # before anything is computed
    model = open_model(program, dtype)
    found = states_of(
        model,
        starts=[read_prompt(text, tokens) for text in start or ()],
        avoid=None if avoid is None else read_prompt(avoid, tokens),
        floor=floor,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        limit=limit,
    )
    files = [] if save is None else writing(lambda: [found.save(save)])
    if json:
        print_json(found.to_json())
    else:
        show(found.drawn)
        for file in files:
            print(f"\nwrote {printable(str(file))}")
    raise typer.Exit(found.exit_code)
