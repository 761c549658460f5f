"""Other runtimes: the same weights in the formats that they read, and a real GPT-2 read into a
Model.

    export(model, "gpt2", "build/aab-gpt2")       a directory that Hugging Face's transformers loads
    load_gpt2("path/to/gpt2").generate("Hello")   a real GPT-2, run by our forward pass

    names.py              what weights are called elsewhere
    norms.py              layer norms that do nothing, for runtimes that have them
    target.py             what a runtime is
    huggingface.py picogpt.py nanogpt.py transformer_lens.py onnx_graph.py gguf_file.py    one each
    circuit.py            which heads, neurons and edges matter: ground truth for circuit discovery
    agreement.py          does what was written compute what the model computes?
    directory.py          a directory written whole or not at all
    exporting.py          all of it together
    loading.py            the other way: config.json and model.safetensors
    byte_pairs.py         GPT-2's tokens

Rules of this package: what needs a package that the core lacks imports it inside the function
that uses it.
"""

from handcraft.runtimes.exporting import RUNTIMES, Export, export
from handcraft.runtimes.loading import load_gpt2

__all__ = ["RUNTIMES", "Export", "export", "load_gpt2"]
