"""Text as duplicates see it: white space counts as one space between words and nothing at the ends."""


