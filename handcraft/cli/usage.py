"""Says what is wrong with the arguments of a command, in this project's words.

typer reads the arguments. What it raises has the command, the parameter and the option in fields,
and its own sentences differ from version to version: here a sentence is made of the fields.

Rules of this file: nothing here knows a command; an argument that was typed is shown in quotes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand, TyperGroup

from handcraft.core.errors import HandcraftError, hint, in_quotes


class UsageError(HandcraftError):
    """Arguments that no command can read; `usage` is the line that says what it reads."""

    def __init__(self, message: str, context: Any) -> None:
        super().__init__(message)
        self.usage = usage_line(context)


class Commands(TyperGroup):
    """The group of all commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the options before the command."""
        with _of(ctx):
            return super().parse_args(ctx, args)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Writes the first line of the help."""
        formatter.write_usage(ctx.command_path, _words(self))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names. Raises UsageError where there is none."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing:
            near = hint(name, self.commands)
            message = f"there is no command {in_quotes(name)}"
            raise UsageError(
                message + (near or "; `handcraft --help` lists them"), ctx
            )
        return super().resolve_command(ctx, args)


class OneCommand(TyperCommand):
    """A command that names the arguments it has no use for."""

    allow_extra_args = True

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the arguments. Raises UsageError where some are left over."""
        with _of(ctx):
            left = super().parse_args(ctx, args)
        if left and not ctx.resilient_parsing:
            many = f"{len(left)} arguments" if len(left) > 1 else "one argument"
            shown = " ".join(map(in_quotes, left))
            raise UsageError(f"{many} too many: {shown}", ctx)
        return left

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Writes the first line of the help."""
        formatter.write_usage(ctx.command_path, _words(self))


@contextlib.contextmanager
def _of(context: Any) -> Iterator[None]:
    """Tells an error of its body which command it belongs to, where typer has not."""
    try:
        yield
    except Exception as error:
        if getattr(error, "ctx", context) is None:
            error.ctx = context  # type: ignore[attr-defined]
        raise


def told(error: Any) -> UsageError | None:
    """The error that typer raised, in our words; None for what is none of the arguments'."""
    kind = type(error).__name__
    context = getattr(error, "ctx", None)
    if context is None:
        return None
    if kind == "MissingParameter":
        return UsageError(f"{_shown(error.param)} is missing", context)
    if kind == "NoSuchOption":
        name = error.option_name
        near = hint(name, _options(context.command))
        return UsageError(
            f"there is no option {in_quotes(name)}{near}", context
        )
    if kind == "BadOptionUsage":
        name = error.option_name
        flag = _options(context.command).get(name, True)
        wants = "takes no value" if flag else "needs a value"
        return UsageError(f"the option {in_quotes(name)} {wants}", context)
    return UsageError(error.format_message(), context)


def usage_line(context: Any) -> str:
    """One line that says how a command is called: `usage: handcraft new NAME [OPTIONS]`."""
    return f"usage: {context.command_path} {_words(context.command)}"


def _words(command: Any) -> str:
    if isinstance(command, TyperGroup):
        return "COMMAND ..."
    needed = (_usage(param) for param in command.params)
    return " ".join([*filter(None, needed), "[OPTIONS]"])


def _usage(param: Any) -> str:
    if param.param_type_name == "argument":
        return _shown(param) if param.required else f"[{_shown(param)}]"
    return f"{_shown(param)} {param.metavar}" if param.required else ""


def _shown(param: Any) -> str:
    """An argument by the word that stands for it, an option by its longest name."""
    if param.param_type_name == "argument":
        return str(param.metavar)
    return str(max(param.opts, key=len))


def _options(command: Any) -> dict[str, bool]:
    """The names of a command's options; True for one that takes no value."""
    return {
        name: bool(param.is_flag)
        for param in command.params
        if param.param_type_name == "option"
        for name in (*param.opts, *param.secondary_opts)
    }
