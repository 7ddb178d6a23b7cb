"""Near-repeated passages one after the other: the twin of dedup/passages/near_repeated.py."""

from tests.reference.canonical import canonical
from tests.reference.normalize import normalize
from tests.reference.passages import passages
from tests.reference.shingles import fold, is_letter


def characters(passage: str, size: int) -> set[str]:
    """Runs of ``size`` characters of the normalized text in lower case; a shorter text is one run, no text none."""
    text = "".join(map(fold, canonical(normalize(passage.encode(), False).decode())))
    return {text[i : i + size] for i in range(max(len(text) - size + 1, 1))} if text else set()


def jaccard(left: set, right: set) -> float:
    return len(left & right) / len(left | right)


def are_alike(left: str, right: str, threshold: float, size: int, letters: int) -> bool:
    if canonical(normalize(left.encode(), False).decode()) == canonical(normalize(right.encode(), False).decode()):
        return True
    long = all(sum(map(is_letter, passage)) >= letters for passage in (left, right))
    return long and jaccard(characters(left, size), characters(right, size)) >= threshold


def kept(texts: list[str], kind: str, threshold: float, size: int, letters: int) -> list[list[str]]:
    """The passages of each text that stay, where those come first that are longer, then by their place in the list."""
    seen, stay = [], {}
    for number in sorted(range(len(texts)), key=lambda i: (-len(texts[i].encode()), i)):
        stay[number] = []
        for passage in passages(texts[number], kind):
            if not any(are_alike(passage, earlier, threshold, size, letters) for earlier in seen):
                seen.append(passage)
                stay[number].append(passage)
    return [stay[i] for i in range(len(texts))]
