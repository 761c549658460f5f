"""The circuit of a model as data: the components of known programs, and the files written of it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from conftest import EVERY_PROGRAM, Refused, bundled_model, random_weights

from handcraft import Model, Neuron, Program, position, scratch, token
from handcraft.core.errors import WeightsError
from handcraft.core.vocabulary import Vocabulary
from handcraft.runtimes.circuit import circuit
from handcraft.runtimes.norms import NONE
from handcraft.runtimes.transformer_lens import files

AAB = {
    "program": "aab",
    "residual": [
        "position:0",
        "position:1",
        "position:2",
        "position:3",
        "position:4",
        "token:a",
        "token:b",
        "v",
    ],
    "heads": [
        [
            {
                "match": [
                    "position:0",
                    "position:1",
                    "position:2",
                    "position:3",
                    "position:4",
                    "",
                    "",
                    "",
                ],
                "value": ["", "", "", "", "", "", "", "v"],
            }
        ]
    ],
    "rules": [
        {
            "rule": "embedding[1]",
            "text": "token is one-hot: which token is here",
            "source": "aab.py:8",
        },
        {
            "rule": "embedding[0]",
            "text": "position is one-hot: which position is here",
            "source": "aab.py:7",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:0 = 1024 position:0 + 1024 position:1",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:1 = 1024 position:1 + 1024 position:2",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:2 = 1024 position:2 + 1024 position:3",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:3 = 1024 position:3 + 1024 position:4",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > query",
            "text": "query position:4 = 1024 position:4",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:0 = position:0",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:1 = position:1",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:2 = position:2",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:3 = position:3",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > key",
            "text": "key position:4 = position:4",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > value",
            "text": "value v = token:a - token:b",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > adds",
            "text": "token:a += -1024 v + 1024",
            "source": "aab.py:11",
        },
        {
            "rule": "layers[0] > adds",
            "text": "token:b += 1024 v",
            "source": "aab.py:11",
        },
    ],
    "nodes": [
        {
            "name": "embed",
            "output": {"hook": "hook_embed"},
            "inputs": {},
            "varies_with": ["token"],
            "rules": [0],
        },
        {
            "name": "pos_embed",
            "output": {"hook": "hook_pos_embed"},
            "inputs": {},
            "varies_with": ["position"],
            "rules": [1],
        },
        {
            "name": "0.h0",
            "output": {"hook": "blocks.0.attn.hook_z", "index": 0},
            "inputs": {
                "q": {
                    "hook": "blocks.0.attn.hook_q",
                    "index": 0,
                    "stream": "blocks.0.attn.q.hook_in",
                },
                "k": {
                    "hook": "blocks.0.attn.hook_k",
                    "index": 0,
                    "stream": "blocks.0.attn.k.hook_in",
                },
                "v": {
                    "hook": "blocks.0.attn.hook_v",
                    "index": 0,
                    "stream": "blocks.0.attn.v.hook_in",
                },
            },
            "varies_with": ["token", "position"],
            "rules": [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
        },
        {
            "name": "0.attn.bias",
            "output": {"parameter": "blocks.0.attn.o.bias"},
            "inputs": {},
            "varies_with": [],
            "rules": [13],
        },
        {
            "name": "logits",
            "output": {"hook": "unembed.hook_out"},
            "inputs": {
                "logits": {
                    "hook": "unembed.hook_out",
                    "stream": "unembed.hook_in",
                }
            },
            "varies_with": ["token", "position"],
            "rules": [0],
        },
    ],
    "edges": [
        {
            "from": "pos_embed",
            "to": "0.h0",
            "into": "q",
            "lanes": [
                "position:0",
                "position:1",
                "position:2",
                "position:3",
                "position:4",
            ],
        },
        {
            "from": "pos_embed",
            "to": "0.h0",
            "into": "k",
            "lanes": [
                "position:0",
                "position:1",
                "position:2",
                "position:3",
                "position:4",
            ],
        },
        {
            "from": "embed",
            "to": "0.h0",
            "into": "v",
            "lanes": ["token:a", "token:b"],
        },
        {
            "from": "embed",
            "to": "logits",
            "into": "logits",
            "lanes": ["token:a", "token:b"],
        },
        {
            "from": "0.h0",
            "to": "logits",
            "into": "logits",
            "lanes": ["token:a", "token:b"],
        },
        {
            "from": "0.attn.bias",
            "to": "logits",
            "into": "logits",
            "lanes": ["token:a"],
        },
    ],
    "components": {
        "nodes": ["input", "a0.h0", "logits"],
        "edges": [
            "input->a0.h0<q>",
            "input->a0.h0<k>",
            "input->a0.h0<v>",
            "input->logits",
            "a0.h0->logits",
        ],
    },
}

# ---------------------------------------------------------------- as data


def test_the_circuit_of_aab() -> None:
    """The whole circuit of aab, as JSON."""
    found = json.loads(json.dumps(circuit(bundled_model("aab")).to_json()))
    for rule in found["rules"]:
        rule["source"] = rule["source"].rpartition("/")[2]
    assert found == AAB


def test_the_components_of_induction() -> None:
    """Induction in the names of edge attribution patching: the second head composes with the
    first through its keys.
    """
    found = circuit(bundled_model("induction")).components
    assert found["nodes"] == ["input", "a0.h0", "a1.h0", "logits"]
    assert [
        edge for edge in found["edges"] if not edge.startswith("input")
    ] == [
        "a0.h0->a1.h0<k>",
        "a1.h0->logits",
    ]


def test_the_components_of_baby_gpt() -> None:
    """An MLP is one component, whichever of its neurons an edge belongs to."""
    assert circuit(bundled_model("baby_gpt")).components["edges"] == [
        "input->a0.h0<q>",
        "input->a0.h0<k>",
        "input->a0.h0<v>",
        "input->a0.h1<q>",
        "input->a0.h1<k>",
        "input->a0.h1<v>",
        "input->m0",
        "a0.h0->m0",
        "a0.h1->m0",
        "input->logits",
        "m0->logits",
    ]


def test_a_neuron_names_its_rules() -> None:
    """A node's rules are those that wrote its weights."""
    node = next(
        node
        for node in circuit(bundled_model("baby_gpt")).nodes
        if node.name == "0.mlp.n7"
    )
    assert [reason.rule for reason in node.rules] == [
        "layers[0] > mlp > after 111 > when",
        "layers[0] > mlp > after 111 > adds",
    ]


