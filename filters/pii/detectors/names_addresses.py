"""Names of persons and street addresses, by rules and a gazetteer; off by default, tuned for precision.

- A name follows a title ("Dr. Anna Weber") or an introduction ("my name is ..."), or it is a given name of
  ``given_names.txt`` followed by a surname. Single names and names of languages outside the list are not found.
- An address has a house number and a word for street, in English, German, Dutch, French, Spanish, Italian or
  Portuguese.

Both cost: names in biographies and histories are redacted too, and the rules run at about 1 MB/s, where those of the
other types read hundreds of MB/s of novels (`python -m benchmarks.pii --types ...`).
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

UP = r"[A-ZÀ-ÖØ-ÞĀĂĄĆĈĊČĎĐĒĔĖĘĚĜĞĠĢĤĦĨĪĬĮİĴĶĹĻĽĿŁŃŅŇŊŌŎŐŒŔŖŘŚŜŞŠŢŤŦŨŪŬŮŰŲŴŶŸŹŻŽ]"
WORD = rf"{UP}[^\W\d_]*[a-zß-öø-ÿ][^\W\d_]*(?:-[^\W\d_]+|['’]{UP}[^\W\d_]+)*"  # capitalized, but not all capitals
PARTICLE = r"(?:von|van|de|del|della|di|da|dos|du|der|den|le|la|bin|ibn|al|el|ten|ter|zu)"
SURNAME = rf"(?:(?:{PARTICLE} ){{0,2}}{WORD})"
INITIAL = rf"(?: {UP}\b\.?)"
NAME = rf"{WORD}{INITIAL}{{0,2}}(?: {SURNAME}){{0,2}}"
TITLE = re.compile(
    r"\b(?:Mr|Mrs|Ms|Mx|Dr|Prof|Herr|Frau|Mme|Mlle|Sra|Señora|Señor|Signora|Signor|Dott|Rev|Hon)\b\.? "
    rf"(?:(?:Dr|Prof)\.? )?({NAME})"
)
INTRODUCED = re.compile(
    r"(?:\b[Mm]y name is|\bI am called|\b[Mm]y name's|\bmein Name ist|\bich heiße|\bje m['’]appelle|\bme llamo|"
    rf"\bmi chiamo|^(?:[Ff]ull )?[Nn]ame:) ({NAME})",
    re.MULTILINE,
)
FULL = re.compile(rf"\b({WORD})({INITIAL}{{0,2}}(?: {WORD})? {SURNAME})(?= ({WORD}))?")
# Before a name they make it a place: "San Giuseppe", "rue Victor Hugo", "40 Victor Hugo".
PLACE = re.compile(r"(?:\b(?:San|Santa|Saint|St|[Rr]ue|Rua|[Aa]venue|Avenida|Calle|Via|Viale|Piazza|Plaza)\.?|\d) $")
# After a given name these make it a place, a firm or a day: "Mary Street", "St. James Park".
NO_SURNAME = frozenset(
    """street st avenue road lane square park house hall hotel river lake bay island islands county city town
    village school college university institute hospital church cathedral chapel abbey castle palace bridge
    museum library theatre theater station airport center centre prize award awards medal cup day company inc
    ltd llc corp corporation group foundation society association press records studios films law act bill
    theorem method algorithm effect disease syndrome bank trust fund party club team stadium court prison series
    show street road north south east west january february march april may june july august september october
    november december monday tuesday wednesday thursday friday saturday sunday terrace flat bypass pass drive
    close gardens boulevard and or the is was has had will would i he she it they we you in on at of apt suite
    box unit""".split()  # noqa: SIM905
)

STREET = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Parkway|"
    r"Pkwy|Circle|Cir|Highway|Hwy|Way|Close|Crescent|Grove|Mews|Row|Alley)"
)
UNIT = r"(?:,? (?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Fl|#)\.? ?#?\w{1,6})"
PLACE_US = rf"(?:,? {WORD}(?: {WORD}){{0,2}},? [A-Z]{{2}} \d{{5}}(?:-\d{{4}})?)"
ADDRESSES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<![\w.,-])\d{{1,5}}[A-Za-z]? (?:[NSEW]\.? |North |South |East |West )?"
        rf"(?:{WORD} |\d{{1,3}}(?:st|nd|rd|th) ){{1,3}}{STREET}\b\.?{UNIT}?{PLACE_US}?",
        r"\bP\.? ?O\.? Box \d{1,6}\b",
        rf"\b{WORD}(?:-{WORD})*(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|damm|straat|laan|plein|gracht)"
        r" \d{1,3} ?[a-z]?\b(?:, \d{4,5} [^\W\d_]+)?",
        rf"\b(?:{WORD} ){{1,2}}(?:Straße|Strasse|Allee|Platz|Weg) \d{{1,3}} ?[a-z]?\b(?:, \d{{4,5}} [^\W\d_]+)?",
        r"(?<![\w.,-])\d{1,4}(?: ?bis| ?ter)?,? (?:rue|avenue|boulevard|place|chemin|allée|impasse|quai) "
        rf"(?:(?:de|du|des|la|le|l['’]|d['’])\s?){{0,3}}{WORD}(?: {WORD}){{0,2}}(?:, \d{{5}} {WORD})?",
        r"\b(?:Calle|Avenida|Avda\.?|Paseo|Plaza|Via|Viale|Piazza|Corso|Rua|Praça) "
        rf"(?:(?:de|del|la|los|las|da|do|dos|di|della) ){{0,2}}{WORD}(?: {WORD}){{0,2}},? (?:n\.?º? ?)?\d{{1,4}}\b",
    )
)


@cache
def given_names() -> frozenset[str]:
    """Return the given names of the gazetteer, in lower case."""
    return frozenset((Path(__file__).parent / "given_names.txt").read_text("utf-8").split())


def person_names(text: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each person's name, in characters."""
    for pattern in (TITLE, INTRODUCED):
        for found in pattern.finditer(text):
            end = found.start(1) + len(_before_stop(found[1]))
            if end > found.start(1):
                yield found.start(1), end
    known, at = given_names(), 0
    while match := FULL.search(text, at):
        given, names, following = match.groups()
        whole = _before_stop(names) == names and (following or "").lower() not in NO_SURNAME
        if whole and given.lower() in known and not PLACE.search(text, max(0, match.start() - 10), match.start()):
            yield match.start(), match.end()
            at = match.end()
        else:
            at = match.end(1)


def _before_stop(names: str) -> str:
    """Return the text before the first word that is no surname."""
    for word in re.finditer(r"[^\W\d_]+", names):
        if word[0].lower() in NO_SURNAME:
            return names[: word.start()].rstrip()
    return names


def street_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each street address, in characters."""
    for pattern in ADDRESSES:
        for found in pattern.finditer(text):
            yield found.span()


FINDERS: dict[str, Callable[[str], Iterator[tuple[int, int]]]] = {
    "street_address": street_addresses,
    "person": person_names,
}
