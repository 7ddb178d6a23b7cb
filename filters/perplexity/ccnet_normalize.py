"""Text as CCNet normalises it before its perplexity (facebookresearch/cc_net, text_normalizer.py).

Strip, lower, take accents off, make every digit 0, write common Unicode punctuation as ASCII, drop control characters
(line ends among them, so a document is one line). Its models and cut-offs mean something only for text like that.
"""

import re
import unicodedata

from gristmill.pipelines.ragged import Ragged

PUNCTUATION = {
    **dict.fromkeys("„”“«»１」「《》", '"'),
    **dict(zip("，。、´’∶：？！（）；–━►～〈〉【】％", ",.,''::?!();---~<>[]%", strict=True)),
    "—": " - ",
    "．": ". ",
    "…": "...",
}
TABLE = str.maketrans(PUNCTUATION)
DIGIT = re.compile(r"\d")
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def normalize_document(line: str) -> str:
    """One document as CCNet's models see it; "" for one that is blank."""
    line = line.strip().lower()
    line = "".join(c for c in unicodedata.normalize("NFD", line) if unicodedata.category(c) != "Mn")
    return CONTROL.sub("", DIGIT.sub("0", line).translate(TABLE))


def normalize_batch(text: Ragged) -> Ragged:
    """Every document of a batch, normalised: 3 MB/s, for the sake of being the same as CCNet."""
    return Ragged.from_strings([normalize_document(document) for document in text.to_text().to_pylist()])
