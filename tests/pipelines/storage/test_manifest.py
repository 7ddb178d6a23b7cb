"""A manifest, a record or a summary that is not as it was written is one line; so is a file that differs from it."""

import hashlib
import os

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage import files
from gristmill.pipelines.storage.files import checksum
from gristmill.pipelines.storage.manifest import MANIFEST, Manifest, Part, require_finished
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed

SHA = hashlib.sha256(b"grain").hexdigest()


@pytest.fixture
def folder(tmp_path):
    """Yield a finished folder of one file."""
    (tmp_path / "a.parquet").write_bytes(b"grain")
    part = Part.from_files(UPath(tmp_path), "f" * 32, ["a.parquet"], {"documents": 3})
    Manifest("f" * 32, {"steps": ["c4"]}, {"a": part}).write(UPath(tmp_path))
    return UPath(tmp_path)


def one_line(call, *args, **options):
    with pytest.raises(WorkError) as raised:
        call(*args, **options)
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 600
    return str(raised.value)


def test_a_manifest_is_read_as_it_was_written(folder):
    found = require_finished(folder, "")
    assert found.parts == {"a": Part("f" * 32, {"a.parquet": {"bytes": 5, "sha256": SHA}}, {"documents": 3})}
    assert found.settings == {"steps": ["c4"]} and found.counts == {"documents": 3}
    found.verify(folder)


def edit(old, new):
    return lambda data: data.replace(old, new)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"{}",
        lambda data: b"[]",
        lambda data: b"null",
        lambda data: b'"text"',
        lambda data: b"\xff\xfe" + data,
        lambda data: b"[" * 100_000,
        lambda data: b'{"parts": ' * 10_000,
        lambda data: data[:-1],
        lambda data: data + b"\n",
        edit(b'"documents": 3', b'"documents": 4'),
        edit(b'"bytes": 5', b'"bytes": "5"'),
        edit(b"a.parquet", b"/etc/hosts"),
        edit(b'"c4"', b'"c5"'),
        edit(b"{", b"{ "),
    ],
)
def test_a_damaged_manifest_is_one_line(folder, damage):
    path = folder / MANIFEST
    path.write_bytes(damage(path.read_bytes()))
    message = one_line(Manifest.read, folder)
    assert message.startswith(f"{path} is damaged or was edited: ") and f"remove {folder} and run again" in message


def test_a_flipped_bit_in_any_byte_of_a_manifest_is_found(folder):
    path = folder / MANIFEST
    data = path.read_bytes()
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        path.write_bytes(flipped)
        with pytest.raises(WorkError):
            Manifest.read(folder)


FILE = {"bytes": 5, "sha256": SHA}
BODY = {"fingerprint": "", "settings": {}, "parts": {}, "version": "1", "counts": {}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"parts": None}, "parts: Input should be a valid dictionary"),
        ({"settings": []}, "settings: Input should be a valid dictionary"),
        ({"fingerprint": 1}, "fingerprint: Input should be a valid string"),
        ({"counts": {"documents": 1}}, "found counts {'documents': 1}, expected {}"),
        ({"counts": None}, "found counts None, expected {}"),
        ({"parts": {"a": {"fingerprint": "", "files": {"../a": FILE}}}}, "the file '../a' lies outside its folder"),
        ({"parts": {"a": {"fingerprint": "", "files": {"/a": FILE}}}}, "the file '/a' lies outside its folder"),
        ({"parts": {"a": {"fingerprint": "", "files": {"": FILE}}}}, "the file '' lies outside its folder"),
        ({"parts": {"a": {"fingerprint": "", "files": {"a": FILE | {"bytes": -1}}}}}, "expected a size in bytes"),
        ({"parts": {"a": {"fingerprint": "", "files": {"a": FILE | {"bytes": True}}}}}, "expected a size in bytes"),
        ({"parts": {"a": {"fingerprint": "", "files": {"a": FILE | {"sha256": SHA[1:]}}}}}, "expected a size in bytes"),
        ({"parts": {"a": {"fingerprint": "", "files": {"a": FILE | {"sha256": None}}}}}, "expected a size in bytes"),
    ],
)
def test_a_sealed_manifest_of_another_form_is_one_line(tmp_path, change, message):
    """Read what a program that is not ours may have sealed."""
    write_sealed(UPath(tmp_path) / MANIFEST, BODY | change)
    assert message in one_line(Manifest.read, UPath(tmp_path))


def test_the_smallest_sealed_manifest_is_read(tmp_path):
    write_sealed(UPath(tmp_path) / MANIFEST, BODY)
    assert Manifest.read(UPath(tmp_path)) == Manifest("", {}, {}, "1")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(b"grail"), "is damaged: its SHA-256 is"),
        (lambda path: path.write_bytes(b"grains"), "is damaged: its SHA-256 is"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_a_file_that_differs_from_its_manifest_is_one_line(folder, damage, message):
    manifest = require_finished(folder, "")
    manifest.verify(folder)
    damage(folder / "a.parquet")
    found = one_line(manifest.verify, folder)
    assert found.startswith(f"{folder / 'a.parquet'} {message}") and "run again the command that made it" in found


numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.text(), json_values, min_size=1), st.data())
def test_sealed_values_come_back_in_order_and_a_changed_byte_is_found(tmp_path_factory, body, data):
    path = UPath(tmp_path_factory.mktemp("sealed")) / "a.json"
    body.pop("digest", None)
    body["last"] = 1
    write_sealed(path, body)
    found = read_sealed(path, "")
    assert found == body and list(found) == list(body)
    assert orjson.loads(path.read_bytes()) == {**body, "digest": orjson.loads(path.read_bytes())["digest"]}
    raw = path.read_bytes()
    at = data.draw(st.integers(0, len(raw) - 1))
    path.write_bytes(raw[:at] + bytes([raw[at] ^ data.draw(st.integers(1, 255))]) + raw[at + 1 :])
    one_line(read_sealed, path, "remove it")


def test_a_file_is_hashed_when_it_was_written_and_again_when_it_has_changed(folder, monkeypatch):
    hashed, path = [], folder / "a.parquet"
    monkeypatch.setattr(files, "checksum", lambda path: hashed.append(path) or checksum(path))
    part = Part.from_files(folder, "", [path.name], {})
    assert part.is_intact(folder) and hashed == [path]
    path.write_bytes(b"Grain")
    os.utime(path, (1, 1))
    assert not part.is_intact(folder) and hashed == [path, path]
