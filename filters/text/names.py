"""Sets of ASCII names that kernels look up: a name of letters and digits is a number in base 37."""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel

LONGEST, RADIX = 12, 37  # letters of a name whose number fits into 64 bits
LETTER = np.zeros(256, np.bool_)
LETTER[[*range(0x41, 0x5B), *range(0x61, 0x7B)]] = True


def name_numbers(names: str) -> np.ndarray:
    """Return the numbers of names with spaces between, ascending; names have up to LONGEST lower-case letters."""
    numbers = []
    for name in names.split():
        number = 0
        for letter in name:
            number = number * RADIX + int(letter, 36) + 1
        numbers.append(number)
    return np.array(sorted(numbers))


@kernel
def name_number(data, start, end):
    """Return the number of the name ``data[start:end]`` in any case, -1 for one that is too long or of other bytes."""
    if end - start > LONGEST:
        return -1
    number = 0
    for at in range(start, end):
        if LETTER[data[at]]:
            number = number * RADIX + (data[at] | 0x20) - 0x56
        elif 0x30 <= data[at] <= 0x39:
            number = number * RADIX + data[at] - 0x2F
        else:
            return -1
    return number
