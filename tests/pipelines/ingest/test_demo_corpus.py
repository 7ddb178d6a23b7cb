import io
import sysconfig

import orjson
import pytest
import zstandard
from click.testing import CliRunner

from gristmill.flows.cli.demo import demo as command
from gristmill.pipelines.errors import InputError, WorkError
from gristmill.pipelines.ingest import demo_corpus

METADATA = """\
Metadata-Version: 2.4
Name: Mill
Version: 1.0
Author-email: Ann <ann@mill.example.org>
Requires-Dist: water
Classifier: License :: OSI Approved :: MIT License

# Mill

It grinds.
"""
MODULE = '''\
"""Stones."""
raise RuntimeError("never imported")
class Stone:
    """A stone. \\d is no escape.

    Write to ben@mill.example.org.
    """
    def turn(self):
        """{}"""
    def turn(self):
        """Twice defined."""
'''
FILES = {
    "lib/this.py": '"""The Zen of Python, by Tim Peters."""\n',
    "lib/thin.py": '"""Doc."""\n' + "x = 1\n" * 100,
    "lib/broken.py": '"""Almost all of this file is a docstring"""\nprint "but of Python 2"\n',
    "lib/idlelib/README.txt": "read \udce9 me\n",  # not UTF-8
    "lib/idlelib/icon.gif": "GIF89a",
    "lib/site-packages/elsewhere.txt": "belongs to no package",
    "site/mill-1.0.dist-info/METADATA": METADATA,
    "site/mill-1.0.dist-info/RECORD": "",
    "site/mill-1.0.dist-info/licenses/LICENSE": "Copyright 1999 Ann\nPermission is granted.\n",
    "site/mill/stone.py": MODULE.format("grind " * 300),
    "site/mill/LICENSE.md": "copyright (c) 2024 Ben\n\npermission IS granted\n",
    "site/mill/notes.rst": "Notes\n=====\n",
    "site/mill/blank.txt": " \n",
}
RECORD = [path.removeprefix("site/") for path in FILES if path.startswith("site/")] + [
    "../../bin/mill",
    "mill/gone.txt",
]


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with a small standard library and one package."""
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(text.encode("utf-8", "surrogateescape"))
    (tmp_path / "site/mill-1.0.dist-info/RECORD").write_text("".join(f"{path},,\n" for path in RECORD))
    paths = {"stdlib": tmp_path / "lib", "purelib": tmp_path / "site", "platlib": tmp_path / "site"}
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {name: str(path) for name, path in paths.items()})
    return tmp_path


def read(folder):
    documents = []
    for path in sorted(folder.glob("*.jsonl.zst")):
        with path.open("rb") as file:
            lines = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file))
            documents += [orjson.loads(line) for line in lines]
    return documents


def test_documents_come_with_their_provenance(machine, tmp_path):
    demo_corpus.write_demo(tmp_path / "out")
    documents = {document["id"]: document for document in read(tmp_path / "out")}
    assert {id: d["kind"] for id, d in documents.items()} == {
        "python/this:short": "docstrings",
        "python/idlelib/README.txt": "readme",
        "mill-1.0.dist-info/METADATA": "readme",
        "mill-1.0.dist-info/licenses/LICENSE": "license",
        "mill/LICENSE.md": "license",
        "mill/notes.rst": "notes",
        "mill/stone:short": "docstrings",
        "mill/stone:8": "docstring",
    }
    assert documents["python/this:short"] == {
        "id": "python/this:short",
        "text": "The Zen of Python, by Tim Peters.",
        "kind": "docstrings",
        "source": "stdlib",
        "package": "python",
        "origin": "python/this.py",
        "license": "PSF-2.0",
    }
    stone = documents["mill/stone:8"]
    assert (stone["package"], stone["origin"], stone["license"]) == ("Mill", "mill/stone.py", "MIT License")
    assert stone["text"].split() == ["grind"] * 300
    assert documents["mill/stone:short"]["text"].startswith("Stones.\n\nA stone. \\d is no escape.\n\nWrite to")
    assert documents["mill/stone:short"]["text"].endswith("Twice defined.")
    assert documents["python/idlelib/README.txt"]["text"] == "read \ufffd me\n"
    assert documents["mill-1.0.dist-info/METADATA"]["text"] == (
        "Name: Mill\nAuthor-email: Ann <ann@mill.example.org>\n\n# Mill\n\nIt grinds.\n"
    )


def test_the_counts_are_those_of_the_documents(machine, tmp_path):
    counts = demo_corpus.write_demo(tmp_path / "out").summary()
    documents = read(tmp_path / "out")
    assert counts["documents"] == len(documents) == sum(kind["documents"] for kind in counts["kinds"].values())
    assert counts["bytes"] == sum(len(document["text"].encode()) for document in documents)
    assert counts["packages"] == 2
    assert counts["licenses_like_another"] == 1  # but for the copyright line, case and spacing
    assert counts["mail_addresses"] == 2


def test_a_second_corpus_replaces_the_first_byte_for_byte(machine, tmp_path, monkeypatch):
    demo_corpus.write_demo(tmp_path / "whole")
    monkeypatch.setattr(demo_corpus, "SHARD_BYTES", 100)
    for _ in range(2):
        demo_corpus.write_demo(tmp_path / "cut")
    assert len([*(tmp_path / "cut").iterdir()]) > 2
    assert read(tmp_path / "cut") == read(tmp_path / "whole")


def test_less_room_means_fewer_documents_of_the_same(machine, tmp_path):
    all_of_them = {document["id"] for document in read_into(tmp_path / "all", 64)}
    some = {document["id"] for document in read_into(tmp_path / "some", 0.0005)}
    assert some < all_of_them and some


def read_into(folder, max_mb):
    demo_corpus.write_demo(folder, max_mb)
    assert sum(len(document["text"].encode()) for document in read(folder)) <= max_mb * 1e6
    return read(folder)


def test_a_lone_surrogate_in_a_docstring_is_replaced(machine, tmp_path):
    (tmp_path / "lib/this.py").write_text('"""A lone \\ud800."""\n')
    demo_corpus.write_demo(tmp_path / "out")
    assert {d["text"] for d in read(tmp_path / "out") if d["id"] == "python/this:short"} == {"A lone ?."}


def test_a_folder_of_other_things_is_left_alone(machine, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("precious")
    with pytest.raises(WorkError, match=r"thesis\.tex"):
        demo_corpus.write_demo(tmp_path / "out")
    assert (tmp_path / "out/thesis.tex").read_text() == "precious"


def test_a_file_in_place_of_the_folder_is_told_at_once(machine, tmp_path):
    (tmp_path / "demo").write_text("")
    with pytest.raises(WorkError, match="demo is a file; give a folder"):
        demo_corpus.write_demo(tmp_path / "demo")


def test_a_machine_without_text_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(demo_corpus, "find_text_files", list)
    with pytest.raises(InputError, match="--max-mb"):
        demo_corpus.write_demo(tmp_path / "out")


def test_the_command_prints_what_the_corpus_looks_like(machine, tmp_path):
    result = CliRunner().invoke(command, ["--output", str(tmp_path / "out")])
    assert result.exit_code == 0
    assert "8     0.00 MB  from 2 packages" in result.output
    assert "1 license texts equal another one; 2 e-mail addresses" in result.output
    result = CliRunner().invoke(command, ["--output", str(tmp_path / "out"), "--json"])
    assert orjson.loads(result.output)["files"] == ["demo-00000.jsonl.zst"]
