"""The main text of HTML pages, by trafilatura in a process of its own.

Pages are hostile: nested a million deep, quadratic for one regular expression, fatal to a C library. A process can
be limited in CPU time, which unlike a timeout does not depend on what else the machine does, and when it dies the
page is rejected and the next one goes to a new process.
"""

import struct
import subprocess
import sys
from pathlib import Path

import orjson

PAGE = Path(__file__).with_name("html_worker.py")


class NoText(Exception):
    """A page could not be read."""


class Extractor:
    """Asks one child process after the other; started at the first page."""

    def __init__(self, max_seconds: int):
        self.max_seconds = max_seconds
        self.child: subprocess.Popen | None = None

    def extract(self, page: bytes, url: str = "", charset: str = "") -> dict:
        """``{"text", "title", "date"}`` of a page, the latter two where it has them. Raises NoText with a reason."""
        self.child = self.child or self._start()
        stdin, stdout = self.child.stdin, self.child.stdout
        assert stdin and stdout  # pipes
        parts = (url.encode(errors="replace"), charset.encode(errors="replace"), page)
        try:
            stdin.write(struct.pack(">III", *map(len, parts)) + b"".join(parts))
            stdin.flush()
            (size,) = struct.unpack(">I", stdout.read(4))
            answer = orjson.loads(stdout.read(size))
        except (BrokenPipeError, struct.error, orjson.JSONDecodeError):
            self.close()
            raise NoText(f"HTML bomb: its main text was not found in {self.max_seconds} CPU seconds") from None
        if "error" in answer:
            raise NoText(f"unreadable HTML: {answer['error']}")
        return answer

    def _start(self) -> subprocess.Popen:
        # -P: the folder of page.py stays off the child's path, where our text.py and csv would hide others.
        command = [sys.executable, "-P", str(PAGE), str(self.max_seconds)]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1 << 20
        )

    def close(self) -> None:
        """End the child, if there is one."""
        if self.child:
            self.child.kill()
            self.child.communicate()
            self.child = None
