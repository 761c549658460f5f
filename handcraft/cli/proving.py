"""Runs the commands that prove: `verify` checks a program's claim, `assumptions` checks what a
certificate takes for granted of this machine's exp and tanh.
"""

from __future__ import annotations

import os
import sys
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handcraft.cli.completing import programs
from handcraft.cli.numbers import whole
from handcraft.cli.terminal import (
    Dtype,
    Json,
    ProgramArgument,
    ProgressBar,
    given_file,
    open_model,
    print_json,
    show,
    writing,
)
from handcraft.core.errors import ProgramError, WeightsError, printable

if TYPE_CHECKING:
    from handcraft.claims.kinds import Claim
    from handcraft.model import Model
    from handcraft.program.program import Program
    from handcraft.proof.report import Report

_NOWHERE = f"{os.devnull}/hypothesis"  # no folder can be made there


def verify(
    program: ProgramArgument,
    method: Annotated[
        str | None,
        typer.Option(
            "--method",
            metavar="METHODS",
            help="Try only these methods, in this order, separated by commas:"
            " lanes, certificate, exhaustive, sampled.",
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            "--budget",
            metavar="BUDGET",
            help="Spend at most this many contexts, or seconds (30s).",
        ),
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(
            "--program",
            metavar="FILE",
            autocompletion=programs,
            help="Check a built directory against the rules and the claim in this file.",
        ),
    ] = None,
    claim: Annotated[
        str | None,
        typer.Option(
            "--claim",
            metavar="FILE",
            autocompletion=programs,
            help="Check any model against the claim in this file alone, whatever its rules.",
        ),
    ] = None,
    jobs: Annotated[
        str | None,
        typer.Option(
            "--jobs",
            metavar="N",
            help="Number of worker processes (0: one per core).",
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            metavar="BACKEND",
            help="Run the worker processes with loky (on this machine), dask or ray.",
        ),
    ] = "loky",
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="ADDRESS",
            help="Use the dask or ray cluster at this address.",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            "--checkpoint",
            metavar="FILE",
            help="Save progress in this file, and go on from it after an interruption.",
        ),
    ] = None,
    certificate: Annotated[
        str | None,
        typer.Option(
            "--certificate",
            metavar="FILE",
            help="Write the proof to this file (gzipped if its name ends in .gz).",
        ),
    ] = None,
    check: Annotated[
        str | None,
        typer.Option(
            "--check",
            metavar="FILE",
            help="Check the proof in this file, without a search.",
        ),
    ] = None,
    longest: Annotated[
        bool,
        typer.Option(
            "--longest",
            help="Say up to which length a proof of a program without positions holds.",
        ),
    ] = False,
    json: Json = False,
    dtype: Dtype = "float32",
) -> None:
    """Prove a program's claim, or check it.

    First a proof for every context is looked for, or a bound on how many are right. If none is
    found, every context is checked; if there are too many, contexts are drawn. The exit code
    is 1 where the claim is refuted, with the shortest counterexample, and 3 where nothing is
    decided, or less than half is certain.
    """
    from handcraft.proof import METHODS, Budget, Spread
    from handcraft.proof import verify as verify_model
    from handcraft.proof.claimed import unless_changed

    model, other = _held(open_model(program, dtype), rules, claim)
    methods = (
        [name.strip() for name in method.split(",")]
        if method is not None
        else list(METHODS)
    )
    limits = Budget.parse(budget) if budget is not None else Budget()
    workers = None if jobs is None else whole("--jobs", jobs, 0)
    kept = given_file("--checkpoint", checkpoint)
    spread = Spread(workers, backend, address, kept)
    write = given_file("--certificate", certificate)
    read = given_file("--check", check)
    with (
        ProgressBar(f"verifying {model.name}") as progress,
        redirect_stdout(sys.stderr),
    ):
        # hypothesis would keep notes in the user's folder: where it cannot
        # write it goes on without
        os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", _NOWHERE)
        if write is not None or read is not None:
            _has_proof(model, other)
            free = methods == list(METHODS)
            report = _certified(
                model, other, write, read, free, progress, limits.seconds
            )
        else:
            report = verify_model(
                model,
                methods=methods,
                budget=limits,
                progress=progress,
                spread=spread,
                claim=other,
            )
    if longest and claim is None:
        report = _with_longest(model, report)
    written = write is not None and report.verdict in ("proved", "bounded")
    report = (
        unless_changed(model, report, told=rules is not None)
        if claim is None
        else replace(report, claim=claim)
    )
    print_json(report.to_json()) if json else _print_report(model, report)
    if written and not json:
        print(f"\nwrote {printable(str(write))}")
    raise typer.Exit(report.exit_code)


