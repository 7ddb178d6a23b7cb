"""Windows around digits: numbers, dates, addresses of hexadecimal digits, tokens, IDs.

Runs of more than 19 digits, tokens of more than 512 bytes and rows of numbers with more than 64 digits are skipped
whole.
"""

from gristmill.filters.pii.window_kinds import (
    BIRTH_YEARS,
    CASE,
    CLASS,
    CLOSE,
    COLON,
    COLONS,
    DASH,
    DATE,
    DIGIT,
    DOT,
    DOTTED,
    GROUPED,
    GROUPED_BYTES,
    HEX,
    ID,
    JOINED,
    LETTER,
    MAX_COLONS,
    MAX_DIGITS,
    MAX_ID,
    MAX_RUN,
    MAX_TOKEN,
    MIN_DIGITS,
    MIN_ID_DIGITS,
    MIN_TOKEN,
    MONTH,
    MONTHLY,
    NO_WINDOW,
    NUMBER,
    OPEN,
    PLUS,
    SLASH,
    SPACE,
    STAR,
    TOKEN,
    UNDERSCORE,
    in_word,
    is_class,
)
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel


@kernel
def digit_window(data, low, floor, at, high):
    """Return kind, begin, end and next floor of the window around the first digit after the floor."""
    begin, stop, digits = at, at, 0
    while begin > floor and in_word(data[begin - 1]):
        begin -= 1
    while stop < high and in_word(data[stop]):
        digits += CLASS[data[stop]] & DIGIT != 0
        stop += 1
    plain = digits == stop - begin
    first, last = _colons(data, floor, begin, stop, high)
    if first < last:  # [.1FA2.001C.0002] belongs to a collation table, which has thousands of them
        headed = first > low and (data[first - 1] == DOT or data[first - 1] == STAR)
        tabled = headed and last - first > 4 and data[first + 4] == DOT
        return (NO_WINDOW if tabled else COLONS), first, last, last
    if plain:
        quads, last = _dotted(data, begin, stop, high)
        if quads == 4:
            return DOTTED, begin, last, last
    first, last = _token(data, floor, begin, stop, plain, high)
    if last - first >= MIN_TOKEN:
        what = JOINED if _is_joined(data, first, last) else TOKEN
        return (what if last - first <= MAX_TOKEN else NO_WINDOW), first, last, last
    if plain:
        return _number(data, low, floor, begin, stop, high)
    headed = stop - begin == 4 and digits == 2 and CLASS[data[begin]] & LETTER and CLASS[data[begin + 1]] & LETTER
    if (
        headed
        and (data[begin] ^ data[begin + 1]) & CASE == 0
        and is_class(data, _after_space(data, stop, high), high, DIGIT | LETTER)
    ):
        return GROUPED, begin, min(high, begin + GROUPED_BYTES), stop
    if digits >= MIN_ID_DIGITS and stop - begin <= MAX_ID:
        return (JOINED if _is_joined(data, begin, stop) else ID), begin, stop, stop
    return NO_WINDOW, begin, stop, stop


@kernel
def _colons(data, floor, begin, stop, high):
    """Return begin and end of the address of hexadecimal digits around a word; empty if there is none."""
    for k in range(begin, stop):
        if not CLASS[data[k]] & HEX:
            return begin, begin
    if stop - begin == 4 and stop + 10 <= high and data[stop] == DOT and data[stop + 5] == DOT:
        hexes = 0
        for k in range(stop + 1, stop + 10):
            hexes += CLASS[data[k]] & HEX != 0
        if hexes == 8 and not (stop + 10 < high and in_word(data[stop + 10])):
            return begin, stop + 10
    if not (stop < high and data[stop] == COLON) and not (begin > floor and data[begin - 1] == COLON):
        return begin, begin
    first, last = begin, stop
    while first > max(floor, begin - MAX_COLONS) and (CLASS[data[first - 1]] & HEX or data[first - 1] == COLON):
        first -= 1
    while last < min(high, stop + MAX_COLONS) and (CLASS[data[last]] & HEX or data[last] == COLON or data[last] == DOT):
        last += 1
    while last > stop and data[last - 1] == DOT:  # the end of a sentence
        last -= 1
    colons = double = 0
    for k in range(first, last):
        colons += data[k] == COLON
        double += data[k] == COLON and k > first and data[k - 1] == COLON
    if colons < 2 or (colons < 5 and not double) or (first > floor and in_word(data[first - 1])):
        return begin, begin
    return (begin, begin) if last < high and in_word(data[last]) else (first, last)


@kernel
def _dotted(data, begin, stop, high):
    """Return the number of dotted numbers of up to three digits that begin here, up to 5, and their end."""
    quads, long = 1, stop - begin > 3
    while quads < 5 and stop + 1 < high and data[stop] == DOT and CLASS[data[stop + 1]] & DIGIT:
        begin = stop = stop + 1
        while stop < min(high, begin + 4) and CLASS[data[stop]] & DIGIT:
            stop += 1
        quads += 1
        long |= stop - begin > 3
    return (0 if long else quads), stop


@kernel
def _token(data, floor, begin, stop, plain, high):
    """Return begin and end of the word with others joined by "-", if one contains a letter; else empty."""
    if plain:
        before = begin - 2 >= floor and data[begin - 1] == DASH and _is_word_start(data[begin - 2])
        if not before and not (stop + 1 < high and data[stop] == DASH and _is_word_start(data[stop + 1])):
            return begin, begin
    while begin > floor and (in_word(data[begin - 1]) or data[begin - 1] == DASH):
        begin -= 1
    while stop < high and (in_word(data[stop]) or data[stop] == DASH):
        stop += 1
    return begin, stop


