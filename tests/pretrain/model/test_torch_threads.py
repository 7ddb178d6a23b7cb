"""Threads of a training run: as many as the environment says, waiting without using a core."""

import os
import subprocess
import sys

PROGRAM = """
from gristmill.pretrain.model.devices import Machine
import os, torch
for threads in None, 2:
    Machine(device="cpu", threads=threads).init_device()
    print(torch.get_num_threads(), os.environ["OMP_WAIT_POLICY"])
"""


def test_threads_are_those_of_the_environment_and_wait_passively():
    env = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | {"OMP_NUM_THREADS": "1"}
    found = subprocess.check_output([sys.executable, "-c", PROGRAM], env=env, text=True)
    assert found.split() == ["1", "PASSIVE", "2", "PASSIVE"]
