"""Computes the identity of an enumeration for its checkpoint: the SHA-256 of all that decides the
counts.

    weights    every array with its dtype and shape; heads, activation, mask and epsilon
    claim      its data, its functions, and the columns of the lanes that it names
    units      the vocabulary in its order, and how its contexts are cut
    counting   the text of every file of this package: another version counts anew

A function counts with its name, its code, the file it stands in, its defaults, what it closes
over, and the data and functions that it reads from its module. Any other object counts with
what pickle would keep of it; one that pickle refuses is different every time. What a function
reads from files, or from other people's modules, is not known here.

Rules of this file: two tasks that count differently must differ here; two that do not may differ.
"""

from __future__ import annotations

import copyreg
import hashlib
import json
import os
import sys
import sysconfig
from collections.abc import Callable
from functools import cached_property, lru_cache, partial
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import numpy as np

import handcraft
from handcraft.claims.kinds import Claim
from handcraft.core.paths import FILE, kind_at
from handcraft.core.weights import flatten
from handcraft.model import Model
from handcraft.proof.enumerate.units import Units

HEAP = (
    1 << 9
)  # the flag of a class that Python code or a heap type of C defined
LIBRARY = tuple(
    sysconfig.get_path(name)
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)  # told by their names
SLOT = (
    WrapperDescriptorType
    | MethodDescriptorType
    | GetSetDescriptorType
    | MemberDescriptorType
)
_NOT_CODE = (
    "__dict__",
    "__weakref__",
    "__doc__",
    "__module__",
    "__annotations__",
)


