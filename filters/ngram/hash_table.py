"""Grams of all orders in hash tables, and how to find one.

The key of a gram of k words is the place, in the table of order k - 1, of the gram without its first word, and that
word: exact, and it can be read back. Of order 1 the place is the id. Tables lie end to end in ``cells``:

exact      two words of 64 bits a gram: the key, then log10 probability and log10 back-off as float32.
quantized  one: the key in the upper 48 bits, and two bytes that name one of 256 probabilities and back-offs.

0 is a free cell; keys count from 1. Tables are 0.6 full: a gram takes 27 or 13 bytes.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gristmill.pipelines.kernels.hashing import U64, W0, W1, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, multiply

FULL = 0.6  # a gram that is not there is missed after 4 cells; at 0.75, after 9
CODES = 256
CODE_BITS = 16  # of a quantized cell, below the key
NONE = -1


def places_for(grams: int) -> int:
    """The size of a table for so many grams."""
    return int(grams / FULL) + 1 if grams else 0


@inline_kernel
def key_of(shorter, word, bits):
    return (U64(shorter) << U64(bits) | U64(word)) + U64(1)


@inline_kernel
def home(key, size):
    return np.int64(multiply(mix(key ^ W0, W1), U64(size))[1])


@intrinsic
def prefetch(typing, array, at):
    """Ask for ``array[at]`` from memory without waiting for it."""

    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], kind)
        builder.call(function, [pointer, *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@inline_kernel
def find(cells, begin, size, width, shift, key):
    """The place of a key in the table ``begin:begin + size`` of cells of ``width`` words, or NONE."""
    if size == 0:
        return np.int64(NONE)
    return find_from(cells, begin, size, width, shift, key, home(key, size))


@inline_kernel
def find_from(cells, begin, size, width, shift, key, place):
    """As ``find``, from the place on where the key would like to be."""
    while True:
        held = cells[(begin + place) * width] >> U64(shift)
        if held == key:
            return place
        if held == U64(0):
            return np.int64(NONE)
        place = place + 1 if place + 1 < size else 0


@kernel
def insert(cells, floats, begin, size, bits, shorter, parents, words, keep, probabilities, places):
    """Put the grams of a level into their exact table; ``places`` gets where, NONE where not kept.

    ``shorter`` are the places of the level below, in which gram i, less its first word, is ``parents[i]``.
    """
    for i in range(words.size):
        places[i] = NONE
        if not keep[i]:
            continue
        key = key_of(shorter[parents[i]], words[i], bits)
        place = home(key, size)
        while cells[(begin + place) * 2] != U64(0):
            place = place + 1 if place + 1 < size else 0
        at = (begin + place) * 2
        cells[at], floats[2 * at + 2], floats[2 * at + 3] = key, math.log10(probabilities[i]), 0.0
        places[i] = place
