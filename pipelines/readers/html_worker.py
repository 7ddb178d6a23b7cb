"""The child process of extract.py: HTML pages in, their main text out.

A page comes in as two lengths, then its URL and its bytes; JSON goes out, led by its length. The process sets itself
a limit of CPU time for each page and is killed by the kernel when it exceeds it, so that not even a parser stuck in
C goes on. It imports nothing of Gristmill and is run by its path.
"""

import json
import re
import resource
import signal
import struct
import sys

from trafilatura import bare_extraction

ALIASES = {"iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "ascii": "cp1252", "us-ascii": "cp1252"}
CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)

# Only dates that a page states: searching its text for one is a guess (any "2021" makes 2021-01-01). By default no date
# may lie after today, which would make the answer depend on the day.
DATES = {"original_date": True, "extensive_search": False, "outputformat": "%Y-%m-%d", "max_date": "2100-01-01"}
MAX_BYTES = 2 << 30  # of address space: a page of 8 MB needs a tenth


def decode(page: bytes, charset: str) -> str | bytes:
    """The page by UTF-8, by the charset of its HTTP header, or by its own, whichever first fits; else its bytes.

    Browsers read latin-1 as Windows-1252 (https://encoding.spec.whatwg.org/#names-and-labels), and so do we.
    """
    declared = CHARSET.search(page[:4096])
    for name in ("utf-8", charset, declared[1].decode("ascii", "replace") if declared else ""):
        try:
            return page.decode(ALIASES.get(name.lower(), name)) if name else page.decode("utf-8-sig")
        except (UnicodeDecodeError, LookupError):
            pass
    return page


def extract(page: bytes, url: str, charset: str) -> dict:
    """Main text, title and date of a page; a page without main text has the text ""."""
    # No `deduplicate`: it remembers paragraphs of earlier pages, so what a page gives would depend on its neighbours.
    found = bare_extraction(
        decode(page, charset),
        url=url or None,
        favor_precision=True,
        include_comments=False,
        with_metadata=True,
        date_extraction_params=DATES,
    )
    if not found:
        return {"text": ""}
    assert not isinstance(found, dict)  # it would be one if `as_dict` asked for it
    return {"text": found.text or "", "title": found.title, "date": found.date}


def main(seconds: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while header := requests.read(12):
        url, charset, page = (requests.read(size) for size in struct.unpack(">III", header))
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            answer = extract(page, url.decode(), charset.decode())
            body = json.dumps(answer, ensure_ascii=False).encode()
        except Exception as error:  # any page may find a new way to break a parser; it is named and the next one read
            body = json.dumps({"error": f"{type(error).__name__}: {error}"}).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(struct.pack(">I", len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]))
