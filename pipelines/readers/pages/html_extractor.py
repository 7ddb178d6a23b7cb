"""Extraction of the main text of HTML pages by trafilatura in a child process.

Pages are hostile: nested a million deep, quadratic for one regular expression, fatal to a C library. The child
process has a limit of CPU time, which unlike a timeout does not depend on other load. When the child dies, the page is
rejected and the next page goes to a new child.

A child takes a CPU second to import trafilatura, as long as the pages of a small unit. So it is kept for the next unit.
"""

import atexit
import re
import struct
import subprocess
import sys
import threading
import time
from html import unescape
from pathlib import Path

import orjson

from gristmill.pipelines.readers.pages.charsets import decode

WORKER = Path(__file__).with_name("html_worker.py")
IDLE_SECONDS = 10.0  # without a page, after which a kept child is ended: it holds 100 MB
TAG = re.compile("<[a-zA-Z/!?]")
MAX_CHILD_BYTES = 64 << 20  # of pages, after which a child is not kept, so that what parsers leave behind is bounded


class NoText(Exception):
    """Reason why a page has no readable text."""


class Extractor:
    """Owner of the child process, which starts at the first page and again after each crash."""

    def __init__(self, max_seconds: int, favor: str = "precision"):
        """Take the CPU seconds of a page, and what its main text favors: ``precision`` or ``recall``."""
        self.max_seconds = max_seconds
        # -P keeps this folder off the child's path, where our modules would shadow packages of the same name.
        self.command = (sys.executable, "-P", str(WORKER), str(max_seconds), favor)
        self.child: subprocess.Popen | None = None
        self.bytes = 0  # of the pages that the child has read
        self.asked = False  # and not answered, if something ended the wait
        self.idle_since = 0.0

    def extract(self, page: bytes, url: str = "", charset: str = "") -> dict:
        """Return text, title and date of a page by name; title and date may be None. Raises NoText with a reason.

        ``charset`` is that of the HTTP header. If no charset fits, the child process guesses one. A page without a
        tag is its own text.
        """
        decoded = decode(page, charset, markup=True)
        if decoded is not None and not TAG.search(decoded):
            return {"text": unescape(decoded), "title": None, "date": None}
        self.child = self.child or self._start()
        self.bytes += len(page)
        stdin, stdout = self.child.stdin, self.child.stdout
        assert stdin and stdout  # pipes
        known = (b"", page) if decoded is None else (b"utf-8", decoded.encode())
        parts = (url.encode(errors="replace"), *known)
        try:
            self.asked = True
            stdin.write(struct.pack(">III", *map(len, parts)) + b"".join(parts))
            stdin.flush()
            (size,) = struct.unpack(">I", stdout.read(4))
            answer, self.asked = orjson.loads(stdout.read(size)), False
        except (BrokenPipeError, struct.error, orjson.JSONDecodeError):
            self.close()
            raise NoText(f"HTML bomb: its main text was not found in {self.max_seconds} CPU seconds") from None
        if "error" in answer:
            raise NoText(f"unreadable HTML: {answer['error']}")
        return answer

    def _start(self) -> subprocess.Popen:
        pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
        return subprocess.Popen(self.command, bufsize=1 << 20, stdin=pipe, stdout=pipe, stderr=nothing)

    def close(self) -> None:
        """End the child process, if any."""
        if self.child:
            self.child.kill()
            self.child.communicate()
            self.child, self.bytes, self.asked = None, 0, False


class IdleExtractors:
    """Extractors of this process between two units. Thread-safe."""

    def __init__(self):
        self.lock = threading.Lock()
        self.waiting: list[Extractor] = []
        atexit.register(self.close)

    def take(self, max_seconds: int, favor: str) -> Extractor:
        """Return an extractor with these settings whose child waits, or a new one."""
        new = Extractor(max_seconds, favor)
        with self.lock:
            for extractor in self.waiting:
                if extractor.command == new.command:
                    self.waiting.remove(extractor)
                    break
            else:
                return new
        if extractor.child and extractor.child.poll() is not None:
            extractor.close()
        return extractor

    def give(self, extractor: Extractor) -> None:
        """Keep an extractor for IDLE_SECONDS, unless its child has read MAX_CHILD_BYTES or owes an answer."""
        if extractor.asked or extractor.bytes >= MAX_CHILD_BYTES:
            extractor.close()
        if extractor.child:
            extractor.idle_since = time.monotonic()
            with self.lock:
                self.waiting.append(extractor)
            timer = threading.Timer(IDLE_SECONDS, self.close, [IDLE_SECONDS])
            timer.daemon = True
            timer.start()

    def close(self, seconds: float = 0.0) -> None:
        """End the children that have waited for so long."""
        with self.lock:
            over = [extractor for extractor in self.waiting if time.monotonic() - extractor.idle_since >= seconds]
            self.waiting = [extractor for extractor in self.waiting if extractor not in over]
        for extractor in over:
            extractor.close()


IDLE = IdleExtractors()
