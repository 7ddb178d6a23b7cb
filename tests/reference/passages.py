"""Sentences, lines and paragraphs by regular expressions: the twin of dedup/passages/split.py."""

import re

SPACE = "[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+"
BREAK = "\r\n|[\n\v\f\r\x85\u2028\u2029]"
CLOSING = re.escape("\"')]}»”’」』）")
STOPPED = re.compile(f"[.!?…。！？][{CLOSING}]*$")
WIDE_STOPPED = re.compile(f"[。！？][{CLOSING}]*$")
BREAKS = {"sentence": 1, "line": 1, "paragraph": 2}


def passages(text: str, kind: str) -> list[str]:
    found, current = [], ""
    for piece in re.split(f"({SPACE})", text):
        if re.fullmatch(SPACE, piece):
            breaks = len(re.findall(BREAK, piece))
            if breaks >= BREAKS[kind] or (kind == "sentence" and STOPPED.search(current)):
                found.append(current)
                current = ""
            else:
                current += piece if current else ""
            continue
        for character in piece:
            if kind == "sentence" and WIDE_STOPPED.search(current) and not re.match(f"[。！？{CLOSING}]", character):
                found.append(current)
                current = ""
            current += character
    found.append(re.sub(f"{SPACE}$", "", current))
    return [passage for passage in found if passage]
