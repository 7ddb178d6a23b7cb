"""Decorators that compile kernels, and intrinsics for single machine instructions.

``kernel`` and ``inline_kernel`` are for functions that allocate nothing. Without numba's reference counts, which are
atomic and remain in loops around calls, the word scanner ran 2.6 times faster (54 against 140 ns per word).
"""

import inspect
from functools import cache

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from gristmill.pipelines.kernels.cache import KernelCache

WORD = ir.IntType(64)


def kernel(function):
    """Compile a function over flat arrays that allocates nothing."""
    return _compiled(function, _nrt=False)


def inline_kernel(function):
    """Compile as ``kernel`` does, inlined into callers."""
    return _compiled(function, _nrt=False, forceinline=True)


def allocating_kernel(function):
    """Compile a function over flat arrays that makes new ones."""
    return _compiled(function)


def _compiled(function, **options):
    """Compile a function: for Python with a wrapper that converts objects, for other kernels without one.

    Most kernels are called by kernels only. Without wrappers all compile in 11 to 15 % less time (trial, load 12).
    """
    function.__signature__ = inspect.signature(function)  # numba asks for it four times
    outer = _dispatcher(function, **options)
    inner = cache(lambda: _dispatcher(function, no_cpython_wrapper=True, **options))
    outer.get_call_template = lambda args, kws: inner().get_call_template(args, kws)
    outer.get_overload = lambda sig: inner().get_overload(sig)
    return outer


def _dispatcher(function, **options):
    made = njit(nogil=True, no_cfunc_wrapper=True, **options)(function)  # nothing calls kernels by C pointers
    made._cache = KernelCache(function, "no_cpython_wrapper" not in options)
    made._compilation_chain_init_hook = lambda: None  # it reads the metadata of all packages for more types than arrays
    return made


@intrinsic
def load_u64(typing, data, at):
    """Load ``data[at:at + 8]`` of a uint8 array as little-endian uint64. The range must lie inside the array."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        return builder.load(builder.bitcast(pointer, WORD.as_pointer()), align=1)

    return types.uint64(data, types.int64), generate


@intrinsic
def store_u64(typing, data, at, word):
    """Store a uint64 in ``data[at:at + 8]`` of a uint8 array, little-endian. The range must lie inside the array."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        pointer = builder.gep(array.data, [args[1]])
        builder.store(args[2], builder.bitcast(pointer, WORD.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), generate


@intrinsic
def copy64(typing, data, at, out, to):
    """Copy ``data[at:at + 64]`` of a uint8 array to ``out[to:to + 64]``. Both ranges must lie inside their arrays."""

    def generate(context, builder, signature, args):
        places = ((signature.args[0], args[0], args[1]), (signature.args[2], args[2], args[3]))
        block = ir.VectorType(ir.IntType(8), 64).as_pointer()
        source, target = (
            builder.bitcast(builder.gep(context.make_array(kind)(context, builder, array).data, [place]), block)
            for kind, array, place in places
        )
        builder.store(builder.load(source, align=1), target, align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, out, types.int64), generate


@intrinsic
def add16(typing, sums, to, terms, at, weight):
    """Add ``weight * terms[at:at + 16]`` to ``sums[to:to + 16]`` of flat float32 arrays. Both ranges must fit."""

    def generate(context, builder, signature, args):
        places = ((signature.args[0], args[0], args[1]), (signature.args[2], args[2], args[3]))
        block = ir.VectorType(ir.FloatType(), 16).as_pointer()
        total, term = (
            builder.bitcast(builder.gep(context.make_array(kind)(context, builder, array).data, [place]), block)
            for kind, array, place in places
        )
        one, lanes = ir.Constant(block.pointee, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), 16), None)
        weight = builder.shuffle_vector(builder.insert_element(one, args[4], ir.IntType(32)(0)), one, lanes)
        weighted = builder.fmul(weight, builder.load(term, align=4))
        builder.store(builder.fadd(builder.load(total, align=4), weighted), total, align=4)
        return context.get_dummy_value()

    return types.void(sums, types.int64, terms, types.int64, types.float32), generate


@intrinsic
def prefetch(typing, data, at):
    """Fetch the cache line of element ``at`` of a flat array in advance."""

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
    """Multiply two uint64 and return the low and the high half of the 128-bit product."""

    def generate(context, builder, signature, args):
        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        halves = builder.trunc(product, WORD), builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), WORD)
        return cgutils.pack_array(builder, halves)

    return types.UniTuple(types.uint64, 2)(types.uint64, types.uint64), generate


@intrinsic
def trailing_zeros(typing, word):
    """Count the zero bits below the lowest 1, as int64; 64 for the word 0."""

    def generate(context, builder, signature, args):
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def leading_zeros(typing, word):
    """Count the zero bits above the highest 1, as int64; 64 for the word 0."""

    def generate(context, builder, signature, args):
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def popcount(typing, word):
    """Count the bits that are 1, as int64."""

    def generate(context, builder, signature, args):
        return builder.ctpop(args[0])

    return types.int64(types.uint64), generate


@inline_kernel
def low_bytes_mask(count):
    """Return a uint64 mask of the ``count`` lowest bytes, 0 <= count <= 8."""
    return np.uint64(0) if count == 0 else ~np.uint64(0) >> np.uint64(64 - 8 * count)


@inline_kernel
def contains(value, values):
    """True if a short array contains the value."""
    for each in values:  # numba compiles no generator here
        if value == each:
            return True
    return False


@inline_kernel
def contains_sorted(value, values):
    """True if an ascending array contains the value."""
    low, high = 0, values.size
    while low < high:
        middle = (low + high) // 2
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low < values.size and values[low] == value
