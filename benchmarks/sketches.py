"""Speed and error of three MinHash sketches: the one in use and the two rejected.

    python -m benchmarks.sketches

- *classic* (in use, dedup/near/minhash.py): k permutations; each lane keeps the minimum over all shingles. O(n k),
  vectorized.
- *oph*: one permutation and k bins; optimal densification fills empty bins (Shrivastava, ICML 2017). O(n + k).
- *rounds*: fast similarity sketching (Dahlgaard et al., FOCS 2017). Each round hashes all shingles into k bins, until
  no bin is empty. O(n + k log k).
"""

import time

import numpy as np
from numba import njit

from gristmill.dedup.near.minhash import EMPTY, permutations, update_minima
from gristmill.dedup.near.shingles import scramble
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO

K = 128
SEVEN, THIRTY_TWO = np.uint64(K - 1), np.uint64(32)


@njit
def classic(hashes, out, xor_masks, multipliers, high):
    out[:] = EMPTY
    begin = 0
    while begin < hashes.size:
        count = min(hashes.size - begin, high.size)
        for i in range(count):
            high[i] = hashes[begin + i] >> THIRTY_TWO
        update_minima(out, high, count, xor_masks, multipliers)
        begin += count


@njit
def oph(hashes, out, xor_masks, multipliers, high):
    out[:] = EMPTY
    full = np.zeros(K, np.bool_)
    for hash in hashes:
        bin, value = np.int64(hash & SEVEN), np.uint32(hash >> THIRTY_TWO)
        out[bin] = min(out[bin], value)
        full[bin] = True
    for bin in range(K):
        attempt, source = np.uint64(0), bin
        while not full[source]:
            attempt += np.uint64(1)
            source = np.int64(scramble(np.uint64(bin) * GOLDEN_RATIO + attempt) & SEVEN)
        if not full[bin]:
            out[bin] = out[source]


@njit
def rounds(hashes, out, xor_masks, multipliers, high):
    out[:] = EMPTY
    filled = 0
    full = np.zeros(K, np.bool_)
    for turn in range(2 * K):
        for hash in hashes:
            mixed = scramble(hash + np.uint64(turn) * GOLDEN_RATIO) if turn else hash
            bin = np.int64(mixed & SEVEN) if turn < K else turn - K
            value = np.uint32((mixed >> THIRTY_TWO) >> np.uint64(8)) | np.uint32(turn << 24)
            if value < out[bin]:
                filled += not full[bin]
                full[bin] = True
                out[bin] = value
        if filled == K:
            return


def main() -> None:
    random = np.random.default_rng(0)
    xor_masks, multipliers = permutations(K)
    high, out = np.empty(2048, np.uint32), np.empty((2, K), np.uint32)
    print(f"{'sketch':8} {'shingles':>8} {'ns/shingle':>10}   RMSE / sqrt(J(1-J)/k) at J = 0.3, 0.5, 0.8, 0.95")
    for name, sketch in {"classic": classic, "oph": oph, "rounds": rounds}.items():
        for size in (30, 100, 600, 5000):
            hashes = random.integers(0, 1 << 63, size, np.uint64) * np.uint64(2)
            sketch(hashes, out[0], xor_masks, multipliers, high)
            repeats, began = 2_000_000 // size // 4 + 1, time.process_time()
            for _ in range(repeats):
                sketch(hashes, out[0], xor_masks, multipliers, high)
            speed = (time.process_time() - began) / repeats / size * 1e9
            ratios = []
            for similarity in (0.3, 0.5, 0.8, 0.95):
                shared, errors = round(2 * size * similarity / (1 + similarity)), []
                truth = shared / (2 * size - shared)
                for _ in range(400):
                    union = scrambled(random, 2 * size - shared)
                    sketch(union[:size], out[0], xor_masks, multipliers, high)
                    sketch(np.concatenate((union[:shared], union[size:])), out[1], xor_masks, multipliers, high)
                    errors.append((out[0] == out[1]).mean() - truth)
                ratios.append(np.sqrt(np.mean(np.square(errors)) / (truth * (1 - truth) / K)))
            print(f"{name:8} {size:8} {speed:10.1f}   " + "  ".join(f"{ratio:.2f}" for ratio in ratios))


def scrambled(random: np.random.Generator, count: int) -> np.ndarray:
    return random.integers(0, 1 << 64, count, np.uint64)


if __name__ == "__main__":
    main()
