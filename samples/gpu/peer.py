#!/usr/bin/env python3
"""Troupe and PyTorch side by side, on one GPU and the same files.

    samples/gpu/make_checkpoint.py llama-random
    samples/gpu/peer.py llama-random [--device cuda:0] [--batches 1,32] [--prompt 128] [--generate 128] [--rounds 2]

Three engines take turns, each in a process of its own that leaves the GPU empty, as often as --rounds says:

    troupe   "troupe bench" (bf16 weights, f32 activations, exact sums)
    eager    transformers, attention by sdpa, its dynamic cache, one call of the model a step (bf16)
    graph    a loop of this file: static cache, a decode step captured as a CUDA graph (bf16); the faster of the peers

All generate greedily the same number of tokens from prompts of random ids, without an end. Warm-up and capture do not count; each round
takes the median of its runs. One table at the end has them all, with the least and the largest of the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINES = ("troupe", "eager", "graph")
RUNS = 3


def import_torch():
    """PyTorch with a GPU, or the end with a sentence."""
    try:
        import torch
    except ImportError:
        sys.exit("peer.py: PyTorch is needed: https://pytorch.org/get-started, the build for CUDA")
    if not torch.cuda.is_available():
        sys.exit("peer.py: PyTorch finds no GPU")
    return torch


def check(arguments):
    """Ends with a sentence where something is missing, before anything is measured."""
    torch = import_torch()
    try:
        import safetensors  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        sys.exit(f"peer.py: {error.name} is needed: python3 -m pip install transformers safetensors")
    if ordinal(arguments.device) >= torch.cuda.device_count():
        sys.exit(f"peer.py: there is no {arguments.device}; PyTorch finds {torch.cuda.device_count()} GPUs")
    if not os.path.isfile(os.path.join(arguments.model, "model.safetensors")):
        sys.exit(f"peer.py: {arguments.model} has no model.safetensors; samples/gpu/make_checkpoint.py makes one")
    print(f"{torch.cuda.get_device_name(ordinal(arguments.device))}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}, "
          f"transformers {transformers.__version__}")


def ordinal(device):
    kind, _, number = device.partition(":")
    if kind != "cuda" or not number.isdigit():
        sys.exit(f"peer.py: {device} is no GPU; name one as cuda:0")
    return int(number)


# What is measured, the same for all: seconds from the start to the first token of every sequence, then tokens of all sequences a second.


def measured(firsts, decodes, arguments, batch):
    first = statistics.median(firsts)
    return {
        "first": first,
        "prefill": batch * arguments.prompt / first,
        "decode": batch * (arguments.generate - 1) / statistics.median(decodes),
    }


def run_troupe(arguments, batch):
    command = [
        arguments.troupe, "bench", "--model", arguments.model, "--device", arguments.device, "--prompt", str(arguments.prompt),
        "--generate", str(arguments.generate), "--sequences", str(batch), "--runs", str(RUNS), "--warm-up", "5", "--json",
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit("peer.py: troupe bench has failed; its reason stands above")
    report = json.loads(done.stdout.strip().splitlines()[-1])
    return {
        "first": report["first_token_seconds"],
        "prefill": report["prefill_tokens_per_second"],
        "decode": report["decode_tokens_per_second"],
    }


def prompts(torch, arguments, batch, vocabulary):
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, vocabulary, (batch, arguments.prompt), generator=generator)
    return ids.to(arguments.device)


def timed(torch, arguments, batch, prefill, decode):
    """Runs that count, after one that does not. prefill makes the first tokens, decode takes one step."""
    firsts, decodes = [], []
    for _ in range(RUNS + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        prefill()
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for step in range(arguments.generate - 1):
            decode(step)
        torch.cuda.synchronize()
        end = time.perf_counter()
        firsts.append(begin - start)
        decodes.append(end - begin)
    return measured(firsts[1:], decodes[1:], arguments, batch)


def run_eager(arguments, batch):
    torch = import_torch()
    from transformers import AutoModelForCausalLM

    torch.cuda.set_device(ordinal(arguments.device))
    model = AutoModelForCausalLM.from_pretrained(arguments.model, torch_dtype=torch.bfloat16, attn_implementation="sdpa")
    model = model.to(arguments.device).eval()
    ids = prompts(torch, arguments, batch, model.config.vocab_size)
    state = {}

    def take(output):
        state["cache"] = output.past_key_values
        state["token"] = output.logits[:, -1:].argmax(-1)

    def prefill():
        # Logits of the last position only, as Troupe makes them.
        hidden = model.model(input_ids=ids, use_cache=True)
        state["cache"] = hidden.past_key_values
        state["token"] = model.lm_head(hidden.last_hidden_state[:, -1:]).argmax(-1)

    def decode(_):
        take(model(input_ids=state["token"], past_key_values=state["cache"], use_cache=True))

    with torch.inference_mode():
        return timed(torch, arguments, batch, prefill, decode)


class StaticLlama:
    """Llama's layers over a cache of fixed size, written so that a step can be captured: no shape and no branch depends on a value."""

    def __init__(self, torch, folder, device, batch, positions):
        from safetensors.torch import load_file

        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        self.torch = torch
        self.functional = torch.nn.functional
        self.heads = self.config["num_attention_heads"]
        self.kv_heads = self.config["num_key_value_heads"]
        self.head_dim = self.config["hidden_size"] // self.heads
        weights = load_file(os.path.join(folder, "model.safetensors"), device=device)
        self.embedding = weights["model.embed_tokens.weight"]
        self.norm = weights["model.norm.weight"]
        self.head = weights["lm_head.weight"]
        self.layers = [self.layer(weights, f"model.layers.{i}.") for i in range(self.config["num_hidden_layers"])]
        del weights
        cache = (batch, self.kv_heads, positions, self.head_dim)
        self.keys = [torch.zeros(cache, dtype=torch.bfloat16, device=device) for _ in self.layers]
        self.values = [torch.zeros(cache, dtype=torch.bfloat16, device=device) for _ in self.layers]
        places = torch.arange(positions, device=device)
        self.mask = places[None, :] <= places[:, None]
        frequencies = self.config["rope_theta"] ** -(torch.arange(0, self.head_dim, 2, device=device).float() / self.head_dim)
        angles = torch.outer(places.float(), frequencies)
        angles = torch.cat((angles, angles), -1)
        self.cosines = angles.cos().to(torch.bfloat16)
        self.sines = angles.sin().to(torch.bfloat16)

    def layer(self, weights, prefix):
        def weight(name):
            return weights.pop(prefix + name + ".weight")

        return {
            "input_norm": weight("input_layernorm"),
            "qkv": self.torch.cat([weight(f"self_attn.{p}_proj") for p in "qkv"]),
            "out": weight("self_attn.o_proj"),
            "post_norm": weight("post_attention_layernorm"),
            "gate_up": self.torch.cat([weight("mlp.gate_proj"), weight("mlp.up_proj")]),
            "down": weight("mlp.down_proj"),
        }

    def rms_norm(self, x, weight):
        wide = x.float()
        scaled = wide * self.torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.config["rms_norm_eps"])
        return scaled.to(x.dtype) * weight

    def rotate(self, x, places):
        first, second = x.chunk(2, -1)
        return x * self.cosines[places] + self.torch.cat((-second, first), -1) * self.sines[places]

    def forward(self, ids, places):
        """Logits [batch, vocabulary] after ids [batch, tokens] at places [tokens]."""
        batch, tokens = ids.shape
        x = self.embedding[ids]
        mask = self.mask[places][None, None]
        for layer, keys, values in zip(self.layers, self.keys, self.values):
            qkv = self.functional.linear(self.rms_norm(x, layer["input_norm"]), layer["qkv"])
            qkv = qkv.view(batch, tokens, self.heads + 2 * self.kv_heads, self.head_dim).transpose(1, 2)
            q, k, v = qkv.split((self.heads, self.kv_heads, self.kv_heads), 1)
            keys.index_copy_(2, places, self.rotate(k, places))
            values.index_copy_(2, places, v)
            attended = self.attend(self.rotate(q, places), keys, values, mask)
            attended = attended.transpose(1, 2).reshape(batch, tokens, self.heads * self.head_dim)
            x = x + self.functional.linear(attended, layer["out"])
            gate, up = self.functional.linear(self.rms_norm(x, layer["post_norm"]), layer["gate_up"]).chunk(2, -1)
            x = x + self.functional.linear(self.functional.silu(gate) * up, layer["down"])
        return self.functional.linear(self.rms_norm(x[:, -1], self.norm), self.head)

    def attend(self, q, keys, values, mask):
        """One query reads the keys of its group once: the query heads of a group stand as its rows."""
        batch, _, tokens, _ = q.shape
        attention = self.functional.scaled_dot_product_attention
        if tokens > 1:
            group = self.heads // self.kv_heads
            wide_keys = keys[:, :, :tokens].repeat_interleave(group, 1)
            wide_values = values[:, :, :tokens].repeat_interleave(group, 1)
            return attention(q, wide_keys, wide_values, is_causal=True)
        grouped = q.view(batch, self.kv_heads, -1, self.head_dim)
        return attention(grouped, keys, values, attn_mask=mask).view(batch, self.heads, 1, self.head_dim)


