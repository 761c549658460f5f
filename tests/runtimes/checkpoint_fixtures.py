"""The checkpoint of a small GPT-2, written once for every test that reads it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from checkpoints import byte_pairs, written
from transformers import GPT2LMHeadModel


@pytest.fixture(scope="module")
def checkpoint(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, GPT2LMHeadModel]:
    """A small checkpoint, and the model that was written."""
    directory = tmp_path_factory.mktemp("checkpoints") / "small"
    return directory, written(directory, byte_pairs())


@pytest.fixture
def copied(checkpoint: tuple[Path, GPT2LMHeadModel], tmp_path: Path) -> Path:
    """A copy of the checkpoint to be changed."""
    return shutil.copytree(checkpoint[0], tmp_path / "copied")
