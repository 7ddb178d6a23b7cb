"""Damaged files of every loader load or are refused; the fuzzer itself finds what it is made to find."""

import random
import struct

import pytest
from click.testing import CliRunner

from tools import fuzz
from tools.fuzz_mutations import DAMAGES, NUMBERS, Field, aimed, find_json, mutate


@pytest.mark.slow
def test_500_damaged_files_of_all_loaders_load_or_are_one_line():
    result = CliRunner().invoke(fuzz.main, ["--count", "300"])  # and up to as many aimed ones
    assert result.exit_code == 0, result.output
    assert sum(int(line[14:22].replace(",", "")) for line in result.stdout.splitlines()[1:]) >= 500


def test_every_field_is_set_to_every_number():
    data = struct.pack("<Hq", 7, 8)
    found = dict(aimed(data, [Field("a", 0, "<H"), Field("b", 2, "<q")]))
    assert len(found) == 2 * len(NUMBERS)
    assert found["a = -1"] == b"\xff\xff" + data[2:]
    assert found["b = 1099511627776"] == data[:2] + (1 << 40).to_bytes(8, "little")


def test_numbers_of_json_and_of_text_are_aimed_at():
    changed = [data for _, data in aimed(b'{"a": [1, 2, 3, 4], "b": {"c": 5}}', [])]
    assert len(changed) == 4 * len(NUMBERS)  # three of the list
    assert b'{"a":[1,2,3,4],"b":{"c":-1}}' in changed
    assert b"one -1\n" in [data for _, data in aimed(b"one 1\n", [])]


@pytest.mark.parametrize(
    ("data", "before", "after"),
    [
        (b'magic {"a": 1}  \nrest', b"magic ", b"\nrest"),
        (struct.pack("<Q", 8) + b'{"a": 1}rest', struct.pack("<Q", 8), b"rest"),
    ],
)
def test_json_is_replaced_within_a_file(data, before, after):
    found = find_json(data)
    assert found.value == {"a": 1} and found.after == after
    assert found.pack({"a": 2}) in (
        before + b'{"a":2} '.ljust(found.size) + after,
        struct.pack("<Q", 8) + b'{"a":2} ' + after,
    )


def test_damage_is_a_function_of_the_seed():
    for data in (b"", b"x", b'{"a": [1, {"b": 2}]}', bytes(range(256))):
        for seed in range(50):
            assert mutate(data, random.Random(seed)) == mutate(data, random.Random(seed))
    assert all(kind(bytes(range(256)), random.Random(3)) != bytes(range(256)) for kind in DAMAGES)
