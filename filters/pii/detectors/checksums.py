"""Check digits of cards, accounts and Chinese resident IDs. Numbers have no separators."""

DOUBLED = str.maketrans("0123456789", "0246813579")  # cross sum of twice the digit


def luhn(digits: str) -> bool:
    """True if digits pass ISO/IEC 7812-1: sum of digits, every second from the right doubled, divisible by ten."""
    return sum(map(int, digits[-1::-2] + digits[-2::-2].translate(DOUBLED))) % 10 == 0


def mod97(account: str) -> bool:
    """True if an IBAN passes ISO 13616: its first four characters last, letters as 10 to 35, is 1 modulo 97."""
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1


def mod11_2(digits: str) -> bool:
    """True if the last character, X for ten, is the ISO 7064 MOD 11-2 check of the others (Chinese resident IDs)."""
    total = 0
    for character in digits[:-1]:
        total = (total + int(character)) * 2 % 11
    return "0123456789X"[(12 - total) % 11] == digits[-1].upper()
