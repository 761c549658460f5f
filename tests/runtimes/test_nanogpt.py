"""ckpt.pt as nanoGPT's sample.py takes it, and the same weights in safetensors."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import torch
from runners import Nano, nanogpt
from safetensors.torch import load_file

from handcraft.model import Model
from handcraft.runtimes import export


def test_both_checkpoints_hold_the_same_model(tmp_path: Path) -> None:
    """The safetensors form loads strictly too, and every tensor equals that of ckpt.pt."""
    export(Model.open("counter"), "nanogpt", tmp_path / "out")
    model = Nano(**json.loads((tmp_path / "out/model_args.json").read_text()))
    state = load_file(tmp_path / "out/model.safetensors")
    model.load_state_dict(state, strict=True)
    checkpoint = torch.load(tmp_path / "out/ckpt.pt")
    assert checkpoint["model_args"] == json.loads(
        (tmp_path / "out/model_args.json").read_text()
    )
    assert checkpoint["config"] == {"dataset": "counter"}
    assert set(checkpoint["model"]) == set(state)
    assert all(
        torch.equal(state[name], tensor)
        for name, tensor in checkpoint["model"].items()
    )


def test_greedy_letters_as_its_sampling_does(tmp_path: Path) -> None:
    """Encoded with meta.pkl, the window slid from the left: aabaab goes on as it should."""
    export(Model.open("aab"), "nanogpt", tmp_path / "out")
    run = nanogpt(tmp_path / "out")
    meta = pickle.loads((tmp_path / "out/meta.pkl").read_bytes())
    ids = [meta["stoi"][letter] for letter in "aab"]
    for _ in range(12):
        ids.append(int(run(torch.tensor([ids[-5:]]).numpy())[0, -1].argmax()))
    assert "".join(meta["itos"][i] for i in ids) == "aabaabaabaabaab"
