"""The command line: every command opens a program, calls one function of the library, and prints what it returns.

PROGRAM is a path to a .py, the name of a bundled program, or a built directory. Exit codes: 0 done; 1 refuted, or a
check failed; 2 bad usage or bad input; 3 undecided. `--json` prints one JSON object on stdout and nothing else.

Rules of this file: the only one that prints. Heavy imports stand inside the commands, so that `--help` costs none.
"""

from __future__ import annotations

import io
import json as json_module
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from handcraft.errors import ExportError, HandcraftError, ProgramError, printable

if TYPE_CHECKING:
    from handcraft.model import Model
    from handcraft.proof.report import Report

app = typer.Typer(
    help="A construction kit for hand-weighted transformers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Program = Annotated[str, typer.Argument(metavar="PROGRAM", help="A program file, a bundled program's name, or a built directory.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Dtype = Annotated[str, typer.Option("--dtype", help="float32 or float64.")]
Tokens = Annotated[bool, typer.Option("--tokens", help="The text is a JSON list of tokens.")]
PROGRESS_AFTER = 2.0  # seconds
T = TypeVar("T")


def main() -> None:
    """Run the command line; every error of a user's is one line on stderr."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what is half-written is taken away
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without these characters is no reason to fail
    try:
        code = app(standalone_mode=False) or 0  # a command's Exit comes back as its code
        sys.stdout.flush()
        sys.exit(code)
    except HandcraftError as error:
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _reader_left()
    except SystemExit as done:
        if isinstance(done.__context__, BrokenPipeError):  # typer ends with 1, which means refuted here
            _reader_left()
        raise
    except Exception as error:
        _usage(error)
        raise


def _usage(error: Exception) -> None:
    """End with the message of a usage error, which typer raises under several names; anything else is a defect."""
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error)
        sys.exit(0)
    if hasattr(error, "exit_code") and hasattr(error, "format_message"):
        _fail(error.format_message(), error.exit_code)


def _reader_left() -> None:
    """Whoever read our output has left, as `head` does: end quietly."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that the interpreter's flush is silent
    sys.exit(141)


def _fail(message: str, code: int) -> None:
    print(f"error: {printable(message.replace(chr(10), ' '))}", file=sys.stderr)
    sys.exit(code)


def _out(value: dict[str, Any]) -> None:
    print(json_module.dumps(value, allow_nan=False))


def _show(make: Callable[[int], Any]) -> None:
    """Print a renderable that was made for the console's width."""
    from handcraft import render

    console = render.console()
    console.print(make(console.width))


def _open(reference: str, dtype: str = "float32") -> Model:
    from handcraft.model import Model

    with redirect_stdout(sys.stderr):  # what an author's file prints is not our answer
        return Model.open(reference, dtype)


def _prompt(text: str, tokens: bool) -> str | list[str]:
    """The text itself, or the tokens of a JSON list."""
    if not tokens:
        return text
    try:
        value = json_module.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, list) or not all(isinstance(token, str) for token in value):
        raise ProgramError(f'--tokens takes a JSON list of tokens such as ["a", "b"], found {text[:60]!r}')
    return value


@app.command()
def build(
    program: Program,
    out: Annotated[Path | None, typer.Option("--out", help="The directory to write; build/NAME by default.")] = None,
    json: Json = False,
) -> None:
    """Write the weights and program.json of a program."""
    model = _open(program)
    directory = out or Path("build") / model.name
    files = _writing(lambda: model.save(directory))
    sizes = {"n_layer": model.n_layer, "n_head": model.n_head, "n_embd": model.n_embd,
             "n_vocab": len(model.vocabulary), "n_ctx": model.n_ctx}  # fmt: skip
    if json:
        return _out({"program": model.name, "out": str(directory), "files": [str(f) for f in files], **sizes,
                     "parameters": model.parameters})  # fmt: skip
    print(", ".join(f"{key} {value}" for key, value in sizes.items()))
    print("parameters: " + ", ".join(f"{value} {key}" for key, value in model.parameters.items()))
    print("\n".join(f"wrote {printable(str(file))}" for file in files))
    return None


def _writing(write: Callable[[], T]) -> T:
    try:
        return write()
    except OSError as error:
        raise ProgramError(f"cannot write {printable(str(error.filename or 'the file'))}: {error.strerror}") from None


@app.command()
def explain(
    program: Program,
    part: Annotated[str | None, typer.Argument(metavar="[PART]", help="Such as wte, 0.c_attn, 0.h1, 0.h1.qk, 0.mlp.")] = None,
    json: Json = False,
) -> None:
    """Print the matrices, lanes named on both sides, with the rule behind every cell."""
    from handcraft.explanation import explain as explain_model

    model = _open(program)
    found = explain_model(model, part)
    if json:
        return _out(found.to_json())
    from handcraft import render

    return _show(lambda width: render.explanation(model, found, width))


