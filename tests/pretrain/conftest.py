"""One thread for all that torch does here: two on a busy machine are 10 to 20 times slower."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)
    torch.manual_seed(0)