def run_graph(arguments, batch):
    torch = import_torch()
    torch.cuda.set_device(ordinal(arguments.device))
    positions = arguments.prompt + arguments.generate
    with torch.inference_mode():
        model = StaticLlama(torch, arguments.model, arguments.device, batch, positions)
        ids = prompts(torch, arguments, batch, model.config["vocab_size"])
        all_places = torch.arange(positions, device=arguments.device)
        token = torch.zeros((batch, 1), dtype=torch.long, device=arguments.device)
        place = torch.zeros(1, dtype=torch.long, device=arguments.device)

        def prefill():
            token.copy_(model.forward(ids, all_places[: arguments.prompt]).argmax(-1, keepdim=True))
            place.fill_(arguments.prompt)

        def step():
            token.copy_(model.forward(token, place).argmax(-1, keepdim=True))
            place.add_(1)

        # Libraries choose their algorithms and take memory before the capture, on another stream as PyTorch asks.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            prefill()
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        prefill()
        with torch.cuda.graph(graph):
            step()
        return timed(torch, arguments, batch, prefill, lambda _: graph.replay())


def run_process(arguments, engine, batch):
    """One engine in a process of its own."""
    if engine == "troupe":
        return run_troupe(arguments, batch)
    command = [
        sys.executable, os.path.abspath(__file__), arguments.model, "--device", arguments.device, "--prompt", str(arguments.prompt),
        "--generate", str(arguments.generate), "--engine", engine, "--batches", str(batch),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"peer.py: {engine} has failed; its reason stands above")
    return json.loads(done.stdout.strip().splitlines()[-1])


