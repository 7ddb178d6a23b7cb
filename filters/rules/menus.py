"""Menus in a text: runs of short lines, told from code, verse, tables and headings.

A line is *short* if it has fewer than ``min_words`` words, is not indented and ends no sentence. A line is *marked* if
it looks like source code or markup: it is indented, begins or ends with a mark as code does, or is an underline. A run
of at least ``min_run`` short lines, blank ones between them not counted, is a menu with these exceptions:

* Code and headings: a quarter of its lines are marked. Or 15 % of the document's lines are: there only a run at the
  document's head or end is a menu, and only if half of its lines begin with a capital or a letter beyond ASCII. Of web
  pages with such runs 0.2 % are that marked, of source files 79 %.
* Columns of figures: half of its lines have digits and no letters.
* Verse, tables, lists: blank lines set it apart, so that its paragraphs hold nothing wider than 40 columns, and it
  stands between other paragraphs, or its lines have two words on average.

Messy web pages, whose menus no blank line sets apart, lose 97 % of the bytes they lost by shortness alone; source files
and manuals without planted menus lose 1 % and 5 % of theirs.
"""

import numpy as np

from gristmill.filters.text.lines import columns, trimmed
from gristmill.filters.text.sentence_ends import ends_sentence
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel

WORD_COLUMNS = 16  # of a run without white space that count as a word
NARROW = 40  # columns of the widest line of verse
LONG = 200  # lines of a paragraph that is no verse: without a bound, a page without blank lines takes quadratic time
MARKED_PERCENT = 15
BEGINS_CODE, ENDS_CODE = np.zeros(256, np.bool_), np.zeros(256, np.bool_)
BEGINS_CODE[[*b"#./*=@<$%})];&\\`_"]] = True
ENDS_CODE[[*b"{};,(\\"]] = True


@kernel
def mark_menus(data, first, start, end, min_words, min_run, mark, reason):
    """Set the ``reason`` of menus' lines, blank ones inside included, to ``mark``; only lines with reason 0 count."""
    for i in range(first.size - 1):
        marked_up, kept, tail = -1, first[i + 1], -1  # found at the first run: most documents have none
        run = short = last = 0  # the first line of the run, its number of short lines, the line after the last
        for j in range(first[i], first[i + 1] + 1):
            if j < first[i + 1]:
                begin, stop = trimmed(data, start[j], end[j])
                if begin == stop or reason[j]:
                    continue
                flush = begin == start[j]
                if flush and fewer_words(data, begin, stop, min_words) and not ends_sentence(data, begin, stop):
                    run = j if short == 0 else run
                    short, last = short + 1, j + 1
                    continue
            if short >= min_run:
                if marked_up < 0:
                    marked_up = is_marked_up(data, start, end, first[i], first[i + 1])
                    tail = last_line(data, start, end, reason, first[i], first[i + 1])
                if is_menu(data, start, end, reason, first[i], first[i + 1], run, last, kept, tail, marked_up):
                    for k in range(run, last):
                        reason[k] = reason[k] if reason[k] else mark
                else:
                    kept = min(kept, run)
            elif short:
                kept = min(kept, run)
            kept = min(kept, j)
            short = 0


@kernel
def is_menu(data, start, end, reason, first, after, run, last, kept, tail, marked_up):
    """True if the short lines ``run:last`` of the document ``first:after`` are a menu.

    ``kept`` is the first line that stays, ``tail`` the last.
    """
    lines = marked = figures = capitals = 0
    for j in range(run, last):
        begin, stop = trimmed(data, start[j], end[j])
        if begin < stop and not reason[j]:
            lines += 1
            marked += is_marked(data, start[j], begin, stop)
            figures += is_figure(data, begin, stop)
            capitals += 0x41 <= data[begin] <= 0x5A or data[begin] >= 0x80
    if marked * 4 >= lines or figures * 2 >= lines:
        return False
    run, last = paragraph_ends(data, start, end, first, after, run, last)
    inner = kept < run and tail >= last
    if marked_up and (inner or capitals * 2 < lines):
        return False
    longer = run > first and not is_blank(data, start, end, run - 1)
    if longer or (last < after and not is_blank(data, start, end, last)):
        return True
    words = counted = 0
    for j in range(run, last):
        begin, stop = trimmed(data, start[j], end[j])
        if begin == stop or reason[j]:
            continue
        if stop - begin > 4 * NARROW or columns(data, begin, stop) > NARROW:
            return True
        if not ends_sentence(data, begin, stop):
            words, counted = words + line_words(data, begin, stop, stop - begin), counted + 1
    return not inner and words < 2 * counted


