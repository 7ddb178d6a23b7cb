"""PII spans found by datatrove or dolma: ``python -I pii.py datatrove|dolma < DOCUMENTS``.

Run the script with a Python that has the tool. Each input line is JSON with id and text. Each output line is a span:
id, start and end (in characters) and type. Both tools run with their defaults. If the tool cannot be imported, the
script prints the reason and exits with ABSENT.

datatrove's formatter replaces spans without reporting them, so the script calls the formatter's own regexes and
validator. dolma's spans include surrounding spaces and punctuation. The script trims them, since otherwise no span
would end where a label ends.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator

ABSENT = 3
# Characters that dolma's regex matches around an address; for other types white space.
AROUND = {"EMAIL_ADDRESS": " \t\r\n.@,?!;:)("}


def datatrove() -> Callable[[str], Iterator[tuple[int, int, str]]]:
    """Return the finder of PIIFormatter: e-mail first, then public IPv4 addresses outside e-mail addresses."""
    from datatrove.pipeline.formatters import PIIFormatter

    formatter = PIIFormatter()

    def find(text):
        addresses = [found.span() for found in formatter.emails_replacer.regex.finditer(text)]
        yield from ((*span, "email") for span in addresses)
        for found in formatter.ip_replacer.regex.finditer(text):
            inside = any(start < found.end() and found.start() < end for start, end in addresses)
            if not inside and formatter.ip_replacer.validator(found[0]):
                yield (*found.span(), "ip")

    return find


def dolma() -> Callable[[str], Iterator[tuple[int, int, str]]]:
    """Return the finder of the tagger pii_regex_v2: e-mail and IPv4 addresses, North American phone numbers."""
    from dolma.core.data_types import Document
    from dolma.taggers.pii import PiiRegexV2

    tagger = PiiRegexV2()

    def find(text):
        for span in tagger.predict(Document(source="", id="", text=text)).spans:
            if span.type != "doc":  # the score of the whole document
                taken, around = text[span.start : span.end], AROUND.get(span.type)
                start = span.start + len(taken) - len(taken.lstrip(around))
                yield start, start + len(taken.strip(around)), span.type

    return find


def main(tool: str) -> None:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # the import of dolma prints to stdout
            find = {"datatrove": datatrove, "dolma": dolma}[tool]()
    except ImportError as error:
        print(error, file=sys.stderr)
        sys.exit(ABSENT)
    for line in sys.stdin:
        document = json.loads(line)
        for start, end, type in find(document["text"]):
            print(json.dumps({"id": document["id"], "start": start, "end": end, "type": type}))


if __name__ == "__main__":
    main(sys.argv[1])
