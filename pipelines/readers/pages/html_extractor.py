"""Extraction of the main text of HTML pages by trafilatura in a child process.

Pages are hostile: nested a million deep, quadratic for one regular expression, fatal to a C library. The child
process has a limit of CPU time, which unlike a timeout does not depend on other load. When the child dies, the page is
rejected and the next page goes to a new child.
"""

import struct
import subprocess
import sys
from pathlib import Path

import orjson

from gristmill.pipelines.readers.pages.charsets import decode

WORKER = Path(__file__).with_name("html_worker.py")


class NoText(Exception):
    """Reason why a page has no readable text."""


class Extractor:
    """Owner of the child process, which starts at the first page and again after each crash."""

    def __init__(self, max_seconds: int, favor: str = "precision"):
        """Take the CPU seconds of a page, and what its main text favors: ``precision`` or ``recall``."""
        self.max_seconds, self.favor = max_seconds, favor
        self.child: subprocess.Popen | None = None

    def extract(self, page: bytes, url: str = "", charset: str = "") -> dict:
        """Return text, title and date of a page by name; title and date may be None. Raises NoText with a reason.

        ``charset`` is that of the HTTP header. If no charset fits, the child process guesses one.
        """
        decoded = decode(page, charset, markup=True)
        self.child = self.child or self._start()
        stdin, stdout = self.child.stdin, self.child.stdout
        assert stdin and stdout  # pipes
        known = (b"", page) if decoded is None else (b"utf-8", decoded.encode())
        parts = (url.encode(errors="replace"), *known)
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
        # -P keeps this folder off the child's path, where our modules would shadow packages of the same name.
        command = [sys.executable, "-P", str(WORKER), str(self.max_seconds), self.favor]
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=1 << 20
        )

    def close(self) -> None:
        """End the child process, if any."""
        if self.child:
            self.child.kill()
            self.child.communicate()
            self.child = None
