"""What other tools find, in the Python that has them: ``python -I pii_peers.py datatrove|dolma < DOCUMENTS``.

Each line of DOCUMENTS is JSON with id and text; each that is printed, a span: id, start, end (in characters) and type.
Both tools run as they come. Exits with ABSENT where the tool cannot be imported, after saying why.

datatrove's formatter replaces without saying where, so its own expressions and check are asked. dolma's spans reach
over the spaces and marks around; those are cut off here, since with them none ends where a label does.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator

ABSENT = 3
AROUND = {"EMAIL_ADDRESS": " \t\r\n.@,?!;:)("}  # what dolma's expression takes with an address; elsewhere white space


def datatrove() -> Callable[[str], Iterator[tuple[int, int, str]]]:
    """PIIFormatter: e-mail first, then public IPv4 addresses in what is left."""
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
    """The tagger pii_regex_v2: e-mail, IPv4 addresses, telephones of North America."""
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
        with contextlib.redirect_stdout(sys.stderr):  # dolma's import has much to say
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
