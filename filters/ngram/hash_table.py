"""Hash tables of the n-grams of all orders, one table per order, end to end in ``cells``.

The key of an n-gram of k words joins its first word with the slot that the rest of it has in the table of order
k - 1; the slot of a single word is its id. Keys are exact and can be decoded. Two kinds of cells:

exact      two 64-bit words: the key, then log10 probability and log10 back-off as float32;
quantized  one 64-bit word: the key in the upper 48 bits, then the codes of probability and back-off, a byte each.

A free cell is 0 and keys count from 1. Tables are filled to 0.6: an n-gram takes 27 or 13 bytes.
"""

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gristmill.pipelines.kernels.hashing import U64, W0, W1, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, multiply

LOAD_FACTOR = 0.6  # an absent n-gram is missed after 4 cells; at 0.75, after 9
CODES = 256
CODE_BITS = 16  # of a quantized cell, below the key
NOT_FOUND = -1


def table_size(ngrams: int) -> int:
    """Return the number of slots of a table for ``ngrams`` n-grams; 0 for none."""
    return int(ngrams / LOAD_FACTOR) + 1 if ngrams else 0


@inline_kernel
def key_of(shorter, word, bits):
    """Return the key of ``word`` before the n-gram in slot ``shorter`` of the order below."""
    return (U64(shorter) << U64(bits) | U64(word)) + U64(1)


@inline_kernel
def home(key, size):
    """Return the slot where the search for a key begins."""
    return np.int64(multiply(mix(key ^ W0, W1), U64(size))[1])


@intrinsic
def prefetch(typing, array, at):
    """Load ``array[at]`` into the processor's cache without waiting for it."""

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
    """Return the slot of a key in the table ``begin:begin + size`` of cells of ``width`` words, or NOT_FOUND.

    A full table is searched once.
    """
    if size == 0:
        return np.int64(NOT_FOUND)
    first = slot = home(key, size)
    while True:
        held = cells[(begin + slot) * width] >> U64(shift)
        if held == key:
            return slot
        slot = slot + 1 if slot + 1 < size else 0
        if held == U64(0) or slot == first:
            return np.int64(NOT_FOUND)


@kernel
def insert(cells, floats, begin, size, bits, shorter, parents, words, keep, probabilities, slots):
    """Insert the n-grams of an order into its exact table and write their slots, NOT_FOUND where not kept.

    ``shorter`` are the slots of the order below, where ``parents[i]`` is n-gram i without its first word.
    """
    for i in range(words.size):
        slots[i] = NOT_FOUND
        if not keep[i]:
            continue
        key = key_of(shorter[parents[i]], words[i], bits)
        slot = home(key, size)
        while cells[(begin + slot) * 2] != U64(0):
            slot = slot + 1 if slot + 1 < size else 0
        at = (begin + slot) * 2
        cells[at], floats[2 * at + 2], floats[2 * at + 3] = key, math.log10(probabilities[i]), 0.0
        slots[i] = slot
