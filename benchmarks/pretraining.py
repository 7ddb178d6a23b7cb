"""Training speed against a plain loop in the style of nanoGPT: ``python -m benchmarks.pretraining``.

Both train GPT-2's architecture at the same size on the same tokens, alternately in one process, on one CPU thread or on
the GPU if there is one. The plain loop is nanoGPT's (github.com/karpathy/nanoGPT, train.py and model.py at 3adf61e),
eager, without the features that gristmill lacks too. It has random windows from a memory map, cross-entropy over all
logits, AdamW and gradient clipping. Gristmill's side is its trainer.
"""

import argparse
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from gristmill.pretrain.data.batches import Loader, TokenSplit
from gristmill.pretrain.model.config import PRESETS, ModelConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine, peak_flops
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.trainer import Trainer, TrainSettings


class PlainBlock(nn.Module):
    def __init__(self, shape: ModelConfig):
        super().__init__()
        self.n_heads = shape.n_heads
        self.ln_1, self.ln_2 = nn.LayerNorm(shape.d_model), nn.LayerNorm(shape.d_model)
        self.c_attn, self.c_proj = nn.Linear(shape.d_model, 3 * shape.d_model), nn.Linear(shape.d_model, shape.d_model)
        self.c_fc, self.c_out = nn.Linear(shape.d_model, 4 * shape.d_model), nn.Linear(4 * shape.d_model, shape.d_model)

    def forward(self, x):
        B, T, D = x.shape
        q, k, v = (
            part.view(B, T, self.n_heads, D // self.n_heads).transpose(1, 2)
            for part in self.c_attn(self.ln_1(x)).split(D, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.c_proj(y.transpose(1, 2).contiguous().view(B, T, D))
        return x + self.c_out(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))


class PlainGPT(nn.Module):
    def __init__(self, shape: ModelConfig):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(shape.vocab_size, shape.d_model), nn.Embedding(shape.context, shape.d_model)
        self.blocks = nn.ModuleList(PlainBlock(shape) for _ in range(shape.n_layers))
        self.ln_f = nn.LayerNorm(shape.d_model)
        self.lm_head = nn.Linear(shape.d_model, shape.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                narrow = name.endswith(("c_proj.weight", "c_out.weight"))
                nn.init.normal_(parameter, 0.0, 0.02 / math.sqrt(2 * shape.n_layers) if narrow else 0.02)

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1], device=ids.device))
        for block in self.blocks:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)


class PlainLoop:
    def __init__(self, shape: ModelConfig, ids: np.ndarray, batch: int, device: torch.device, dtype: torch.dtype):
        self.model, self.data, self.batch, self.context = PlainGPT(shape).to(device), ids, batch, shape.context
        self.device, self.dtype = device, dtype
        matrices = [p for p in self.model.parameters() if p.ndim >= 2]
        vectors = [p for p in self.model.parameters() if p.ndim < 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), fused=device.type == "cuda")

    def step(self):
        at = torch.randint(len(self.data) - self.context, (self.batch,))
        x = torch.stack([torch.from_numpy(self.data[i : i + self.context].astype(np.int64)) for i in at])
        y = torch.stack([torch.from_numpy(self.data[i + 1 : i + 1 + self.context].astype(np.int64)) for i in at])
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            loss = self.model(x.to(self.device), y.to(self.device))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()


class OurLoop:
    """Gristmill's trainer and loader; losses are read only at the end, as in a run."""

    def __init__(self, shape: ModelConfig, tokens: TokenSplit, batch: int, machine: Machine):
        self.trainer = Trainer(
            GPT(shape), TrainSettings(batch_size=batch, steps=10**6, optimizer="adamw"), machine, SINGLE_PROCESS
        )
        self.loader, self.done = Loader(tokens, shape.context, batch), 0

    def steps(self, count: int) -> None:
        losses = []
        for number, batch in enumerate(self.loader.batches(self.done, self.done + count), self.done):
            losses.append(self.trainer.step(number, batch)[0])
        torch.stack(losses).tolist()
        self.done += count


def measure(name: str, vocab_size: int, batch: int, steps: int, rounds: int, machine: Machine, folder: Path) -> None:
    """Print both sides' tokens per second in their best round: per CPU second on a CPU, per wall second on a GPU."""
    shape = ModelConfig(vocab_size=vocab_size, **PRESETS[name])
    path = folder / f"{name}-{vocab_size}.bin"
    np.random.default_rng(0).integers(0, vocab_size, 2_000_000).astype(np.uint16).tofile(path)
    ids = np.memmap(path, np.uint16, "r")
    tokens = TokenSplit(payloads=(ids,), ends=np.array([ids.size]), bytes=np.array([ids.size]), vocab_size=vocab_size)
    ours = OurLoop(shape, tokens, batch, machine)
    device = ours.trainer.device
    plain = PlainLoop(shape, ids, batch, device, ours.trainer.dtype)
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    ours.steps(2)
    plain.step()
    best, seconds = {"ours": math.inf, "plain": math.inf}, 0.0
    waited = ours.loader.wait_seconds
    for _ in range(rounds):
        began, wall = clock(), time.perf_counter()
        ours.steps(steps)
        best["ours"] = min(best["ours"], clock() - began)
        seconds += time.perf_counter() - wall
        began = clock()
        for _ in range(steps):
            plain.step()
        best["plain"] = min(best["plain"], clock() - began)
    size = batch * shape.context * steps
    waiting, times = (ours.loader.wait_seconds - waited) / seconds, best["plain"] / best["ours"]
    peak = peak_flops(device)
    mfu = f", MFU {size * shape.flops_per_token() / best['ours'] / peak:.1%}" if peak else ""
    print(
        f"{name}, vocabulary {vocab_size:,}, {batch} x {shape.context}: {size / best['ours']:,.0f} tokens/s, "
        f"plain loop {size / best['plain']:,.0f}, {times:.2f} times; waiting for data {waiting:.2%}{mfu}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pretraining", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=10, help="number of steps per round (default 10)")
    parser.add_argument("--threads", type=int, default=1, help="number of CPU threads (default 1)")
    parser.add_argument("--cpu", action="store_true", help="use the CPU even if there is a GPU")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if torch.cuda.is_available() and not arguments.cpu:
            machine = Machine(device="cuda", compile=True)
            return measure("gpt2-124m", 50257, 32, arguments.steps, arguments.rounds, machine, Path(folder))
        for vocab_size in (2048, 8192, 32768):
            machine = Machine(device="cpu", threads=arguments.threads)
            measure("nano-gpt2", vocab_size, 16, arguments.steps, arguments.rounds, machine, Path(folder))


if __name__ == "__main__":
    main()
