"""List of the kernels that commands call: ``python -m tools.kernel_list`` writes flows/engine/kernels.txt.

The commands below run over a small corpus in this process. A kernel that is called from Python is listed with the types
of its arguments; all kernels inside it compile with it.
"""

import os
import shlex
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from numba.core.dispatcher import Dispatcher

from gristmill.flows.cli import run
from gristmill.flows.engine import kernels
from gristmill.pipelines.kernels.cache import KernelCache

COMMANDS = """
demo --output demo --max-mb 1
clean clean-corpus --input demo --output work --workers 1
clean fineweb --input demo --output fineweb --workers 1
clean short-text --input demo --output short --workers 1
dedup demo --output deduplicated --save-index index --workers 1
dedup demo --level sentence --near-threshold 0.9 --output sentences --workers 1
dedup demo --level substring --output substrings --workers 1
overlap demo --output overlap --workers 1
decontaminate demo --against work --output decontaminated --workers 1
pii redact demo --output redacted --workers 1
ngram train work --output demo.ngram
ngram score work --model demo.ngram
classifier train --positive work --negative work/removed --output quality.bin
classifier score demo --model quality.bin
tokenizer train work --vocab-size 600 --output work/tokenizers/bpe --workers 1
tokenizer train work --algorithm unigram --vocab-size 600 --output unigram --workers 1
tokenizer train work --algorithm wordpiece --vocab-size 600 --output wordpiece --workers 1
tokenize work --tokenizer work/tokenizers/bpe --output work/tokens/bpe --workers 1
tokenize work --tokenizer unigram --output unigram-tokens --workers 1
tokenize work --tokenizer wordpiece --output wordpiece-tokens --workers 1
tokens export work/tokens/bpe --format nanogpt --output nanogpt
pretrain work/tokens/bpe --preset nano --steps 3 --output work/runs/nano
generate work/runs/nano --prompt The
report work
"""


@contextmanager
def recorded() -> Iterator[set[tuple[str, str, str]]]:
    """Collect module, kernel and argument types of the kernels that the block calls from Python."""
    found, depth, compile = set(), threading.local(), Dispatcher.compile

    def recording(dispatcher: Any, signature):
        depth.now = getattr(depth, "now", 0) + 1
        try:
            if depth.now == 1 and isinstance(dispatcher._cache, KernelCache):
                found.add((*name_of(dispatcher.py_func), ",".join(map(kernels.spell, signature))))
            return compile(dispatcher, signature)
        finally:
            depth.now -= 1

    with patch.object(Dispatcher, "compile", recording):
        yield found


def name_of(function) -> tuple[str, str]:
    """Return module and expression of a kernel: its name, or the call of the factory that closed over the values."""
    name, closed_over = function.__qualname__, [cell.cell_contents for cell in function.__closure__ or ()]
    factory = name.partition(".<locals>")[0]
    return function.__module__, f"{factory}({','.join(map(repr, closed_over))})" if closed_over else name


def main() -> None:
    """Run the commands and write the list."""
    kernels.compile_all = lambda console, look=False: None  # of the list that this run writes
    with tempfile.TemporaryDirectory() as folder, recorded() as found:
        os.chdir(folder)
        for line in COMMANDS.strip().splitlines():
            if code := run(shlex.split(line)):
                raise SystemExit(f"gristmill {line}: exit code {code}")
    kernels.LIST.write_text("".join(f"{' '.join(kernel)}\n" for kernel in sorted(found)), "utf-8")


if __name__ == "__main__":
    main()
