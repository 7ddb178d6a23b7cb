"""Certificates: what they hold, that any changed byte is found, and signatures as minisign's."""

import base64
import hashlib
import json
import random

import pytest
from click.testing import CliRunner
from corpora import RECIPE, documents, write_jsonl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from upath import UPath

from gristmill.flows.certify.certificate import CERTIFICATE, certify
from gristmill.flows.certify.minisign import make_key, sign, signature_problem
from gristmill.flows.certify.recompute import verify_certificate
from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.cli import group
from gristmill.flows.engine.engines import engine
from gristmill.pipelines.errors import InputError, WorkError
from gristmill.pipelines.storage.manifest import Manifest, Part
from gristmill.pipelines.storage.shards import read_shard, write_shard


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    """Return a finished work folder, made by two workers, with its certificate; and the folder of its input."""
    folder = tmp_path_factory.mktemp("certified")
    corpus, work = tmp_path_factory.mktemp("corpus"), UPath(folder / "work")
    rows = list(documents())
    for k in range(3):
        write_jsonl(corpus / f"{k}.jsonl", rows[100 * k : 100 * k + 100])
    (corpus.parent / "recipe.toml").write_text(RECIPE)
    recipe = read_recipe(str(corpus.parent / "recipe.toml"), ("input.work_unit_bytes=100000",), (str(corpus),))
    with engine("threads", 2) as two:
        clean(recipe, work, two)
    certify(work)
    return work, corpus


def call(*arguments, code=0):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def test_a_certificate_names_everything(certified):
    work, corpus = certified
    found = json.loads((work / CERTIFICATE).read_text())
    digests = {each["sha256"] for each in found["inputs"]}
    assert digests == {hashlib.sha256(path.read_bytes()).hexdigest() for path in corpus.iterdir()}
    assert {"documents", "clean", "removed", "ledger", "steps/c4/decisions"} <= found["folders"].keys()
    assert {"recipe.json", "summary.json", "clean/manifest.json"} <= found["files"].keys()
    assert "run.json" not in found["files"] and "dedup/near/shingles.py" in found["kernels"]
    assert found["recipe"]["steps"].keys() == {"c4", "fineweb", "exact"}


def test_parts_are_made_again_with_the_same_bytes(certified):
    work, _ = certified
    found = verify_certificate(work / CERTIFICATE, work, 0.0, "salt")
    assert found.problems == [] and found.notes == [] and found.made_again == []
    found = verify_certificate(work / CERTIFICATE, work, 0.01, "salt")
    assert found.problems == []
    assert {name.split("/")[0] for name in found.made_again} >= {"documents", "steps", "clean", "removed", "ledger"}
    assert [path.name for path in work.parent.iterdir()] == ["work"]  # no copy is left


def test_a_changed_byte_is_found_anywhere(certified):
    work, corpus = certified
    names = json.loads((work / CERTIFICATE).read_text())["files"]
    places = [work / name for name in random.Random(0).sample(sorted(names), 12)] + sorted(corpus.iterdir())
    for path in (*places, work / "recipe.json", work / "clean" / "manifest.json"):
        data = path.read_bytes()
        at = len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            problems = verify_certificate(work / CERTIFICATE, work, 0.01).problems
        finally:
            path.write_bytes(data)
        assert len(problems) == 1 and "differs from the certificate" in problems[0], path
    certificate = (work / CERTIFICATE).read_bytes()
    (work / CERTIFICATE).write_bytes(certificate.replace(b'"bytes"', b'"bytez"', 1))
    with pytest.raises(WorkError, match="damaged or was edited"):
        verify_certificate(work / CERTIFICATE, work)
    (work / CERTIFICATE).write_bytes(certificate)


def test_a_forged_file_is_found_when_it_is_made_again(certified):
    """Certify a folder whose clean documents were replaced together with their checksums."""
    work, _ = certified
    certificate = json.loads((work / CERTIFICATE).read_text())
    name = next(name for name in certificate["files"] if name.startswith("clean/part"))
    saved = {path: path.read_bytes() for path in (work / name, work / "clean" / "manifest.json", work / CERTIFICATE)}
    manifest = Manifest.read(work / "clean")
    table = read_shard(work / name)
    write_shard(work / name, [table.take([*range(table.num_rows)][::-1])], table.schema)
    part = manifest.parts[work.joinpath(name).stem]
    part.files = Part.from_files(work / "clean", "", [*part.files], {}).files
    manifest.write(work / "clean")
    certify(work)
    try:
        problems = verify_certificate(work / CERTIFICATE, work, 1.0).problems
        assert any("made again" in problem and "clean/" in problem for problem in problems)
    finally:
        for path, data in saved.items():
            path.write_bytes(data)


def test_commands_certify_sign_and_verify(certified, tmp_path):
    work, _ = certified
    assert "folders" in call("certify", work, "--sign", tmp_path / "mill.key")
    output = call("verify", work / CERTIFICATE, "--key", tmp_path / "mill.key.pub")
    assert "files have the certified checksums" in output and "made again from the inputs" in output
    make_key(UPath(tmp_path / "other.key"))
    assert "is by another key" in call("verify", work / CERTIFICATE, "--key", tmp_path / "other.key.pub", code=1)
    assert "--key" in call("verify", work / CERTIFICATE, "--sample", "0")
    assert "is no share" in CliRunner().invoke(group, ["verify", str(work / CERTIFICATE), "--sample", "2"]).output
    (work / f"{CERTIFICATE}.minisig").unlink()
    body = json.loads(call("verify", work / CERTIFICATE, "--json"))
    assert body["problems"] == [] and body["made_again"]


def test_signatures_have_the_format_of_minisign(tmp_path):
    key, file = UPath(tmp_path / "k"), UPath(tmp_path / "f")
    public, _ = make_key(key), file.write_bytes(b"text")
    comment, signed, trusted, whole = sign(file, key).read_text().splitlines()
    assert comment.startswith("untrusted comment: ") and trusted == "trusted comment: file:f\thashed"
    signature = base64.b64decode(signed)
    assert signature[:2] == b"ED" and len(signature) == 74 and key.stat().st_mode & 0o77 == 0
    verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.read_text().splitlines()[1])[10:])
    verifier.verify(signature[10:], hashlib.blake2b(b"text").digest())
    verifier.verify(base64.b64decode(whole), signature[10:] + b"file:f\thashed")
    assert signature_problem(file, public) == ""
    file.write_bytes(b"texT")
    assert "no signature of f" in signature_problem(file, public)


def test_keys_that_cannot_sign_are_one_line(tmp_path):
    key, file = UPath(tmp_path / "k"), UPath(tmp_path / "f")
    public, _ = make_key(key), file.write_bytes(b"")
    assert "is missing" in signature_problem(file, public)
    for body, complaint in (
        (b"Ed" + b"Sc" + bytes(154), "has a password"),
        (b"Ed" + bytes(156), "its checksum is wrong"),
    ):
        key.write_text(f"comment\n{base64.b64encode(body).decode()}\n")
        with pytest.raises(InputError, match=complaint):
            sign(file, key)
    with pytest.raises(InputError, match="is no secret key of minisign"):
        sign(file, public)
    with pytest.raises(InputError, match="is no public key of minisign"):
        signature_problem(file, UPath(tmp_path / "none"))


def test_unfinished_and_damaged_work_is_not_certified(tmp_path):
    with pytest.raises(WorkError, match="holds nothing finished"):
        certify(UPath(tmp_path))
