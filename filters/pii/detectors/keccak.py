"""Keccak-256 as in Ethereum: SHA-3 with the padding before standardization, which hashlib lacks."""

ROUNDS, LANES, RATE = 24, 25, 136
MASK = (1 << 64) - 1


def _rotate(lane: int, left: int) -> int:
    left %= 64
    return (lane << left | lane >> (64 - left)) & MASK


def _permute(lanes: list[int]) -> list[int]:
    """Apply Keccak-f[1600] to 25 lanes of 64 bits, lane x + 5 y (FIPS 202, section 3)."""
    state = 1
    for _ in range(ROUNDS):
        columns = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        lanes = [lanes[i] ^ columns[(i - 1) % 5] ^ _rotate(columns[(i + 1) % 5], 1) for i in range(LANES)]
        x, y, current = 1, 0, lanes[1]
        for t in range(ROUNDS):  # all lanes except the first, in the order of rho and pi
            x, y = y, (2 * x + 3 * y) % 5
            current, lanes[x + 5 * y] = lanes[x + 5 * y], _rotate(current, (t + 1) * (t + 2) // 2)
        rows = [lanes[5 * y : 5 * y + 5] for y in range(5)]
        lanes = [row[x] ^ (~row[(x + 1) % 5] & MASK & row[(x + 2) % 5]) for row in rows for x in range(5)]
        for j in range(7):  # the round constant, bit by bit from a shift register
            state = (state << 1 ^ (state >> 7) * 0x171) % 256
            if state & 2:
                lanes[0] ^= 1 << (1 << j) - 1
    return lanes


def keccak256(text: bytes) -> bytes:
    """Return the digest, 32 bytes."""
    padded = bytearray(text + b"\x01" + bytes(-(len(text) + 1) % RATE))
    padded[-1] |= 0x80
    lanes = [0] * LANES
    for at in range(0, len(padded), RATE):
        for i in range(RATE // 8):
            lanes[i] ^= int.from_bytes(padded[at + 8 * i : at + 8 * i + 8], "little")
        lanes = _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])
