"""gristmill.pretrain.data.shuffle in Python's own integers, one number at a time."""

WORD = (1 << 64) - 1


def mix(x):
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB & WORD
    return x ^ (x >> 31)


def key(*numbers):
    state = 0
    for number in numbers:
        state = mix(((state ^ (number & WORD)) + 0x9E3779B97F4A7C15) & WORD)
    return state


def permute(index, size, seed, epoch):
    half = 1
    while size > 1 << 2 * half:
        half += 1
    while True:
        left, right = index >> half, index & (1 << half) - 1
        for turn in range(4):
            left, right = right, left ^ mix((right + key(seed, epoch, turn)) & WORD) & (1 << half) - 1
        index = left << half | right
        if index < size:
            return index