@kernel
def paragraph_ends(data, start, end, first, after, run, last):
    """Extend the lines ``run:last`` to the beginning and end of their paragraphs, by at most LONG lines each."""
    lowest, highest = max(first, run - LONG), min(after, last + LONG)
    while run > lowest and not is_blank(data, start, end, run - 1):
        run -= 1
    while last < highest and not is_blank(data, start, end, last):
        last += 1
    return run, last


@kernel
def last_line(data, start, end, reason, first, after):
    """Return the last line of ``first:after`` that stays and is not blank, -1 if there is none."""
    for j in range(after - 1, first - 1, -1):
        if not reason[j] and not is_blank(data, start, end, j):
            return j
    return -1


@kernel
def is_marked_up(data, start, end, first, after):
    """True if MARKED_PERCENT of the lines ``first:after`` that are not blank are marked.

    Most such documents are manuals and code. The code step asks for other marks (code_lines.py), which manuals lack.
    """
    lines = marked = 0
    for j in range(first, after):
        begin, stop = trimmed(data, start[j], end[j])
        if begin < stop:
            lines, marked = lines + 1, marked + is_marked(data, start[j], begin, stop)
    return marked * 100 >= MARKED_PERCENT * lines


@kernel
def is_marked(data, start, begin, stop):
    """True if a line that begins at ``start``, trimmed to ``begin:stop``, looks like code or markup."""
    if begin > start or BEGINS_CODE[data[begin]] or ENDS_CODE[data[stop - 1]]:
        return True
    if stop - begin < 3 or data[begin] >= 0x80 or is_letter(data[begin]) or is_digit(data[begin]):
        return False
    for at in range(begin, stop):  # an underline
        if data[at] != data[begin]:
            return False
    return True


@kernel
def is_figure(data, begin, stop):
    """True if a line has a digit, and no letter or character beyond ASCII."""
    digits = False
    for at in range(begin, stop):
        if data[at] >= 0x80 or is_letter(data[at]):
            return False
        digits |= is_digit(data[at])
    return digits


@inline_kernel
def is_letter(byte):
    return 0x61 <= byte | 0x20 <= 0x7A


@inline_kernel
def is_digit(byte):
    return 0x30 <= byte <= 0x39


@inline_kernel
def is_blank(data, start, end, j):
    begin, stop = trimmed(data, start[j], end[j])
    return begin == stop


@kernel
def fewer_words(data, start, end, min_words):
    """True if a line has fewer than ``min_words`` words."""
    # The first test is enough for a line too wide, whichever characters it has.
    return end - start <= 4 * WORD_COLUMNS * min_words and line_words(data, start, end, min_words) < min_words


@kernel
def line_words(data, start, end, enough):
    """Return the number of words of a line, counted up to ``enough`` or a few more.

    A run without spaces counts as one word for each WORD_COLUMNS columns begun, or each 2 East Asian characters begun:
    scripts without spaces have words too.
    """
    words = width = 0
    for at in range(start, end + 1):
        if at == end or data[at] <= 0x20:
            words += (width + WORD_COLUMNS - 1) // WORD_COLUMNS
            width = 0
            if words >= enough:
                break
        elif data[at] < 0x80:
            width += 1
        else:
            step = columns(data, at, at + 1)
            width += step if step < 2 else WORD_COLUMNS // 2
    return words
