"""Wraps a function of the author's, so that it has a name in JSON and its errors are reported.

A claim may be any Python function. It can only be called, so it is never proved, and a built
directory holds its name alone. Rules of this file: whatever the function does wrong is one
ProgramError on the claim, which names the function, what it was asked, what came of it, and the
line of the author's file; what can be seen before it is called is refused where it is written.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Any, Literal

from handcraft.core.errors import ProgramError, printable
from handcraft.core.source import Source, reading_data
from handcraft.sequence.expression import Expression
from handcraft.sequence.values import shown

Question = Literal["context", "prompt", "text"]
_ELSE = {  # what helps where a function raises
    "context": "where the claim says nothing, return None",
    "prompt": "each prompt of the claim needs an answer",
    "text": "where the claim says nothing at a position, put None there",
}
_PLAIN = (str, int, float, bool, type(None))  # shown without their type
_MOST = 200  # characters of a context, or of a message, in one of ours


@dataclass(frozen=True, eq=False)
class Callback:
    """A function of the author's, with its name.

    call  the function; None in a program that was read from data
    code  its code object, which is equal for functions with equal text
    """

    name: str
    call: Callable[[Any], Any] | None = field(default=None, repr=False)
    code: object = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        """Compares the names and, where both have a function, its code."""
        if not isinstance(other, Callback):
            return NotImplemented
        return self.name == other.name and (
            None in (self.code, other.code) or self.code == other.code
        )

    def __hash__(self) -> int:
        return hash(self.name)

    @classmethod
    def of(cls, value: Any) -> Any:
        """The Callback of a function, or of its name in data; anything else itself.

        Raises ProgramError for a function that cannot be asked: of no argument or several, async,
        with `yield`, or one of handcraft's own.
        """
        if isinstance(value, str) and reading_data():
            return cls(value)
        if not callable(value) or isinstance(value, cls):
            return value
        name = getattr(value, "__name__", type(value).__name__)
        found = cls(name, value, getattr(value, "__code__", value))
        if (problem := _unfit(value, printable(name))) is not None:
            raise ProgramError(problem, (), found.source)
        return found

    @property
    def source(self) -> Source | None:
        """The file and line where the function begins, if it is written in Python."""
        call: Any = inspect.unwrap(self.call) if self.call else None
        if not inspect.isfunction(call) or _ours(call):
            return None
        code = call.__code__
        return Source(_file(code, call.__globals__), code.co_firstlineno)

    def __call__(self, argument: Any, asked: Question = "context") -> Any:
        """What the function returns. Raises ProgramError where it raises anything itself."""
        if self.call is None:
            raise ProgramError(
                f"the claim is the function '{printable(self.name)}', which a built"
                " directory does not hold; check it beside its program file: verify"
                " DIRECTORY --program FILE"
            )
        try:
            said = self.call(argument)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # also SystemExit: it may raise anything
            if _by_us(error):
                raise
            raise self._raised(error, argument, asked) from error
        # a text of a subclass compares as its author likes
        return str.__str__(said) if isinstance(said, str) else said

    def _raised(
        self, error: BaseException, argument: Any, asked: Question
    ) -> ProgramError:
        message = _message(error)
        found = type(error).__name__ + (f": {message}" if message else "")
        return ProgramError(
            f"the function '{printable(self.name)}' raised {found} on the {asked}"
            f" {_shortened(argument)}{_help(error, message, argument, asked)}",
            ("claim",),
            _place(error) or self.source,
        )

    def refused(
        self, said: Any, argument: Any, wanted: str, asked: Question = "context"
    ) -> ProgramError:
        """The error for an answer that the function must not give."""
        if inspect.iscoroutine(said):
            said.close()  # else Python warns that nobody waits for it
        return ProgramError(
            f"the function '{printable(self.name)}' returned {_described(said)} on the"
            f" {asked} {_shortened(argument)}; {wanted}",
            ("claim",),
            self.source,
        )


# ------------------------------------------------------------ before it is called


def _unfit(call: Any, name: str) -> str | None:
    """The reason why a function cannot be asked, as far as it can be seen; None for none."""
    body = call
    if not inspect.isroutine(call) and not inspect.isclass(call):
        body = getattr(call, "func", type(call).__call__)  # of a partial
    if _ours(call):
        return f"{name} is {_ours_instead(call, name)}"
    if inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body):
        return f"the function '{name}' is async; write it with def alone"
    if inspect.isgeneratorfunction(body):
        return f"the function '{name}' yields; it must return its answer"
    if (written := _not_of_one(call)) is not None:
        return (
            "a claim's function takes one argument, the context (of `answers`, the"
            f" prompt), and this one is {name}{printable(written)}"
        )
    return None


def _ours_instead(call: Any, name: str) -> str:
    """The kind of a function or a value of ours, and the words to write instead."""
    if isinstance(getattr(call, "__self__", None), Expression):
        return "a method of an expression; the expression itself is a claim"
    if "handcraft.rasp." in type(call).__module__:
        return (
            "an expression of handcraft.rasp, which answers for every position; write"
            " lambda text: e(text)[-1] for the last, each(lambda text: e(text)) for all"
        )
    return f"a function of handcraft's own; call it: {name}(...)"


def _ours(call: Any) -> bool:
    return str(getattr(call, "__module__", "")).startswith("handcraft.")


def _not_of_one(call: Any) -> str | None:
    """The arguments of a function that cannot be called with one; None if it can, or if unknown."""
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):  # as of some that are written in C
        return None
    try:
        signature.bind(None)
    except TypeError:
        empty = inspect.Parameter.empty
        arguments = signature.parameters.values()
        return str(
            inspect.Signature(
                [
                    one.replace(annotation=empty, default=empty)
                    for one in arguments
                ]
            )
        )
    return None


# ------------------------------------------------------------ what came of it


def _by_us(error: BaseException) -> bool:
    """True for what a signal's handler raised while the function ran: no fault of the function."""
    if isinstance(error, Exception):
        return False
    last = list(traceback.walk_tb(error.__traceback__))[-1][0]
    return str(last.f_globals.get("__name__")).startswith("handcraft.")


