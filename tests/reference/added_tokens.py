"""Slow twin of tokenizers_lab/strings/added_tokens.py: the loop of `tokenizers` (added_vocabulary.rs, find_matches)."""

WHITE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def parts(text: str, tokens: list, allowed: set[str]) -> list[str | int]:
    """Return the text between tokens, and the ids of the tokens that are not text."""
    found: list[str | int] = []
    done = at = 0
    while at < len(text):
        here = [token for token in tokens if text.startswith(token.content, at)]
        if not here:
            at += 1
            continue
        token = max(here, key=lambda each: len(each.content))
        begin, end = at, at + len(token.content)
        at = end
        if token.special and token.content not in allowed:
            continue
        while token.lstrip and begin > done and text[begin - 1] in WHITE:
            begin -= 1
        while token.rstrip and end < len(text) and text[end] in WHITE:
            end += 1
        found += [*([text[done:begin]] if begin > done else []), token.id]
        done = at = end
    return [*found, *([text[done:]] if done < len(text) else [])]
