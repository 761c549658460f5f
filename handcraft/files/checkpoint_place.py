"""Looks at a directory before a GPT-2 is read from it: says what is there and what would work.

Rules of this file: nothing is downloaded and nothing is opened that could execute; a pointer that
git-lfs left in place of a file is named as one.
"""

from __future__ import annotations

import re
from pathlib import Path

from handcraft.core.errors import WeightsError, listing, printable
from handcraft.core.paths import VACANT, kind_at
from handcraft.core.weights import read_bytes

SHARDS_JSON = "model.safetensors.index.json"
# each is a sign of a checkpoint, whole or not; a built directory has none of them
_SIGNS = (
    *("config.json", SHARDS_JSON, "pytorch_model.bin", "snapshots"),
    *("pytorch_model.bin.index.json", "adapter_config.json"),
)
_WEIGHTS = ("model.safetensors", SHARDS_JSON)
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
_OTHERS = (".h5", ".msgpack", ".gguf", ".onnx", ".npz")
_LFS = b"version https://git-lfs"  # how a pointer of git-lfs begins
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")  # NAME or OWNER/NAME


def is_checkpoint(directory: Path) -> bool:
    """True if the directory has what only a checkpoint has."""
    return any((directory / sign).exists() for sign in _SIGNS)


def check_place(directory: Path) -> None:
    """Raise WeightsError, with what is there, unless config and weights are in the directory."""
    shown = printable(str(directory))
    if not directory.is_dir():
        raise WeightsError(_no_directory(directory), directory)
    names = sorted(path.name for path in directory.iterdir())
    if not names:
        raise WeightsError(
            f"{shown} is empty; a GPT-2 has config.json, model.safetensors and"
            " tokenizer.json",
            directory,
        )
    for name in ("config.json", *_WEIGHTS):
        _check_link(directory / name)
    if "snapshots" in names:
        raise WeightsError(_cached(directory), directory)
    if not any(name in names for name in _WEIGHTS):
        raise WeightsError(_no_weights(shown, names), directory)
    if "config.json" not in names:
        raise WeightsError(
            f"{shown} has no config.json, which says the sizes of a GPT-2; it has"
            f" {listing(names)}",
            directory,
        )


def read_part(path: Path, most: int) -> bytes:
    """The bytes of a file. Raises WeightsError for one that git-lfs has not fetched, and as
    `read_bytes` does.
    """
    data = read_bytes(path, most)
    if data.startswith(_LFS):
        raise WeightsError(
            f"{printable(str(path))} is a pointer of git-lfs, not the file itself: run"
            " `git lfs pull` there",
            path,
        )
    return data


def download_hint(reference: str) -> str:
    """The advice where a name may be one of the hub; empty for any other."""
    if not _HUB.fullmatch(reference) or reference.startswith("."):
        return ""
    folder = reference.rpartition("/")[2]
    return (
        f"; nothing is downloaded here: `hf download {reference} --local-dir {folder}`"
        " first"
    )


def checkpoint_title(directory: Path) -> str:
    """The directory's name in the letters of a program's; of a snapshot in Hugging Face's cache
    that of its model.
    """
    path = directory.resolve()
    name = path.name
    if path.parent.name == "snapshots":
        name = path.parent.parent.name.rpartition("--")[2] or name
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:100] or "gpt2"


# ---------------------------------------------------------------- messages


def _no_directory(path: Path) -> str:
    shown = printable(str(path))
    if (kind := kind_at(path)) != VACANT:
        inside = printable(str(path.parent))
        return (
            f"{shown} is {kind}; name the directory that holds config.json and"
            f" model.safetensors, as {inside} may be"
        )
    return f"there is no directory {shown}{download_hint(str(path))}"


def _check_link(path: Path) -> None:
    if path.is_symlink() and not path.exists():
        raise WeightsError(
            f"{printable(str(path))} is a link to a file that is not there",
            path,
        )


def _cached(directory: Path) -> str:
    """The message for a model of the cache, whose files are in one of its snapshots."""
    shown = printable(str(directory))
    found = sorted(str(path) for path in (directory / "snapshots").glob("*"))
    place = f"name one of {listing(found)}" if found else "they are empty"
    return f"{shown} keeps its files in snapshots: {place}"


def _no_weights(shown: str, names: list[str]) -> str:
    if "adapter_config.json" in names:
        return (
            f"{shown} holds a LoRA adapter, without the model that it adapts;"
            " merge_and_unload() of peft merges the two before save_pretrained"
        )
    pickles = [name for name in names if name.endswith(_PICKLES)]
    if pickles:
        return (
            f"{shown} holds {printable(pickles[0])} and no model.safetensors; such a"
            " file can execute anything when it is opened, so it is not:"
            " save_pretrained of transformers writes model.safetensors"
        )
    others = [name for name in names if name.endswith(_OTHERS)]
    if others:
        return (
            f"{shown} holds {printable(others[0])} and no model.safetensors, which is"
            " what is read; save_pretrained of transformers writes it"
        )
    return f"{shown} has no model.safetensors; it has {listing(names)}"