def _place(error: BaseException) -> Source | None:
    """The last line in the traceback that is in the function's own folder, None without any."""
    frames = list(traceback.walk_tb(error.__traceback__))[1:]  # not ours
    lines = [
        Source(_file(frame.f_code, frame.f_globals), line)
        for frame, line in frames
    ]
    own = [line for line in lines if _folder(line) == _folder(lines[0])]
    return own[-1] if own else None


def _file(code: CodeType, names: Mapping[str, Any]) -> str:
    """The file of a code object. One that came to a worker process has lost its name there."""
    if code.co_filename.startswith("<"):
        return str(names.get("__file__", code.co_filename))
    return code.co_filename


def _folder(place: Source) -> Path:
    return Path(place.file).absolute().parent


def _message(error: BaseException) -> str:
    """An exception's message on one line; empty where it has none."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # an author's own exceptions may do anything
        return ""
    return _cut(printable(text))


def _help(
    error: BaseException, message: str, argument: Any, asked: Question
) -> str:
    """The words that may help: what the function is given, where it seems to expect otherwise."""
    if isinstance(argument, tuple) and (
        ("tuple" in message and not isinstance(error, IndexError))
        or (isinstance(error, KeyError) and error.args[:1] == (argument,))
    ):
        return (
            f'; it is given a tuple of tokens, and "".join({asked}) is the text'
        )
    if isinstance(argument, str) and "'str' object has no" in message:
        return "; it is given a text" + (
            ""
            if asked == "prompt"
            else f", one character a token, and tuple({asked}) are the tokens"
        )
    # what leaves, or needs more than there is, is mended otherwise
    if isinstance(error, MemoryError | RecursionError):
        return ""
    return f"; {_ELSE[asked]}" if isinstance(error, Exception) else ""


def _described(said: Any) -> str:
    """A value as it is written, with its type where that does not show."""
    kind = type(said).__name__
    try:
        text = shown(said)
    except Exception:  # an author's own values may do anything
        text = " at 0x"
    if " at 0x" in text:  # a number that is another one in each run
        return printable(f"a value of type {kind}")
    cut = text if len(text) <= 60 else f"{text[:57]}..."
    return cut if type(said) in _PLAIN else printable(f"{cut} of type {kind}")


def _shortened(argument: Any) -> str:
    """What was asked, in the quotes of Python: a text, or a tuple of tokens."""
    return _cut(printable(repr(argument)))


def _cut(text: str) -> str:
    """The text, without its middle where it is long."""
    if len(text) <= _MOST:
        return text
    half = _MOST // 2 - 3
    return f"{text[:half]} ... {text[-half:]}"
