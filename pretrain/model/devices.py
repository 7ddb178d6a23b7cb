"""Devices and processes that train a model, and their peak speed."""

import os
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import distributed

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings

MAX_THREADS = 8  # the matrices of the presets that a CPU can train are too small to be shared by more

# Dense bfloat16 FLOP/s of one device, by a part of its name; vendors' data sheets, 2026. The first match counts.
# V100 and T4 are missing: they have float16 only, which we do not use.
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
    """Execution settings: they change speed and the last bits of losses, and may differ after a resume."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of matrix products; weights are float32
    compile: bool = False  # torch.compile: a slow start, then up to twice as fast on a GPU
    threads: int | None = Field(default=None, ge=1)  # on a CPU; None: OMP_NUM_THREADS or one per core
    micro_batch_size: int | None = Field(default=None, ge=1)  # sequences per forward pass; fewer need less memory

    def init_device(self, local_rank: int = 0) -> torch.device:
        """Set up and return the device of this process. Raise RecipeError if ``device`` is "cuda" and there is none."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise RecipeError("machine.device is 'cuda', but torch finds no CUDA device; choose 'auto' or 'cpu'")
        torch.set_num_threads(self.threads or min(torch.get_num_threads(), MAX_THREADS))
        if self.device == "cpu" or not torch.cuda.is_available():
            return torch.device("cpu")
        torch.set_float32_matmul_precision("high")
        torch.cuda.set_device(local_rank)
        return torch.device("cuda", local_rank)

    def precision(self, device: torch.device) -> torch.dtype:
        """Return the dtype of matrix products; "auto" is bfloat16 on GPUs that have it, float32 elsewhere.

        On a CPU bfloat16 pays only with AMX and wide models.
        """
        if self.dtype != "auto":
            return getattr(torch, self.dtype)
        supported = device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        return torch.bfloat16 if supported else torch.float32


def peak_flops(device: torch.device) -> float | None:
    """Return the peak bfloat16 FLOP/s of a device; None if unknown, as for every CPU."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((flops for part, flops in PEAK_FLOPS.items() if part in name), None)


class ProcessGroup(NamedTuple):
    """A group of processes that train one model together."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # number of this process's GPU on its machine

    def sum(self, *numbers: torch.Tensor) -> None:
        """Sum each tensor over all processes, in place."""
        if self.size > 1:
            for number in numbers:
                distributed.all_reduce(number)

    def wait(self) -> None:
        """Wait until all processes have arrived here."""
        if self.size > 1:
            distributed.barrier()


SINGLE_PROCESS = ProcessGroup()


@contextmanager
def init_distributed(device: str):
    """Join the process group that ``torchrun`` started, and leave it at the end: NCCL for GPUs, gloo for CPUs."""
    if "WORLD_SIZE" not in os.environ or os.environ["WORLD_SIZE"] == "1":
        yield SINGLE_PROCESS
        return
    gpus = device != "cpu" and torch.cuda.is_available()
    distributed.init_process_group("nccl" if gpus else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), distributed.get_world_size(), int(os.environ.get("LOCAL_RANK", 0)))
    finally:
        distributed.destroy_process_group()
