"""Where a model runs, and how fast that could be at best."""

import os
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import distributed

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings

# Dense bfloat16 FLOP/s of one device, by a part of the name it gives itself; the vendors' data sheets, 2026.
# The first that matches counts. V100 and T4 have no bfloat16: theirs is float16, of which we make no use.
PEAK_FLOPS = {
    "B200": 2250e12,
    "GH200": 989e12,
    "H200": 989e12,
    "H100 NVL": 835e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "MI300X": 1307e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "RTX 5090": 210e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}


class Machine(Settings):
    """How a run is done, which changes speed and the last bits of the losses, and may change when it goes on."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of multiplications; weights are float32
    compile: bool = False  # by torch: slow to begin, then up to twice as fast on a GPU
    threads: int = Field(default=1, ge=1)  # of a CPU. Two on a busy 2-core machine were 10 to 20 times slower than one
    micro_batch_size: int | None = Field(default=None, ge=1)  # sequences at once; fewer need less memory

    def init_device(self, local_rank: int = 0) -> torch.device:
        """The device of this process, made ready."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise RecipeError("machine.device is 'cuda', but torch finds no CUDA device; choose 'auto' or 'cpu'")
        torch.set_num_threads(self.threads)
        if self.device == "cpu" or not torch.cuda.is_available():
            return torch.device("cpu")
        torch.set_float32_matmul_precision("high")
        torch.cuda.set_device(local_rank)
        return torch.device("cuda", local_rank)

    def precision(self, device: torch.device) -> torch.dtype:
        """bfloat16 on GPUs that have it. On a CPU only where asked: it pays with AMX and wide models alone."""
        if self.dtype != "auto":
            return getattr(torch, self.dtype)
        supported = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if supported else torch.float32


def peak_flops(device: torch.device) -> float | None:
    """None where it is not known, as for every CPU."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((flops for part, flops in PEAK_FLOPS.items() if part in name), None)


class ProcessGroup(NamedTuple):
    """The processes that train one model together."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # among those of this machine: which GPU is ours

    def sum(self, *numbers: torch.Tensor) -> None:
        """Add up tensors over all processes, in place."""
        if self.size > 1:
            for number in numbers:
                distributed.all_reduce(number)

    def wait(self) -> None:
        if self.size > 1:
            distributed.barrier()


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def init_distributed(device: str):
    """The world that ``torchrun`` has started this process in: NCCL between GPUs, gloo between CPUs."""
    if "WORLD_SIZE" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        yield SINGLE_PROCESS
        return
    gpus = device != "cpu" and torch.cuda.is_available()
    distributed.init_process_group("nccl" if gpus else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size(), int(os.environ.get("LOCAL_RANK", 0)))
    finally:
        distributed.destroy_process_group()
