"""What processors do in one instruction and Python has no word for: 8 bytes at once, wide products, bit counts.

numba intrinsics, for use inside kernels. All operands and answers are uint64 unless said otherwise.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WORD = ir.IntType(64)


@intrinsic
def load8(typing, data, at):
    """The 8 bytes ``data[at:at + 8]`` of a uint8 array, little end first. They must lie inside the array."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        word = builder.load(builder.bitcast(pointer, WORD.as_pointer()), align=1)
        return word

    return types.uint64(data, types.int64), generate


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
def ones(typing, word):
    """How many bits are 1, as int64."""

    def generate(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate
