"""Child process of html_extractor.py: reads HTML pages, writes their main text.

A request is three lengths, then URL, charset ("utf-8", or "" if unknown) and bytes of the page. A response is its
length, then JSON. A timer limits the CPU time per page, and its signal kills the process even if a parser hangs in C.
The process runs this file by its path and imports nothing of Gristmill.
"""

import json
import re
import resource
import signal
import struct
import sys

from trafilatura import bare_extraction
from trafilatura.settings import Document

# Only dates in the metadata of a page: a search of its text guesses (any "2021" gives 2021-01-01). The default max_date
# is today, so results would depend on the day.
DATES = {"original_date": True, "extensive_search": False, "outputformat": "%Y-%m-%d", "max_date": "2100-01-01"}
# What no reader sees; trafilatura drops only some of it. A whole body is often hidden until its scripts have run.
STYLE = "translate(@style, 'DISPLAYNOE \t\n\r', 'displaynoe')"
HIDDEN = f".//*[self::template or ((@hidden or contains({STYLE}, 'display:none')) and not(self::body))]"
DOCUMENT = re.compile("<(?:html|head|body)\\b", re.IGNORECASE)
MAX_BYTES = 2 << 30  # of address space: a page of 8 MB needs a tenth


def extract(page: bytes, url: str, charset: str, favor: str) -> dict:
    """Extract main text, title and date of a page; the text is "" if there is no main text.

    ``favor`` is trafilatura's term: ``precision`` leaves out what may be no main text, ``recall`` keeps it.
    """
    text = page.decode() if charset else page  # trafilatura guesses the charset of bytes
    found = _extracted(text, url, favor)
    if not found and isinstance(text, str) and not DOCUMENT.search(text):
        found = _extracted(f"<html><body>{text}</body></html>", url, favor)  # a single element is refused
    return {"text": found.text or "", "title": found.title, "date": found.date} if found else {"text": ""}


def _extracted(page: str | bytes, url: str, favor: str) -> Document | None:
    # No `deduplicate`: it drops paragraphs of earlier pages, so results would depend on the order of pages.
    found = bare_extraction(
        page,
        url=url or None,
        favor_precision=favor == "precision",
        favor_recall=favor == "recall",
        include_comments=False,
        with_metadata=True,
        date_extraction_params=DATES,
        prune_xpath=HIDDEN,
    )
    assert not isinstance(found, dict)  # only `as_dict` returns one
    return found


def main(seconds: int, favor: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    while header := requests.read(12):
        url, charset, page = (requests.read(size) for size in struct.unpack(">III", header))
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            answer = extract(page, url.decode(), charset.decode(), favor)
            body = json.dumps(answer, ensure_ascii=False).encode()
        except Exception as error:  # parsers raise errors of any type; report it and read the next page
            body = json.dumps({"error": f"{type(error).__name__}: {error}"}).encode()
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(struct.pack(">I", len(body)) + body)
        answers.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