def spread(values, digits):
    middle, least, most = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({least:.{digits}f}-{most:.{digits}f})"


def table(results):
    """results: (batch, engine) to its rounds."""
    print(f"\n{'batch':>5} {'engine':8} {'first token, s':>26} {'prefill, tokens/s':>26} {'decode, tokens/s':>26} {'decode, to troupe':>18}")
    for (batch, engine), rounds in results.items():
        ours = statistics.median(r["decode"] for r in results[batch, "troupe"])
        theirs = statistics.median(r["decode"] for r in rounds)
        print(f"{batch:5d} {engine:8} {spread([r['first'] for r in rounds], 3):>26} {spread([r['prefill'] for r in rounds], 0):>26} "
              f"{spread([r['decode'] for r in rounds], 1):>26} {theirs / ours:18.2f}")


def main():
    parser = argparse.ArgumentParser(description="Troupe and PyTorch side by side, on one GPU and the same files.")
    parser.add_argument("model", help="folder that make_checkpoint.py has made")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--batches", default="1,32", help="sequences at the same time (default: 1,32)")
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--generate", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=2, help="turns of every engine (default: 2)")
    parser.add_argument("--troupe", default=os.path.join(HERE, "..", "..", "troupe"), help="the command to use")
    parser.add_argument("--engine", choices=("eager", "graph"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    batches = [int(batch) for batch in arguments.batches.split(",")]
    if arguments.engine:
        run = run_eager if arguments.engine == "eager" else run_graph
        print(json.dumps(run(arguments, batches[0])))
        return
    check(arguments)
    results = {(batch, engine): [] for batch in batches for engine in ENGINES}
    for turn in range(arguments.rounds):
        for batch, engine in results:
            print(f"round {turn + 1}: {engine}, batch {batch}", file=sys.stderr)
            results[batch, engine].append(run_process(arguments, engine, batch))
    print(f"{arguments.model}, prompts of {arguments.prompt} tokens, {arguments.generate} generated; medians of {arguments.rounds} rounds (least-most)")
    table(results)


if __name__ == "__main__":
    main()
