"""How kernels are compiled, and what processors do in one instruction and Python has no word for.

``kernel`` and ``inlined`` are for functions that allocate nothing: without numba's reference counts, which are atomic
and are not taken out of calls inside loops, the word scanner ran 2.6 times faster (54 against 140 ns a word).
A kernel that allocates is ``@njit(nogil=True, cache=True)``.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

WORD = ir.IntType(64)


def kernel(function):
    """Compile a function over flat arrays that allocates nothing."""
    return njit(nogil=True, cache=True, _nrt=False)(function)


def inline_kernel(function):
    """As ``kernel``, to be compiled into its callers."""
    return njit(nogil=True, cache=True, _nrt=False, forceinline=True)(function)


@intrinsic
def load_u64(typing, data, at):
    """The 8 bytes ``data[at:at + 8]`` of a uint8 array, little end first. They must lie inside the array."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        word = builder.load(builder.bitcast(pointer, WORD.as_pointer()), align=1)
        return word

    return types.uint64(data, types.int64), generate


@intrinsic
def store_u64(typing, data, at, word):
    """Write 8 bytes to ``data[at:at + 8]`` of a uint8 array, little end first. They must lie inside the array."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        builder.store(args[2], builder.bitcast(pointer, WORD.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), generate


@intrinsic
def prefetch(typing, data, at):
    """Have the memory of element ``at`` of a flat array on its way to the processor."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer, flag = builder.gep(array.data, [args[1]]), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag])
        fetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(fetch, [pointer, flag(0), flag(3), flag(1)])  # to read, near, data
        return context.get_dummy_value()

    return types.void(data, types.int64), generate


@intrinsic
def multiply(typing, a, b):
    """The low and the high half of the 128-bit product a * b."""

    def generate(context, builder, signature, args):
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        halves = builder.trunc(product, WORD), builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), WORD)
        return cgutils.pack_array(builder, halves)

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), generate


@intrinsic
def trailing_zeros(typing, word):
    """How many of the lowest bits are 0, as int64; 64 for a word of zeros."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def leading_zeros(typing, word):
    """How many of the highest bits are 0, as int64; 64 for a word of zeros."""

    def generate(context, builder, signature, args):
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def popcount(typing, word):
    """How many bits are 1, as int64."""

    def generate(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


@inline_kernel
def low_bytes_mask(count):
    """A mask of the ``count`` lowest bytes, 0 <= count <= 8."""
    return np.uint64(0) if count == 0 else ~np.uint64(0) >> np.uint64(64 - 8 * count)


@inline_kernel
def contains(value, values):
    """Is the value in a short array?"""
    for each in values:  # a generator would be no kernel
        if value == each:
            return True
    return False