def test_weights_without_a_program_have_a_circuit_without_rules() -> None:
    """Weights from elsewhere have numbered lanes and no rules."""
    found = circuit(
        Model(
            "found",
            random_weights(0, norms=False),
            Vocabulary(("x", "y", "z")),
            2,
        )
    )
    assert found.residual == tuple(f"x{i}" for i in range(8))
    assert all(not node.rules for node in found.nodes)
    assert len(found.nodes) == 2 + 2 * (2 + 1 + 5 + 1) + 1


def test_layer_norms_are_refused() -> None:
    """Through a layer norm every lane reaches every other."""
    model = Model("found", random_weights(0), Vocabulary(("x", "y", "z")), 2)
    with Refused(
        WeightsError,
        "found has layer norms, through which every lane reaches every other; a circuit"
        " needs none",
    ):
        circuit(model)


def test_a_neuron_that_nobody_reads_is_not_in_the_circuit() -> None:
    """A neuron that writes a lane without a reader is absent, and so is what only it reads."""
    p, t, v = position(3), token("ab"), scratch("v")
    model = Program(
        embedding=(p, t, v),
        layers=(
            Neuron(when=p[0], adds={v: 1}),
            Neuron(when=t["a"], adds={t["b"]: 1}),
        ),
    ).build()
    assert [node.name for node in circuit(model).nodes] == [
        "embed",
        "1.mlp.n0",
        "logits",
    ]


