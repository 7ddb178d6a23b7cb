"""Splits as the libraries that made them known do them: the twin of tokenizers_lab/pretokenizer."""

from tokenizers import Regex, normalizers, pre_tokenizers

from gristmill.tokenizers_lab.pretokenize import PATTERNS

STEPS = {
    "digits": pre_tokenizers.Digits(individual_digits=False),
    "each_digit": pre_tokenizers.Digits(individual_digits=True),
    "punctuation": pre_tokenizers.Punctuation("contiguous"),
    "each_punctuation": pre_tokenizers.Punctuation("isolated"),
}


def characters(data: bytes) -> list[tuple[str, int]]:
    """Each character and its bytes; a byte that belongs to none reads as U+FFFD."""
    text = data.decode("utf-8", "surrogateescape")
    return [("\ufffd", 1) if 0xDC80 <= ord(c) <= 0xDCFF else (c, len(c.encode())) for c in text]


def by_tokenizers(pretokenizer: str):
    if pretokenizer == "metaspace":
        return pre_tokenizers.Metaspace(prepend_scheme="never")
    if pretokenizer == "bert":
        return pre_tokenizers.BertPreTokenizer()
    if pretokenizer == "whitespace":
        return pre_tokenizers.WhitespaceSplit()
    if pretokenizer == "mark_runs":
        return pre_tokenizers.Split(Regex("[ ▁]*[^ ▁]+|[ ▁]+"), "isolated")
    if pretokenizer in STEPS:
        return STEPS[pretokenizer]
    patterns = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in PATTERNS[pretokenizer]]
    return pre_tokenizers.Sequence(patterns)


def pretokens(pretokenizer: str, data: bytes) -> list[bytes]:
    """The document's pieces; for ``bert`` and ``whitespace`` without those of white space."""
    sized = characters(data)
    text = "".join(c for c, _ in sized)
    ends = [0]
    for _, size in sized:
        ends.append(ends[-1] + size)
    if pretokenizer == "bert":  # spaces around Chinese characters, as its normaliser puts them
        clean = normalizers.BertNormalizer(clean_text=False, strip_accents=False, lowercase=False)
        places = [i for i, c in enumerate(text) for _ in clean.normalize_str(c)]
        spans = [span for _, span in by_tokenizers(pretokenizer).pre_tokenize_str(clean.normalize_str(text))]
        spans = [(places[begin], places[end - 1] + 1) for begin, end in spans]
    else:
        spans = [span for _, span in by_tokenizers(pretokenizer).pre_tokenize_str(text)] if text else []
    return [data[ends[begin] : ends[end]] for begin, end in spans]
