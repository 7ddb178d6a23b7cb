"""Cost of checksums in a run: ``python -m benchmarks.checksums CORPUS … [--recipe clean-corpus] [--set CHANGE]``.

The recipe runs in this process, twice: on the raw corpus, and again with a changed threshold (``--set``) on finished
measures. Printed are the CPU seconds of each run and the share of them that hashing took: of files just written, and
of files before they were read. The digests of manifests are in neither; they hash a few kB.
"""

import argparse
import tempfile
import time
from collections.abc import Callable

from upath import UPath

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.pipelines.storage import files, manifest


class Timed:
    """Checksum function that adds up its calls, its bytes and the CPU seconds of its threads."""

    def __init__(self, checksum: Callable[[UPath], str]):
        self.checksum = checksum
        self.reset()

    def reset(self) -> None:
        self.calls, self.bytes, self.seconds = 0, 0, 0.0

    def __call__(self, path: UPath) -> str:
        began = time.thread_time()
        found = self.checksum(path)
        self.seconds += time.thread_time() - began
        self.calls, self.bytes = self.calls + 1, self.bytes + path.stat().st_size
        return found

    def row(self, title: str, seconds: float) -> str:
        per_second = self.bytes / 1e6 / self.seconds if self.seconds else 0
        sizes = f"{self.calls:,} | {self.bytes / 1e6:,.1f} | {1000 * self.seconds:,.1f} | {per_second:,.0f}"
        return f"| {title} | {seconds:,.1f} | {sizes} | {self.seconds / seconds:.2%} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.checksums", description=__doc__)
    parser.add_argument("corpus", nargs="+", metavar="CORPUS")
    parser.add_argument("--recipe", default="clean-corpus", help="recipe to run (default clean-corpus)")
    parser.add_argument("--set", default="gopher.min_words=60", dest="change", help="change of the second run")
    arguments = parser.parse_args()
    written, verified = Timed(manifest.current_checksum), Timed(files.current_checksum)
    manifest.current_checksum, files.current_checksum = written, verified
    print("| run | CPU s | files | MB | CPU ms | MB/s | of CPU s |\n|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for title, changes in (("first", ()), ("changed threshold", (arguments.change,))):
            written.reset()
            verified.reset()
            files._HASHED.clear()  # as in a process of its own
            recipe = read_recipe(arguments.recipe, changes, tuple(arguments.corpus))
            began = time.process_time()
            clean(recipe, UPath(folder) / "work")
            seconds = time.process_time() - began
            print(written.row(f"{title}, written", seconds))
            print(verified.row(f"{title}, verified", seconds), flush=True)


if __name__ == "__main__":
    main()
