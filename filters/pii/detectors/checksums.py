"""Check digits of cards, accounts and Chinese residents. Each takes digits and letters alone, without separators."""

DOUBLED = str.maketrans("0123456789", "0246813579")  # twice a digit, with cross sums


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1: every second digit from the right doubled, cross sums added, divisible by ten."""
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(DOUBLED))) % 10 == 0


def mod97(account: str) -> bool:
    """ISO 13616: an IBAN with its first four characters moved to the end, letters as 10 to 35, is 1 modulo 97."""
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1


def mod11_2(digits: str) -> bool:
    """ISO 7064 MOD 11-2, as in Chinese resident numbers: the last character, X for ten, checks the others."""
    total = 0
    for character in digits[:-1]:
        total = (total + int(character)) * 2 % 11
    return "0123456789X"[(12 - total) % 11] == digits[-1].upper()
