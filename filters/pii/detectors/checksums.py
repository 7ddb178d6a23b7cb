"""Check digits of cards, accounts and numbers of state. Each takes digits and letters alone, without separators."""

import string
from collections.abc import Sequence

VERHOEFF = (
    "0123456789 1234067895 2340178956 3401289567 4012395678 5987604321 6598710432 7659821043 8765932104 9876543210"
)
PERMUTED = "0123456789 1576283094 5803796142 8916043527 9453126870 4286573901 2793806415 7046913258"
DOUBLED = str.maketrans("0123456789", "0246813579")  # twice a digit, with cross sums


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of the digits, each times its weight."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1: every second digit from the right doubled, cross sums added, divisible by ten."""
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(DOUBLED))) % 10 == 0


def mod97(account: str) -> bool:
    """ISO 13616: an IBAN with its first four characters moved to the end, letters as 10 to 35, is 1 modulo 97."""
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1


def mod11_10(digits: str) -> bool:
    """ISO 7064 MOD 11,10, as in German tax numbers: the last digit checks the others."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def mod11_2(digits: str) -> bool:
    """ISO 7064 MOD 11-2, as in Chinese resident numbers: the last character, X for ten, checks the others."""
    total = 0
    for character in digits[:-1]:
        total = (total + int(character)) * 2 % 11
    return "0123456789X"[(12 - total) % 11] == digits[-1].upper()


def verhoeff(digits: str) -> bool:
    """Verhoeff 1969: multiplication in the dihedral group of order ten, as in Aadhaar."""
    table, permuted, check = VERHOEFF.split(), PERMUTED.split(), 0
    for i, digit in enumerate(reversed(digits)):
        check = int(table[check][int(permuted[i % 8][int(digit)])])
    return check == 0


def remainder_letter(number: str, letters: str, letter: str) -> bool:
    """The letter that stands for the number's remainder, as in Spain."""
    return letters[int(number) % len(letters)] == letter


def brazilian(digits: str) -> bool:
    """CPF: two check digits modulo 11; eleven times the same digit is none."""
    return len(set(digits)) > 1 and all(
        str(weighted(digits[:size], range(size + 1, 1, -1)) * 10 % 11 % 10) == digits[size] for size in (9, 10)
    )


def turkish(digits: str) -> bool:
    numbers = [int(digit) for digit in digits]
    tenth = (sum(numbers[0:9:2]) * 7 - sum(numbers[1:8:2])) % 10
    return numbers[0] != 0 and numbers[9] == tenth and numbers[10] == sum(numbers[:10]) % 10


ODD_DIGITS = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
ODD_LETTERS = (*ODD_DIGITS, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
ODD = dict(zip(string.digits + string.ascii_uppercase, ODD_DIGITS + ODD_LETTERS, strict=True))


def italian(code: str) -> bool:
    """Codice fiscale: characters at odd places by a table, at even ones by their number; the last letter is the sum."""
    even = (int(c) if c.isdigit() else ord(c) - 65 for c in code[1:15:2])
    return chr(65 + (sum(ODD[c] for c in code[0:15:2]) + sum(even)) % 26) == code[15]


def mexican(code: str) -> bool:
    """CURP: 17 characters weighted 18 to 2, Ñ among the letters, and the digit that makes tens of it."""
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * weight for c, weight in zip(code[:17], range(18, 1, -1), strict=True))
    return str(-total % 10) == code[17]
