"""Exports a model to the formats of other runtimes, and reads a real GPT-2 as a Model.

    export(model, "gpt2", "build/aab-gpt2")       a directory that Hugging Face's transformers loads
    load_gpt2("path/to/gpt2").generate("Hello")   a real GPT-2, run by our forward pass

    exporting.py          the export: write, read back, compare, publish
    target.py             the interface of a runtime
    huggingface.py, picogpt.py, nanogpt.py,
    transformer_lens.py, onnx_graph.py,
    gguf_file.py          one runtime each
    tokenizer_files.py    the vocabulary for Hugging Face's tokenizers, and what pads a batch
    model_card.py         README.md: the claim, the verdict, how to run it; claim_text.py and
                          examples.py are parts of it
    norms.py              layer norms that do nothing, for runtimes that have them
    limits.py             the largest stream that such a norm allows
    agreement.py          compares the logits of an export with the model's
    directory.py          writes a directory whole or not at all
    circuit.py            the heads, neurons and edges that matter, for circuit discovery
    names.py              the names of weights elsewhere
    loading.py            config.json and model.safetensors read as a Model
    byte_pairs.py         GPT-2's tokens

Rules of this package: what needs a package that the core lacks imports it inside the function
that uses it.
"""

from handcraft.runtimes.exporting import RUNTIMES, Export, export
from handcraft.runtimes.loading import load_gpt2

__all__ = ["RUNTIMES", "Export", "export", "load_gpt2"]
