"""Normalizers and pre-tokenizers of tokenizer.json, read as the names of ours."""

from typing import Any, NamedTuple

from gristmill.tokenizers_lab.formats.huggingface import MARK, PREFIXES, SPACES
from gristmill.tokenizers_lab.formats.reading import Unsupported
from gristmill.tokenizers_lab.pretokenize import PATTERNS

FORMS = {"NFC": "hf_nfc", "NFD": "hf_nfd", "NFKC": "hf_nfkc", "NFKD": "hf_nfkd", "Lowercase": "hf_lower"}
PREPEND, ESCAPE = SPACES["prefix"], SPACES["escape"]
SPLIT_AT_SPACE = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
DIGITS = {True: "each_digit", False: "digits"}
PUNCTUATION = {"Isolated": "each_punctuation", "Contiguous": "punctuation"}
# Patterns that match every character, so that removing the text between matches removes nothing.
COVERING = ("o200k", "gpt2", "cl100k", "qwen2", "nanochat", "tekken", "lines")


class Cut(NamedTuple):
    """Pre-tokenizer: its name, what it does to the text between added tokens, and whether pieces are of bytes."""

    name: str
    part_normalizers: tuple[str, ...]
    of_bytes: bool


def expect_keys(table: dict[str, Any], known: str, where: str) -> None:
    """Raise Unsupported for a key that is not among the known ones, or is missing."""
    if table and {*table} != {*known.split()}:
        odd = sorted({*table} ^ {*known.split()})
        raise Unsupported(f"{where} differs by {', '.join(odd)}")


def read_normalizers(part: dict | None) -> tuple[tuple[str, ...], bool]:
    """Return the names of a normalizer, and whether it writes spaces as ▁. Raises Unsupported."""
    steps = _steps(part, "normalizers")
    if steps in ([PREPEND, ESCAPE], [ESCAPE, PREPEND]):
        return ("prefix", "escape"), True
    if steps == [ESCAPE]:
        return ("escape",), True
    for step in steps:
        if step.get("type") not in FORMS or step != {"type": step["type"]}:
            raise Unsupported(f"the normalizer is {step.get('type')}")
    return tuple(FORMS[step["type"]] for step in steps), False


def read_pretokenizers(part: dict | None, escapes: bool) -> Cut:
    """Return the pre-tokenizer; ``escapes`` tells that the normalizer wrote spaces as ▁. Raises Unsupported."""
    steps = _steps(part, "pretokenizers")
    if not steps or (escapes and steps == [SPLIT_AT_SPACE]):
        return Cut("none", (), False)
    if len(steps) == 1 and steps[0]["type"] == "Metaspace":
        expect_keys(steps[0], "type replacement prepend_scheme split", "Metaspace")
        if steps[0]["replacement"] != MARK:
            raise Unsupported("Metaspace writes spaces as another character than ▁")
        prefix = PREFIXES[steps[0]["prepend_scheme"]]
        return Cut("metaspace" if steps[0]["split"] else "none", (*prefix, "escape"), False)
    names: list[str] = []
    prefix = ()
    of_bytes = False
    for step in steps:
        if step["type"] != "ByteLevel":
            names.append(_step_name(step, of_bytes))
            continue
        expect_keys(step, "type add_prefix_space trim_offsets use_regex", "ByteLevel")
        if of_bytes or (step["add_prefix_space"] and names):
            raise Unsupported("ByteLevel comes twice, or adds a space after another pre-tokenizer")
        of_bytes = True
        prefix = ("prefix_once",) if step["add_prefix_space"] else ()
        names += ["gpt2"] if step["use_regex"] else []
    if not of_bytes:
        raise Unsupported(f"the pre-tokenizer is {steps[0]['type']}")
    return Cut(_known(names), prefix, True)


def _steps(part: dict | None, key: str) -> list[dict]:
    """Return the steps of a sequence in one list; those inside another sequence too."""
    if part is None:
        return []
    if part["type"] != "Sequence":
        return [part]
    expect_keys(part, f"type {key}", "Sequence")
    return [step for inner in part[key] for step in _steps(inner, key)]


def _step_name(step: dict, of_bytes: bool) -> str:
    """Return the name of a pre-tokenizer; ``of_bytes`` tells that each character is a byte already."""
    if step["type"] == "Digits":
        expect_keys(step, "type individual_digits", "Digits")
        if not of_bytes:
            return DIGITS[step["individual_digits"]]
        if not step["individual_digits"]:
            return "byte_digits"
    if step["type"] == "Punctuation" and not of_bytes and step.get("behavior") in PUNCTUATION:
        expect_keys(step, "type behavior", "Punctuation")
        return PUNCTUATION[step["behavior"]]
    if step["type"] == "Split":
        expect_keys(step, "type pattern behavior invert", "Split")
        pattern = step["pattern"].get("Regex", "").replace("\r", r"\r").replace("\n", r"\n")
        how = step["behavior"], step["invert"]
        for name, known in [*PATTERNS.items(), *(((p,), (p,)) for p in PATTERNS["deepseek-v3"])]:
            isolates = how == ("Isolated", False) or (how == ("Removed", True) and name in COVERING)
            if known == (pattern,) and isolates and (not of_bytes or name == "three_digits"):
                return name if isinstance(name, str) else pattern
    raise Unsupported(f"the pre-tokenizer {step['type']} has no form of ours")


def _known(names: list[str]) -> str:
    """Return a sequence as one name."""
    if tuple(names) == PATTERNS["deepseek-v3"]:
        return "deepseek-v3"
    if {*names} & {*PATTERNS["deepseek-v3"]}:
        raise Unsupported("the pre-tokenizer has only some of DeepSeek's patterns")
    return ">".join(names) or "none"