@kernel
def _is_joined(data, first, last):
    """True if a word may be a phone number of at least 7 digits that is joined to a word or an extension."""
    k = first
    while k < last and CLASS[data[k]] & LETTER:
        k += 1
    if k > first and data[k] != DASH:
        return False
    digits = 0
    while k < last and (CLASS[data[k]] & DIGIT or data[k] == DASH):
        digits += data[k] != DASH
        k += 1
    if digits < MIN_DIGITS:
        return False
    return k == last or data[k - 1] == DASH or data[k] | 0x20 == 0x78 or data[k] | 0x20 == 0x65  # x12, ext12


@inline_kernel
def _after_space(data, at, high):
    """Return the place after a space, or a no-break space, wide or narrow; ``high`` if there is none."""
    if at + 1 >= high or data[at] == SPACE:
        return at + 1
    if data[at] == 0xC2 and data[at + 1] == 0xA0:
        return at + 2
    return at + 3 if at + 2 < high and data[at] == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xAF else high


@inline_kernel
def _is_word_start(byte):
    return CLASS[byte] & LETTER != 0 or byte == UNDERSCORE


@kernel
def _number(data, low, floor, begin, stop, high):
    """Return the window of the digit groups that begin with ``data[begin:stop]``, as digit_window does."""
    groups, digits, longest = 1, stop - begin, stop - begin
    first, last, second = digits, digits, 0
    tight, dots = True, True  # no space between groups; nothing but single dots
    head = begin
    while True:
        k = _next_group(data, stop, high)
        if k == stop:
            break
        after = k
        while after < high and CLASS[data[after]] & DIGIT:
            after += 1
        if after < high and _continues(data, after, high):
            break
        dots &= k == stop + 1 and data[stop] == DOT
        tight &= k == stop + 1 and data[stop] != SPACE
        groups, last = groups + 1, after - k
        second = last if groups == 2 else second
        digits, longest, stop = digits + last, max(longest, last), after
    if longest > MAX_RUN or digits > MAX_DIGITS:
        return NO_WINDOW, begin, stop, stop
    if groups == 1 and digits == 4:
        return _year(data, low, begin, stop, high)
    dated = (first == 4 and last <= 2) or (first <= 2 and (last == 4 or last == 2))
    if groups == 3 and tight and second <= 2 and dated:
        return DATE, begin, stop, stop
    plus = begin > floor and data[begin - 1] == PLUS
    ranged = first == 4 and last == 4 and data[begin] <= 0x32 and not dots  # 1914-1918
    trunk = first > 2 and digits > 8 and data[begin] == 0x30 and data[begin + 1] != 0x30  # 0910.5877671: no decimal
    if groups == 2 and tight and not plus and not trunk and (dots or ranged):
        return NO_WINDOW, begin, stop, stop
    if digits < MIN_DIGITS and not (groups == 3 and digits == 6):
        return NO_WINDOW, begin, stop, stop
    while begin > max(floor, head - 2) and (data[begin - 1] == PLUS or data[begin - 1] == OPEN):
        begin -= 1
    return NUMBER, begin, stop, stop


@inline_kernel
def _continues(data, after, high):
    """True if the digits before belong to a word or a time; 4508x769 and 4508ext769 are numbers with extensions."""
    if data[after] == COLON:
        return is_class(data, after + 1, high, DIGIT)
    if not in_word(data[after]):
        return False
    if after + 2 < high and data[after] | 0x20 == 0x65 and data[after + 1] | 0x20 == 0x78:
        return not (data[after + 2] | 0x20 == 0x74 and is_class(data, after + 3, high, DIGIT))
    return not (data[after] | 0x20 == 0x78 and is_class(data, after + 1, high, DIGIT))


@kernel
def _next_group(data, at, high):
    """Return the begin of the next digit group, after 1 to 3 separators such as ``) `` or `` (``; else ``at``."""
    k, marks, blank = at, 0, False
    while k < high and marks < 3:
        byte = data[k]
        if byte == SPACE or byte == 0xC2:
            if blank or (byte == 0xC2 and not (k + 1 < high and data[k + 1] == 0xA0)):
                return at
            if marks and data[k - 1] == DOT:  # "1. 555…" is a list item
                return at
            blank, k = True, k + (1 if byte == SPACE else 2)
        elif byte == DASH or byte == DOT or byte == SLASH or byte == OPEN or byte == CLOSE:
            blank, k = False, k + 1
        elif (
            byte == 0xE2
            and k + 2 < high
            and data[k + 1] == 0x80
            and (data[k + 2] == 0xAF or data[k + 2] & 0xF8 == 0x90)
        ):
            blank, k = False, k + 3  # narrow spaces, hyphens and dashes
        else:
            break
        marks += 1
    return k if marks and is_class(data, k, high, DIGIT) else at


@kernel
def _year(data, low, begin, stop, high):
    """Return the DATE window of a year with day and month before it, or 年 or 년 after it, as digit_window does."""
    year = 0
    for k in range(begin, stop):
        year = year * 10 + data[k] - 0x30
    if BIRTH_YEARS[0] <= year <= BIRTH_YEARS[1]:
        if stop + 2 < high and (
            (data[stop] == 0xE5 and data[stop + 1] == 0xB9 and data[stop + 2] == 0xB4)
            or (data[stop] == 0xEB and data[stop + 1] == 0x85 and data[stop + 2] == 0x84)
        ):
            return DATE, begin, min(high, stop + MONTH), stop
        k = begin
        while k > max(low, begin - MONTH) and CLASS[data[k - 1]] & MONTHLY:
            k -= 1
        day = k
        while day > max(low, k - 2) and CLASS[data[day - 1]] & DIGIT:
            day -= 1
        if day < k < begin:
            return DATE, day, stop, stop
    return NO_WINDOW, begin, stop, stop