@app.command()
def run(
    program: Program,
    prompt: Annotated[str, typer.Argument(help="The text to continue.")],
    n: Annotated[int | None, typer.Option("-n", min=0, help="How many tokens at most.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="Draw from the probabilities instead of taking the best.")] = False,
    temperature: Annotated[float, typer.Option("--temperature", help="Divides the logits; with --sample.")] = 1.0,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Keep the k likeliest; with --sample.")] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Keep the likeliest up to this probability; with --sample.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Makes the draw repeatable; with --sample.")] = None,
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Continue a prompt."""
    from handcraft.generation import Sampler

    if not sample and (temperature, top_k, top_p, seed) != (1.0, None, None, None):
        raise ProgramError("--temperature, --top-k, --top-p and --seed go with --sample")
    model = _open(program, dtype)
    sampler = Sampler(temperature, top_k, top_p, seed) if sample else None
    completion = model.generate(_prompt(prompt, tokens), n, sampler=sampler)
    if json:
        return _out({"prompt": prompt, "completion": completion})
    print("\n".join(map(printable, completion.split("\n"))))  # a line break is harmless, and texts have them
    return None


@app.command()
def trace(
    program: Program,
    context: Annotated[str, typer.Argument(help="The text to trace.")],
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Show one forward pass: attention, residual stream, logits, and which rule gave each logit what."""
    found = _open(program, dtype).trace(_prompt(context, tokens))
    if json:
        return _out(found.to_json())
    from handcraft import render

    return _show(lambda width: render.trace(found, width))


@app.command()
def verify(
    program: Program,
    method: Annotated[
        str | None, typer.Option("--method", help="certificate, exhaustive, sampled, or several in order, with commas.")
    ] = None,
    budget: Annotated[str | None, typer.Option("--budget", help="Contexts, or seconds such as 30s.")] = None,
    rules: Annotated[
        str | None, typer.Option("--program", help="The program file whose claim a built directory is held to.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=0, help="Processes that count contexts; 0 for one on each core.")
    ] = None,
    backend: Annotated[str, typer.Option("--backend", help="Where they run: loky (here), dask or ray.")] = "loky",
    address: Annotated[str | None, typer.Option("--address", help="Of a dask or ray cluster.")] = None,
    checkpoint: Annotated[Path | None, typer.Option("--checkpoint", help="A file from which an interrupted run goes on.")] = None,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", help="Write the proof to this file, gzipped if it ends in .gz.")
    ] = None,
    check: Annotated[Path | None, typer.Option("--check", help="Check the certificate of this file; nothing is searched.")] = None,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Check the program against its claim, on every context where that is possible."""
    from handcraft.proof import METHODS, Budget, Spread
    from handcraft.proof import verify as verify_model

    model = _open(program, dtype)
    if rules is not None:
        from handcraft.loader import find, load_program

        with redirect_stdout(sys.stderr):
            model = model.held_to(load_program(find(rules)))
    methods = [name.strip() for name in method.split(",")] if method is not None else list(METHODS)
    limits = Budget.parse(budget) if budget is not None else Budget()
    spread = Spread(jobs, backend, address, checkpoint)
    with tempfile.TemporaryDirectory() as notes, _Progress(f"verifying {model.name}") as progress, redirect_stdout(sys.stderr):
        os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", notes)  # hypothesis would keep its notes in the user's folder
        if certificate is not None or check is not None:
            report = _certified(model, certificate, check, methods == list(METHODS), progress, limits.seconds)
        else:
            report = verify_model(model, methods=methods, budget=limits, progress=progress, spread=spread)
    if changed := model.differences():
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        report = replace(report, verdict="refuted", reason=f"the weights are not what the rules say, at {changed[0]}{more}")
    _out(report.to_json()) if json else _print_report(model, report)
    raise typer.Exit(report.exit_code)


def _certified(model: Model, write: Path | None, read: Path | None, free: bool, progress: _Progress, seconds: float) -> Report:
    """Write a certificate, or check one."""
    from handcraft.proof.certifying import certify, check_certificate

    if not free or (write is not None and read is not None):
        raise ProgramError("--certificate and --check go without each other and without --method")
    if read is not None:
        return check_certificate(model, read)
    return _writing(lambda: certify(model, write or Path(), progress, seconds))


def _print_report(model: Model, report: Report) -> None:
    from handcraft import render

    _show(lambda _: render.report(report))
    if report.counterexample is not None:
        print()
        _show(lambda width: render.trace(model.trace(report.counterexample.tokens), width))  # type: ignore[union-attr]


class _Progress:
    """A progress bar on stderr that appears only after two seconds."""

    bar: Any

    def __init__(self, text: str) -> None:
        self.text, self.start = text, time.monotonic()
        self.bar = None  # rich's, made when it is needed

    def __enter__(self) -> _Progress:
        return self

    def __call__(self, done: int, total: int) -> None:
        if self.bar is None and time.monotonic() - self.start > PROGRESS_AFTER and sys.stderr.isatty():
            from handcraft import render

            self.bar = render.progress()
            self.bar.start()
            self.task = self.bar.add_task(printable(self.text), total=total or None)
        if self.bar is not None:
            self.bar.update(self.task, completed=done)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()


@app.command()
def assumptions(
    step: Annotated[int, typer.Option("--step", min=1, help="Only every so manieth float32; 1 takes minutes.")] = 1,
    json: Json = False,
) -> None:
    """Check what a certificate assumes of this machine's exp and tanh: every float32, and a sample of float64."""
    from handcraft.proof.exponential import check_all

    with _Progress("exp and tanh") as progress:
        found = check_all(step, progress)
    holds = all(finding.holds for finding in found)
    if json:
        _out({"holds": holds, "findings": [finding.to_json() for finding in found]})
    else:
        from handcraft import render

        _show(lambda _: render.findings(found))
    raise typer.Exit(0 if holds else 1)


@app.command()
def diff(a: Program, b: Program, json: Json = False) -> None:
    """Show which cells, rules and sizes differ between two programs."""
    from handcraft.comparison import compare

    found = compare(_open(a), _open(b))
    if json:
        return _out(found.to_json())
    from handcraft import render

    return _show(lambda _: render.difference(found))


@app.command()
def states(
    program: Program,
    start: Annotated[
        list[str] | None, typer.Option("--from", help="A context to start from, more than once if wished; else all.")
    ] = None,
    avoid: Annotated[str | None, typer.Option("--avoid", help="Can a context that holds this text be reached?")] = None,
    save: Annotated[Path | None, typer.Option("--save", help="A picture: .svg, .dot, .mmd, .mermaid or .json.")] = None,
    floor: Annotated[float, typer.Option("--floor", help="A token that is not likelier than this counts as impossible.")] = 0.0,
    temperature: Annotated[float, typer.Option("--temperature", help="Divides the logits.")] = 1.0,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Keep the k likeliest; 1 is greedy.")] = None,
    top_p: Annotated[float | None, typer.Option("--top-p", help="Keep the likeliest up to this probability.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many contexts to compute at most.")] = 4096,
    tokens: Tokens = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Show the model as a Markov chain over contexts: probabilities, what lasts, what can be reached."""
    from handcraft.avoidance import avoid as search
    from handcraft.generation import Sampler
    from handcraft.pictures import check_picture, save_picture
    from handcraft.states import explore

    if save is not None:
        check_picture(save)  # before anything is computed
    model, starts = _open(program, dtype), [_prompt(text, tokens) for text in start or ()]
    chain = explore(model, starts, sampler=Sampler(temperature, top_k, top_p), floor=floor, limit=limit)
    avoided = search(chain, _prompt(avoid, tokens)) if avoid is not None else None
    chain = chain if avoided else chain.whole()
    files = _writing(lambda: [save_picture(chain, save, avoided)]) if save is not None else []
    if json:
        _out(chain.to_json() | {"avoided": avoided and avoided.to_json()})
    else:
        from handcraft import render

        _show(lambda _: render.states(chain, avoided))
        print("".join(f"\nwrote {printable(str(file))}\n" for file in files), end="")
    raise typer.Exit(avoided.exit_code if avoided else 0)


@app.command()
def export(
    program: Program,
    to: Annotated[str, typer.Option("--to", metavar="RUNTIME", help="gpt2, picogpt, nanogpt, transformer-lens, onnx or gguf.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The directory to write.")],
    norm: Annotated[
        str | None, typer.Option("--norm", help="How layer norms do nothing: mirror, quiet or none, as the runtime allows.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files of an earlier export.")] = False,
    json: Json = False,
) -> None:
    """Write the model for another runtime, checked against the forward pass."""
    from handcraft.runtimes import export as export_model

    model = _open(program)
    try:
        with _Progress(f"checking {model.name} in {to}") as progress, redirect_stdout(sys.stderr):  # some runtimes talk
            done = export_model(model, to, out, norm=norm, force=force, progress=progress)
    except ExportError as error:
        if json:
            _out({"to": to, "out": str(out), "files": [], "check": error.check})
        raise
    if json:
        return _out(done.to_json())
    print("\n".join(f"wrote {printable(str(file))}" for file in done.files))
    print(done.check)
    return None


@app.command("list")
def list_programs(json: Json = False) -> None:
    """List the bundled programs."""
    from handcraft.loader import bundled, summary

    programs = {name: summary(path) for name, path in bundled().items()}
    if json:
        return _out({"programs": programs})
    from handcraft import render

    return _show(lambda _: render.listing(programs))


@app.command()
def new(name: Annotated[str, typer.Argument(help="The program's name; NAME.py is written here.")], json: Json = False) -> None:
    """Write a starting program."""
    from handcraft.starting import starting_program

    path = Path(f"{name}.py")
    _writing(lambda: [starting_program(name, path)])
    if json:
        return _out({"out": str(path)})
    print(f"wrote {printable(str(path))}; now run: handcraft explain {path}")
    return None


if __name__ == "__main__":
    main()
