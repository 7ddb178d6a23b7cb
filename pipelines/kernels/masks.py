"""Masks of 64 bytes: bit i of a uint64 says whether byte ``at + i`` of a text is in a class.

A class is a range of bytes, or several ranges whose masks are combined by ``|``. On masks, one operation on a word
decides about 64 bytes: ``letters & ~(letters << 1)`` are the beginnings of words. Visit the bits of a mask with
``trailing_zeros(mask)`` and ``mask &= mask - 1``. Several masks of one place load its bytes once.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gristmill.pipelines.kernels.intrinsics import WORD, inline_kernel

BYTE = ir.IntType(8)
WINDOW = 64  # bytes


@intrinsic
def range_mask(typing, data, at, low, high):
    """Return the mask of ``low <= data[i] <= high`` for 64 bytes of a uint8 array, which must lie inside the array."""

    def generate(context, builder, signature, args):
        array, vector = context.make_array(signature.args[0])(context, builder, args[0]), ir.VectorType(BYTE, WINDOW)
        pointer = builder.bitcast(builder.gep(array.data, [args[1]]), vector.as_pointer())
        nothing, lanes = ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), WINDOW), None)

        def everywhere(value):
            first = builder.insert_element(nothing, builder.trunc(value, BYTE), ir.IntType(32)(0))
            return builder.shuffle_vector(first, nothing, lanes)

        above = builder.sub(builder.load(pointer, align=1), everywhere(args[2]))
        inside = builder.icmp_unsigned("<=", above, everywhere(builder.sub(args[3], args[2])))
        return builder.bitcast(inside, WORD)

    return types.uint64(data, types.int64, types.int64, types.int64), generate


@inline_kernel
def low_bits_mask(count):
    """Return a uint64 mask of the ``count`` lowest bits, 0 <= count; all bits from 64 on."""
    return (np.uint64(1) << np.uint64(count)) - np.uint64(1) if count < WINDOW else ~np.uint64(0)