def _with_longest(model: Model, report: Report) -> Report:
    """The report of a proof with the length up to which it holds."""
    from handcraft.proof.longest import longest_proved

    if report.verdict != "proved":
        return report
    return replace(report, longest=longest_proved(model))


def _held(
    model: Model, rules: str | None, claim: str | None
) -> tuple[Model, Claim | None]:
    """The model with the rules and the claim of another program file if one is given; or with
    another claim alone, which comes back as well.
    """
    from handcraft.files.program_file import find, load_program
    from handcraft.results.opening import held_to_claim_in

    if rules is not None and claim is not None:
        raise ProgramError(
            "--program holds a model to rules and claim, --claim to a claim alone; pass"
            " one of them"
        )
    with redirect_stdout(sys.stderr):
        if rules is not None:
            path = find(rules)
            _is_file(path, rules)
            return _with_rules(model, load_program(path), rules), None
        if claim is not None:
            return held_to_claim_in(model, claim)
    return model, None


def _is_file(path: Path, rules: str) -> None:
    """Raise ProgramError for a directory, whose rules are not in a program file."""
    if path.is_dir():
        raise ProgramError(
            "--program takes a program file, or the name of a bundled program;"
            f" {printable(rules)} is a directory"
        )


def _with_rules(model: Model, program: Program, file: str) -> Model:
    try:
        return model.held_to(program)
    except WeightsError as error:
        raise WeightsError(
            f"{error}; --claim {printable(file)} holds it to the claim alone"
        ) from None


def _has_proof(model: Model, claim: Claim | None) -> None:
    """Raise ProgramError for weights without a program, which have no proof unless the claim says
    the greatest of some tokens.
    """
    from handcraft.proof.separable.method import is_ranked

    if model.program is None and not (claim and is_ranked(model, claim)):
        raise ProgramError(
            "the model has no rules, and so no proof; leave out --certificate and"
            " --check",
            (model.name,),
        )


def _certified(
    model: Model,
    claim: Claim | None,
    write: Path | None,
    read: Path | None,
    free: bool,
    progress: ProgressBar,
    seconds: float,
) -> Report:
    """Write a certificate, or check one."""
    from handcraft.proof.certificate_files import certify, check_certificate

    if not free or (write is not None and read is not None):
        raise ProgramError(
            "--certificate and --check go without each other and without --method"
        )
    if read is not None:
        return check_certificate(model, read, progress, claim)
    return writing(
        lambda: certify(model, write or Path(), progress, seconds, claim)
    )


def _print_report(model: Model, report: Report) -> None:
    from handcraft.results import model_tables, verdict_tables

    show(lambda _: verdict_tables.report(report))
    wrong = report.counterexample
    if wrong is not None and report.verdict != "bounded":
        print()
        try:
            # unchecked: what is not finite is what it shows
            found = model.trace(wrong.tokens, wrong.position, checked=False)
            show(
                lambda width: model_tables.counterexample_tables(
                    found, width, model.name
                )
            )
        except OSError:
            raise  # whoever reads has left, or the disk is full
        except (
            Exception
        ) as error:  # the verdict stands, whatever becomes of its trace
            why = f"{type(error).__name__} {error}".strip()
            print(
                printable(f"its trace cannot be shown: {why}"), file=sys.stderr
            )


def assumptions(
    step: Annotated[
        str,
        typer.Option(
            "--step",
            metavar="N",
            help="Check every N-th float32 only (1 takes minutes).",
        ),
    ] = "1",
    json: Json = False,
) -> None:
    """Check this machine's exp and tanh.

    Proofs assume how exact they are: this checks every float32 and a sample of float64. The exit
    code is 1 where the assumption does not hold.
    """
    from handcraft.proof.exponential import check_all

    every = whole("--step", step, 1)
    with ProgressBar("exp and tanh") as progress:
        found = check_all(every, progress)
    holds = all(finding.holds for finding in found)
    if json:
        print_json(
            {
                "holds": holds,
                "findings": [finding.to_json() for finding in found],
            }
        )
    else:
        from handcraft.results.verdict_tables import findings

        show(lambda _: findings(found))
    raise typer.Exit(0 if holds else 1)
