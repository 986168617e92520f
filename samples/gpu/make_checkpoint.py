#!/usr/bin/env python3
"""Writes a checkpoint of Llama 3 8B's shape with seeded random weights, for speed only: its answers mean nothing.

    samples/gpu/make_checkpoint.py FOLDER [--shape llama-3-8b|tiny] [--seed 1]

It needs numpy and 16 GB of disk: model.safetensors in bf16 (normal values of deviation 0.02, norms 1), config.json and a tokenizer of
single bytes. The same seed makes the same file, with the same release of numpy.
"""

import argparse
import json
import os
import struct
import sys

try:
    import numpy
except ImportError:
    sys.exit("make_checkpoint.py: numpy is needed: python3 -m pip install numpy")

SHAPES = {
    "llama-3-8b": dict(layers=32, hidden=4096, inner=14336, heads=32, kv_heads=8, vocabulary=128256, positions=8192),
    "tiny": dict(layers=2, hidden=64, inner=160, heads=8, kv_heads=4, vocabulary=640, positions=512),
}
DEVIATION = 0.02
ROWS_AT_ONCE = 1024


def tensors(shape):
    """Names and sizes, in the order of the file."""
    head = shape["hidden"] // shape["heads"]
    hidden, inner = shape["hidden"], shape["inner"]
    yield "model.embed_tokens.weight", (shape["vocabulary"], hidden)
    for layer in range(shape["layers"]):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", (hidden,)
        yield prefix + "self_attn.q_proj.weight", (shape["heads"] * head, hidden)
        yield prefix + "self_attn.k_proj.weight", (shape["kv_heads"] * head, hidden)
        yield prefix + "self_attn.v_proj.weight", (shape["kv_heads"] * head, hidden)
        yield prefix + "self_attn.o_proj.weight", (hidden, shape["heads"] * head)
        yield prefix + "post_attention_layernorm.weight", (hidden,)
        yield prefix + "mlp.gate_proj.weight", (inner, hidden)
        yield prefix + "mlp.up_proj.weight", (inner, hidden)
        yield prefix + "mlp.down_proj.weight", (hidden, inner)
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (shape["vocabulary"], hidden)


def bf16(values):
    """The upper halves of f32, rounded to nearest even, little-endian."""
    bits = values.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def write_weights(file, shape, seed):
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, size in tensors(shape):
        count = 1
        for n in size:
            count *= n
        header[name] = {"dtype": "BF16", "shape": list(size), "data_offsets": [offset, offset + 2 * count]}
        offset += 2 * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(file, "wb") as out:
        out.write(struct.pack("<Q", len(text)))
        out.write(text)
        for number, (name, size) in enumerate(tensors(shape)):
            if len(size) == 1:
                out.write(bf16(numpy.ones(size, numpy.float32)).tobytes())
                continue
            random = numpy.random.Generator(numpy.random.Philox(key=[seed, number]))
            for first in range(0, size[0], ROWS_AT_ONCE):
                rows = min(ROWS_AT_ONCE, size[0] - first)
                values = random.standard_normal((rows, size[1]), dtype=numpy.float32)
                out.write(bf16(values * numpy.float32(DEVIATION)).tobytes())
            print(f"\r{name:60}", end="", file=sys.stderr)
        print(file=sys.stderr)


def byte_letters():
    """The letter that stands for each byte in the vocabularies of byte-level tokenizers."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAC + 1), *range(0xAE, 0xFF + 1)]
    others = [b for b in range(256) if b not in plain]
    letters = {b: chr(b) for b in plain}
    letters.update({b: chr(256 + i) for i, b in enumerate(others)})
    return [letters[b] for b in range(256)]


def write_tokenizer(file, vocabulary):
    vocab = {letter: i for i, letter in enumerate(byte_letters())}
    for i in range(256, vocabulary):
        vocab[f"<unused-{i}>"] = i
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocab,
            "merges": [],
        },
    }
    with open(file, "w", encoding="utf-8") as out:
        json.dump(tokenizer, out)


def write_config(file, shape):
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": shape["hidden"],
        "intermediate_size": shape["inner"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kv_heads"],
        "vocab_size": shape["vocabulary"],
        "max_position_embeddings": shape["positions"],
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "torch_dtype": "bfloat16",
    }
    with open(file, "w", encoding="utf-8") as out:
        json.dump(config, out, indent=2)


def main():
    parser = argparse.ArgumentParser(description="Writes a checkpoint with seeded random weights.")
    parser.add_argument("folder")
    parser.add_argument("--shape", choices=SHAPES, default="llama-3-8b")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    shape = SHAPES[arguments.shape]
    os.makedirs(arguments.folder, exist_ok=True)
    write_config(os.path.join(arguments.folder, "config.json"), shape)
    write_tokenizer(os.path.join(arguments.folder, "tokenizer.json"), shape["vocabulary"])
    # Under its name only when it is whole.
    unfinished = os.path.join(arguments.folder, "model.safetensors.part")
    write_weights(unfinished, shape, arguments.seed)
    os.replace(unfinished, os.path.join(arguments.folder, "model.safetensors"))


if __name__ == "__main__":
    main()
