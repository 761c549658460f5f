"""Runs the commands that look at a program: `explain` its matrices, `run` it, `trace` one
context, `diff` it with another, and list its `states`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from handcraft.cli.terminal import (
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
            metavar="[PART]", help="Such as wte, 0.c_attn, 0.h1, 0.h1.qk, 0.mlp."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print the matrices, lanes named on both sides, with the rule behind every cell."""
    from handcraft.analysis.explain import explain as explain_model

    model = open_model(program)
    found = explain_model(model, part)
    if json:
        return print_json(found.to_json())
    from handcraft.cli.model_tables import explanation

    return show(lambda width: explanation(model, found, width))


def run(
    program: ProgramArgument,
    prompt: Annotated[str, typer.Argument(help="The text to continue.")],
    n: Annotated[
        int | None, typer.Option("-n", min=0, help="How many tokens at most.")
    ] = None,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample", help="Draw from the probabilities instead of taking the best."
        ),
    ] = False,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Divides the logits; with --sample.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="Keep the k likeliest; with --sample.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            "--top-p", help="Keep the likeliest up to this probability; with --sample."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, help="Makes the draw repeatable; with --sample."),
    ] = None,
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Continue a prompt."""
    from handcraft.core.decoding import Sampler

    if not sample and (temperature, top_k, top_p, seed) != (1.0, None, None, None):
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
    """Show one forward pass: attention, residual stream, logits, and which rule gave each logit
    what.
    """
    found = open_model(program, dtype).trace(read_prompt(context, tokens))
    if json:
        return print_json(found.to_json())
    from handcraft.cli.model_tables import trace_tables

    return show(lambda width: trace_tables(found, width))


def diff(a: ProgramArgument, b: ProgramArgument, json: Json = False) -> None:
    """Show which cells, rules and sizes differ between two programs."""
    from handcraft.analysis.diff import diff_models

    found = diff_models(open_model(a), open_model(b))
    if json:
        return print_json(found.to_json())
    from handcraft.cli.model_tables import difference

    return show(lambda _: difference(found))


def states(
    program: ProgramArgument,
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            help="A context to start from, more than once if wished; else all.",
        ),
    ] = None,
    avoid: Annotated[
        str | None,
        typer.Option("--avoid", help="Can a context that holds this text be reached?"),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="A picture: .svg, .dot, .mmd, .mermaid or .json."),
    ] = None,
    floor: Annotated[
        float,
        typer.Option(
            "--floor",
            help="A token that is not likelier than this counts as impossible.",
        ),
    ] = 0.0,
    temperature: Annotated[
        float, typer.Option("--temperature", help="Divides the logits.")
    ] = 1.0,
    top_k: Annotated[
        int | None, typer.Option("--top-k", help="Keep the k likeliest; 1 is greedy.")
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option("--top-p", help="Keep the likeliest up to this probability."),
    ] = None,
    limit: Annotated[
        int,
        typer.Option("--limit", min=1, help="How many contexts to compute at most."),
    ] = 4096,
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Show the model as a Markov chain over contexts: probabilities, what lasts, what can be
    reached.
    """
    from handcraft.analysis.reachability import avoid as search
    from handcraft.analysis.states import explore
    from handcraft.analysis.states_files import check_picture, save_picture
    from handcraft.core.decoding import Sampler

    if save is not None:
        check_picture(save)  # before anything is computed
    model = open_model(program, dtype)
    starts = [read_prompt(text, tokens) for text in start or ()]
    sampler = Sampler(temperature, top_k, top_p)
    chain = explore(model, starts, sampler=sampler, floor=floor, limit=limit)
    avoided = search(chain, read_prompt(avoid, tokens)) if avoid is not None else None
    chain = chain if avoided else chain.whole()
    files: list[Path] = []
    if save is not None:
        files = writing(lambda: [save_picture(chain, save, avoided)])
    if json:
        print_json(chain.to_json() | {"avoided": avoided and avoided.to_json()})
    else:
        from handcraft.cli.state_tables import states_table

        show(lambda _: states_table(chain, avoided))
        print("".join(f"\nwrote {printable(str(file))}\n" for file in files), end="")
    raise typer.Exit(avoided.exit_code if avoided else 0)