def test_a_neuron_that_never_fires_is_not_in_the_circuit() -> None:
    """Of 0 both activations make 0, so a neuron that reads nothing and has no bias writes
    nothing.
    """
    model = bundled_model("baby_gpt")
    mlp = model.weights["blocks"][0]["mlp"]
    silent = {
        key: array * (np.arange(8) != 3) for key, array in mlp["c_fc"].items()
    }  # [n_embd, 8], [8]
    block = model.weights["blocks"][0] | {"mlp": mlp | {"c_fc": silent}}
    found = circuit(replace(model, weights=model.weights | {"blocks": [block]}))
    assert {node.name for node in circuit(model).nodes} - {
        node.name for node in found.nodes
    } == {"0.mlp.n3"}


# ---------------------------------------------------------------- the files for
# TransformerLens, which need neither it nor torch


def test_the_files_of_aab() -> None:
    """The configuration, the state dict, the circuit, the vocabulary and the tokenizer."""
    found = files(bundled_model("aab"), NONE)
    assert list(found) == [
        "config.json",
        "model.safetensors",
        "circuit.json",
        "vocab.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert json.loads(found["config.json"]) == {
        "model_name": "aab",
        "n_layers": 1,
        "n_ctx": 5,
        "d_vocab": 2,
        "d_model": 8,
        "n_heads": 1,
        "d_head": 8,
        "d_mlp": 0,
        "attn_only": True,
        "act_fn": "gelu_new",
        "attention_dir": "causal",
        "normalization_type": None,
        "init_weights": False,
        "default_prepend_bos": False,
        "tokenizer_prepends_bos": False,
        "eos_token_id": None,
    }
    assert json.loads(found["vocab.json"]) == {"a": 0, "b": 1}
    assert json.loads(found["circuit.json"])["edges"] == AAB["edges"]


@pytest.mark.parametrize("name", EVERY_PROGRAM)
def test_every_matrix_is_there_in_its_shape(name: str) -> None:
    """Transposed, and every block filled to the same shape."""
    from safetensors.numpy import load

    model = bundled_model(name)
    written = files(model, NONE)
    config, state = (
        json.loads(written["config.json"]),
        load(written["model.safetensors"]),
    )
    n, inner, n_vocab = config["d_model"], config["d_mlp"], config["d_vocab"]
    shapes = {
        "embed.weight": (n_vocab, n),
        "pos_embed.weight": (config["n_ctx"], n),
    }
    shapes |= {"unembed.weight": (n_vocab, n), "unembed.bias": (n_vocab,)}
    for i, part in product(range(config["n_layers"]), "qkvo"):
        shapes |= {
            f"blocks.{i}.attn.{part}.weight": (n, n),
            f"blocks.{i}.attn.{part}.bias": (n,),
        }
    for i in range(config["n_layers"] if inner else 0):
        shapes |= {
            f"blocks.{i}.mlp.in.weight": (inner, n),
            f"blocks.{i}.mlp.in.bias": (inner,),
        }
        shapes |= {
            f"blocks.{i}.mlp.out.weight": (n, inner),
            f"blocks.{i}.mlp.out.bias": (n,),
        }
    assert {key: array.shape for key, array in state.items()} == shapes
    assert all(array.dtype == "float32" for array in state.values())


@pytest.mark.slow
def test_writing_imports_neither_torch_nor_transformer_lens() -> None:
    """The files can be written where neither is installed."""
    code = (
        "import sys; sys.modules['torch'] = sys.modules['transformer_lens'] ="
        " None\nfrom handcraft import Model; from handcraft.runtimes.transformer_lens"
        " import RUNTIME\nassert len(RUNTIME.files(Model.open('aab'),"
        " RUNTIME.norms[0])) == 6"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
