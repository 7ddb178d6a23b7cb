"""Kinds of characters at the end of a sentence, from Unicode's Sentence_Break (UAX 29)."""

NONE = 0
TERMINAL = 1  # ends a sentence before white space: . ! ? and the marks of scripts with spaces
WIDE_TERMINAL = 2  # ends one before anything: East Asian marks, and those of scripts without spaces
CLOSER = 3  # may follow a terminal mark: quotation marks, closing brackets, marks of bold text
SKIPPED = 4  # invisible, or part of the character before: U+200E, U+200B, combining marks
BLANK = 5  # white space and control characters
CONTEXT = 6  # ends a sentence in one script alone: ":" in Armenian, ";" in Greek, two U+1361 in Ethiopic