def identity(model: Model, claim: Claim, units: Units) -> str:
    """The SHA-256 of weights, claim, units and the code that counts."""
    digest = hashlib.sha256(_counting().encode())
    for name, array in flatten(model.weights).items():
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    lanes = model.program.layout.names if model.program else []
    config = [
        model.vocabulary.tokens,
        sorted(model.config.items()),
        model.epsilon,
        [units.n_vocab, units.n_ctx, units.most],
    ]
    digest.update(
        json.dumps(
            [config, lanes, claim.model_dump(mode="json", exclude={"source"})]
        ).encode()
    )
    for value in vars(claim).values():
        if callable(call := getattr(value, "call", None)):
            digest.update(_Told().plain(call).encode())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _counting() -> str:
    """The SHA-256 of this package's files."""
    digest = hashlib.sha256()
    for path in sorted(Path(str(handcraft.__file__)).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


class _Told:
    """Values as texts that are the same in every process; a value that was written already is
    referred to.
    """

    def __init__(self) -> None:
        self.seen: dict[
            int, tuple[int, object]
        ] = {}  # the objects as well, so that no id is used twice

    def plain(self, value: object) -> str:
        """Data whole; a function by what it does; whatever else by its type and what it holds."""
        if value is None or type(value) in (
            str,
            bytes,
            bool,
            int,
            float,
            complex,
        ):
            return repr(value)
        if id(value) in self.seen:
            return f"<{self.seen[id(value)][0]}>"
        self.seen[id(value)] = len(self.seen), value
        return self._whole(value) or self._named(value) or self.held(value)

    def _whole(self, value: Any) -> str:
        """Data of many parts; an empty text for what is none."""
        if type(value) in (dict, MappingProxyType):
            return (
                "{"
                + ", ".join(
                    f"{self.plain(key)}: {self.plain(inner)}"
                    for key, inner in value.items()
                )
                + "}"
            )
        if type(value) in (set, frozenset):
            return f"{{{', '.join(sorted(_Told().plain(inner) for inner in value))}}}"
        if type(value) in (tuple, list):
            return f"[{', '.join(map(self.plain, value))}]"
        if (
            type(value) is np.ndarray or isinstance(value, np.generic)
        ) and not value.dtype.hasobject:
            return (
                f"{type(value)} {value.dtype} {value.shape}"
                f" {hashlib.sha256(value.tobytes()).hexdigest()}"
            )
        return self.code(value) if isinstance(value, CodeType) else ""

    def _named(self, value: Any) -> str:
        """A module by its name, a class by its members, a function by what it does; an empty
        text for what is none.
        """
        known: list[tuple[Any, Callable[[Any], str]]] = [
            (ModuleType, lambda module: f"module {module.__name__}"),
            (type, self._class),
            (
                staticmethod | classmethod,
                lambda wrapped: (
                    f"{type(wrapped).__name__} {self.plain(wrapped.__func__)}"
                ),
            ),
            (
                property,
                lambda it: (
                    f"property {self.plain([it.fget, it.fset, it.fdel])}"
                ),
            ),
            (
                cached_property,
                lambda it: f"cached_property {self.plain(it.func)}",
            ),
            (
                partial,
                lambda it: (
                    f"partial {self.plain(it.func)} {self.plain(it.args)}"
                    f" {self.plain(it.keywords)}"
                ),
            ),
            (
                MethodType,
                lambda it: (
                    f"method {self.plain(it.__func__)} {self.plain(it.__self__)}"
                ),
            ),
            (
                BuiltinFunctionType | MethodWrapperType,
                lambda it: f"{it.__qualname__} {self.plain(it.__self__)}",
            ),
            (FunctionType, self.function),
            (SLOT, lambda it: f"{it.__objclass__.__qualname__}.{it.__name__}"),
        ]
        return next(
            (tell(value) for kinds, tell in known if isinstance(value, kinds)),
            "",
        )

    def _class(self, value: type) -> str:
        """Its name, and its members where Python code defined it."""
        name = f"class {value.__module__}.{value.__qualname__}"
        if not value.__flags__ & HEAP or _ours(value) or _of_a_library(value):
            return name
        members = {
            key: inner
            for key, inner in vars(value).items()
            if key not in _NOT_CODE and not key.startswith("_abc_")
        }
        return (
            f"{name} {self.plain(list(value.__bases__))} {self.plain(members)}"
        )

    def held(self, value: Any) -> str:
        """The type of an object and its fields, as pickle would keep them; what it refuses is
        never the same again.
        """
        try:
            reduced = copyreg.dispatch_table.get(type(value))
            kept = reduced(value) if reduced else value.__reduce_ex__(4)
        except Exception:  # whatever an object's own method raises
            kept = None
        fields = getattr(value, "__dict__", None)
        if isinstance(kept, tuple):
            parts = [
                list(part) if i > 2 and part is not None else part
                for i, part in enumerate(kept[:5])
            ]
            return f"{self.plain(type(value))} {self.plain(parts)} {self.plain(fields)}"
        if isinstance(kept, str) and hasattr(
            value, "__wrapped__"
        ):  # as what functools.cache returns
            return f"{self.plain(type(value))} {kept} {self.plain(fields)}"
        return f"{self.plain(type(value))} {os.urandom(16).hex()}"

    def function(self, call: FunctionType) -> str:
        """The code of a function with what it reads, and the text of its file."""
        code = call.__code__
        cells = [cell.cell_contents for cell in call.__closure__ or ()]
        given = [call.__defaults__, call.__kwdefaults__]
        return "\n".join(
            [
                _text(code),
                self.code(code),
                self.plain(cells),
                self.plain(given),
                self._globals(call, code),
            ]
        )

    def _globals(self, call: FunctionType, code: CodeType) -> str:
        """The objects that its code names in its module, without modules and this package's own."""
        known = call.__globals__
        named = {name: known[name] for name in _names(code) if name in known}
        return self.plain(
            {
                name: value
                for name, value in named.items()
                if not isinstance(value, ModuleType)
                and not (
                    isinstance(value, type | FunctionType) and _ours(value)
                )
            }
        )

    def code(self, code: CodeType) -> str:
        """The instructions with names and constants."""
        return (
            f"{code.co_code.hex()} {code.co_names} {code.co_varnames}"
            f" {[self.plain(c) for c in code.co_consts]}"
        )


def _ours(value: Any) -> bool:
    """True if this package defines it; its files are counted whole."""
    return str(value.__module__).partition(".")[0] == "handcraft"


def _of_a_library(value: type) -> bool:
    """True if it was installed or is a part of Python; a user module may have the name of one that
    is.
    """
    file = getattr(sys.modules.get(value.__module__), "__file__", None)
    return (
        value.__module__ in sys.builtin_module_names
        if file is None
        else str(file).startswith(LIBRARY)
    )


def _names(code: CodeType) -> list[str]:
    inner = [
        name
        for constant in code.co_consts
        if isinstance(constant, CodeType)
        for name in _names(constant)
    ]
    return sorted({*code.co_names, *inner})


def _text(code: CodeType) -> str:
    """The text of the file that a function stands in."""
    path = Path(code.co_filename)
    try:
        return path.read_text(encoding="utf-8") if kind_at(path) == FILE else ""
    except (OSError, ValueError):
        return ""
