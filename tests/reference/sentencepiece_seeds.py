"""SentencePiece 0.2.3's candidates from whole sentences, as its suffix array gives them."""

from collections import Counter, defaultdict

END = b"\0"


def seeds(sentences: list[str], script, longest: int) -> dict[str, int]:
    """Strings of two characters and more that come twice and have two different bytes behind them, and their weights.

    ``script(character)``: None for what goes with each; "" for what is in no piece.
    """
    often, behind = Counter(), defaultdict(set)
    for sentence in sentences:
        for i in range(len(sentence)):
            for j in range(i + 2, min(len(sentence), i + longest) + 1):
                piece = sentence[i:j]
                scripts = {script(character) for character in piece} - {None}
                if len(scripts) > 1 or "" in scripts or "▁" in piece[1:]:
                    continue
                often[piece] += 1
                # A character that is not kept is ▅ there.
                following = sentence[j] if j < len(sentence) else None
                behind[piece].add(
                    END if following is None else ("▅" if script(following) == "" else following).encode()[:1]
                )
    return {p: n * len(p) for p, n in often.items() if n > 1 and len(behind[p]) > 1}
