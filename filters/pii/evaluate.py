"""Evaluation of detectors of personal data: exact comparison of spans with labeled ones, by type.

A labeled row has ``text`` and, at the top or under ``labels``, lists of ``{start, end, type}`` in characters: ``pii``
(or ``spans``, ``entities``), and ``pii_decoys`` for text that must not be detected. Types have aliases; other types are
left out of the score, on both sides.
"""

import io
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import fsspec
import orjson
import zstandard

from gristmill.filters.pii.detect import ON_REQUEST, TYPES
from gristmill.filters.pii.filter import PiiFilter
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged

KNOWN = (*TYPES, *ON_REQUEST)
LISTS = ("pii", "spans", "entities")
ALIASES = {
    "email_address": "email",
    "mail": "email",
    "ip_address": "ip",
    "ipv4": "ip",
    "ipv6": "ip",
    "mac_address": "mac",
    "phone_number": "phone",
    "telephone": "phone",
    "card": "credit_card",
    "credit_card_number": "credit_card",
    "iban_code": "iban",
    "ssn": "us_ssn",
    "dob": "date_of_birth",
    "birth_date": "date_of_birth",
    "us_passport": "passport",
    "passport_number": "passport",
    "id_number": "national_id",
    "secret": "api_key",
    "key": "api_key",
    "crypto": "wallet",
    "name": "person",
    "address": "street_address",
}


class LabeledText(NamedTuple):
    """A labeled document. Spans are (start, end, type) in characters."""

    id: str
    text: str
    spans: frozenset[tuple[int, int, str]]
    decoys: tuple[tuple[int, int], ...]


class Mismatch(NamedTuple):
    """A false positive or false negative, for inspection."""

    kind: str  # "false": detected, not labeled; "missed": labeled, not detected
    id: str
    start: int
    end: int
    type: str
    text: str
    context: str


class Score(NamedTuple):
    """The counts of one type: true positives, false positives and false negatives."""

    correct: int  # detected and labeled
    false: int  # only detected
    missed: int  # only labeled

    @property
    def precision(self) -> float:
        """Share of the detected spans that are labeled."""
        return self.correct / max(self.correct + self.false, 1)

    @property
    def recall(self) -> float:
        """Share of the labeled spans that are detected."""
        return self.correct / max(self.correct + self.missed, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return 2 * self.correct / max(2 * self.correct + self.false + self.missed, 1)


class Scores(NamedTuple):
    """The result of an evaluation."""

    types: dict[str, Score]  # of types with at least one label
    unlabeled: dict[str, int]  # number of detected spans of the other types
    mismatches: list[Mismatch]
    decoys_hit: int  # decoys that a detected span overlaps
    decoys: int


Finder = Callable[[list[str]], list[set[tuple[int, int, str]]]]  # texts -> spans in characters


def read_labeled(path: str) -> list[LabeledText]:
    """Read the rows of a JSONL file, plain or compressed; a row without a list has no spans.

    Raises InputError for a row without text or with malformed spans, and if no row has a list.
    """
    documents, lists = [], 0
    for number, line in enumerate(_lines(path), 1):
        try:
            row = orjson.loads(line)
            text, labels = row["text"], {**row, **(row.get("labels") or {})}
            given = [labels[name] for name in LISTS if labels.get(name) is not None]
            lists, spans = lists + len(given), given[0] if given else []
            named = [(s["start"], s["end"], type_of(s.get("type") or s["label"])) for s in spans]
            decoys = tuple((s["start"], s["end"]) for s in labels.get("pii_decoys") or [])
        except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            raise InputError(
                f"{path}:{number} is no labeled row; expected JSON with text and pii: [{{start, end, type}}]"
            ) from None
        spans = frozenset(span for span in named if span[2] in KNOWN)
        documents.append(LabeledText(str(row.get("id", number)), text, spans, decoys))
    if not lists:
        raise InputError(f"{path} has labels in no row; expected pii: [{{start, end, type}}], at the top or in labels")
    return documents


def _lines(path: str) -> Iterator[bytes]:
    try:
        with fsspec.open(path, "rb", compression="infer") as file, io.BufferedReader(file) as lines:
            yield from lines  # zstandard's readers cannot be iterated by line
    except (OSError, ValueError, zstandard.ZstdError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}") from None


def type_of(label: str) -> str:
    """Return our type for a label; the label in lower case if there is none."""
    name = label.lower().replace("-", "_").replace(" ", "_")
    return ALIASES.get(name, name)


def pii_detector(settings: PiiFilter) -> Finder:
    """Return the step's rules as a finder, for text of unknown language."""

    def find(texts: list[str]) -> list[set[tuple[int, int, str]]]:
        rows = Ragged.from_strings([text.encode("utf-8", "surrogatepass") for text in texts])
        spans: list[set[tuple[int, int, str]]] = [set() for _ in texts]
        for row, start, end, type in settings.detect(rows):
            low = rows.offsets[row]
            before, inside = rows.data[low:start].tobytes(), rows.data[start:end].tobytes()
            begin = len(before.decode("utf-8", "replace"))
            spans[row].add((begin, begin + len(inside.decode("utf-8", "replace")), type))
        return spans

    return find


def score(
    documents: Iterable[LabeledText], find: Finder, types: Iterable[str] = TYPES, labeled_lines: bool = False
) -> Scores:
    """Compare the spans that ``find`` detects in documents with their labels, for the given types.

    ``labeled_lines``: count only lines with a label or a decoy, because the other lines were not labeled.
    """
    documents, types = list(documents), set(types)
    counts: dict[str, Counter] = defaultdict(Counter)
    mismatches, decoys_hit = [], 0
    for document, found in zip(documents, find([document.text for document in documents]), strict=True):
        wanted = {span for span in document.spans if span[2] in types}
        found = {span for span in found if span[2] in types}
        if labeled_lines:
            lines = _lines_of(document)
            found = {span for span in found if any(start <= span[0] < end for start, end in lines)}
        decoys_hit += sum(any(s < end and start < e for s, e, _ in found) for start, end in document.decoys)
        for kind, spans in (("correct", found & wanted), ("false", found - wanted), ("missed", wanted - found)):
            for start, end, type in sorted(spans):
                counts[type][kind] += 1
                if kind != "correct":
                    context = document.text[max(0, start - 40) : end + 20]
                    mismatches.append(Mismatch(kind, document.id, start, end, type, document.text[start:end], context))
    labeled = {span[2] for document in documents for span in document.spans}
    kinds = {type: [counts[type][kind] for kind in ("correct", "false", "missed")] for type in KNOWN if type in counts}
    scores = {type: Score(*numbers) for type, numbers in kinds.items() if type in labeled}
    others = {type: numbers[1] for type, numbers in kinds.items() if type not in labeled}
    return Scores(scores, others, mismatches, decoys_hit, sum(len(document.decoys) for document in documents))


def _lines_of(document: LabeledText) -> list[tuple[int, int]]:
    """Return begin and end of each line with a label or a decoy."""
    lines = []
    for start, end in {*((start, end) for start, end, _ in document.spans), *document.decoys}:
        begin = document.text.rfind("\n", 0, start) + 1
        stop = document.text.find("\n", end)
        lines.append((begin, len(document.text) if stop < 0 else stop))
    return lines
