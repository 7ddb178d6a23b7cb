"""Which files a folder holds: links followed once, odd files told, descriptions and our own folders left out."""

import logging
import os
import socket

import fsspec
import orjson
import pytest
from ingesting import ingest, lines, write

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.inputs.inputs import InputSettings, find_files
from gristmill.pipelines.inputs.listing import Listing


def names(*paths, work=None, **settings):
    settings = InputSettings(paths=[str(path) for path in paths], **settings)
    return [file.name for file in find_files(settings, work and str(work))]


def test_links_are_followed_once_and_cycles_end(tmp_path):
    raw = write(tmp_path / "raw", a__jsonl=b"x")
    write(raw / "wiki", b__jsonl=b"x")
    other = write(tmp_path / "other", c__jsonl=b"x", d__jsonl=b"x")
    (raw / "aaa").symlink_to(raw / "wiki")  # reached first by name, but the folder keeps its own path
    (raw / "above").symlink_to("../raw")
    (raw / "wiki" / "loop").symlink_to(".")
    (raw / "outside").symlink_to(other)
    (raw / "outside2").symlink_to(other)
    (raw / "c.jsonl").symlink_to(other / "c.jsonl")
    (raw / "z.jsonl").symlink_to("a.jsonl")
    (raw / "linked.jsonl").symlink_to(write(tmp_path / "third", e__jsonl=b"x") / "e.jsonl")
    assert names(raw) == ["a.jsonl", "c.jsonl", "linked.jsonl", "outside/d.jsonl", "wiki/b.jsonl"]
    assert names(raw, other) == [
        "other/c.jsonl",
        "other/d.jsonl",
        "raw/a.jsonl",
        "raw/linked.jsonl",
        "raw/wiki/b.jsonl",
    ]
    (tmp_path / "root").symlink_to(raw)
    assert len(names(tmp_path / "root")) == 5


def test_a_link_gives_its_name_to_a_blob(tmp_path):
    """The cache of the Hugging Face Hub: names lie in snapshots/, contents in blobs/ under their hashes."""
    blobs, snapshot = write(tmp_path / "blobs", abc123=b"x"), write(tmp_path / "snapshots" / "main")
    (snapshot / "train.jsonl").symlink_to("../../blobs/abc123")
    assert names(tmp_path) == ["snapshots/main/train.jsonl"]
    assert blobs.exists()


def test_odd_files_are_skipped_and_told(tmp_path, monkeypatch, caplog):
    raw = write(tmp_path / "raw", a__jsonl=b"x")
    (raw / "gone.jsonl").symlink_to("nowhere")
    (raw / "self.jsonl").symlink_to("self.jsonl")
    os.mkfifo(raw / "pipe.jsonl")
    monkeypatch.chdir(raw)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jsonl")
        (raw / "device.jsonl").symlink_to("/dev/zero")
        (raw / "secret").mkdir()
        scandir = os.scandir

        def refusing(path):
            if str(path).endswith("secret"):
                raise PermissionError(13, "Permission denied", path)
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refusing)
        with caplog.at_level(logging.WARNING):
            assert names(raw) == ["a.jsonl"]
            assert names(raw / "*.jsonl") == ["a.jsonl"]
    assert [message.removeprefix(f"{raw}: ") for message in caplog.messages[:6]] == [
        "skipped 1 (Permission denied): secret",
        "skipped 1 (Too many levels of symbolic links): self.jsonl",
        "skipped 1 (dangling link): gone.jsonl",
        "skipped 1 (device): device.jsonl",
        "skipped 1 (pipe): pipe.jsonl",
        "skipped 1 (socket): socket.jsonl",
    ]
    assert len(caplog.messages) == 10  # the pattern matches no folder, and both links count as dangling
    with pytest.raises(InputError, match=r"skipped 1 \(pipe\): .*pipe\.jsonl$"):
        names(raw / "pipe.jsonl")


DESCRIPTIONS = ["README", "README.md", "Readme.txt", "LICENSE", "licence.rst", "NOTICE.text", "COPYING", "CITATION.md"]
DESCRIPTIONS += ["dataset_infos.json", "dataset_info.json", "dataset_dict.json", "manifest.json", "state.json"]
DESCRIPTIONS += ["cache-0123456789abcdef.arrow", "cache-0123456789abcdef_00001_of_00002.arrow"]  # and caches


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions_are_no_documents_unless_named(tmp_path, name):
    write(tmp_path / "raw" / "data", **{"x.jsonl": b"x", name: b"x"})
    assert names(tmp_path / "raw", format="text") == ["data/x.jsonl"]
    assert names(tmp_path / "raw" / "data" / name, format="text") == [name]
    assert f"data/{name}" in names(tmp_path / "raw" / "*" / "*", format="text")


@pytest.mark.parametrize(
    "name",
    ["readme2.md", "my-readme.md", "README.html", "README.md.gz", "license.json", "infos.json", "cache-de.arrow"],
)
def test_other_names_are_documents(tmp_path, name):
    write(tmp_path, **{name: b"x"})
    assert names(tmp_path) == [name]


def test_hidden_files_are_left_out_and_no_others(tmp_path):
    write(tmp_path, **{"x.jsonl": b"x", ".y.jsonl": b"x", "..z.jsonl": b"x", "a.b.jsonl": b"x"})
    write(tmp_path / ".git", f__txt=b"x")
    write(tmp_path / "..." / "deep", f__txt=b"x")
    assert names(tmp_path) == ["a.b.jsonl", "x.jsonl"]
    assert names(tmp_path / ".git") == ["f.txt"]


ODD_NAMES = [b"caf\xe9.jsonl", b"\xff\xfe.jsonl", b"two\nlines.jsonl", b" .jsonl", b"a\x1b[31m.jsonl", b"x?*[1].jsonl"]
ODD_NAMES += [b"\\xff.jsonl", "é\u202e.jsonl".encode(), b"100%.jsonl", b"#.jsonl", b"{n}.jsonl", b"-.jsonl", b"~.jsonl"]


def test_files_of_any_name_are_read(tmp_path):
    """Names that are not UTF-8 become escapes, in ids and in rejects."""
    raw = write(tmp_path / "raw")
    for number, name in enumerate(ODD_NAMES):
        (raw / os.fsdecode(name)).write_bytes(lines({"text": str(number)}) + b"{}\n")
    made = ingest(tmp_path / "work", raw)
    assert sorted(made.texts, key=int) == [str(number) for number in range(len(ODD_NAMES))]
    ids = {row["text"]: row["id"] for row in made.rows}
    assert (ids["0"], ids["1"], ids["2"]) == ("caf\\xe9.jsonl:1", "\\xff\\xfe.jsonl:1", "two\nlines.jsonl:1")
    assert len(made.rejects) == len(ODD_NAMES)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("nowhere", path), os.mkdir])
def test_odd_files_of_odd_names_are_told(tmp_path, make):
    raw = write(tmp_path / "raw", a__jsonl=b"x")
    make(os.path.join(os.fsencode(raw), b"\xff{0}%s\n\x1b[31m.jsonl"))
    assert names(raw) == ["a.jsonl"]
    account = Listing(str(raw)).account()
    assert make is os.mkdir or account[0].endswith(r": \xff{0}%s\n\x1b[31m.jsonl")


def test_an_empty_path_is_not_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path, a__jsonl=b"x"))
    with pytest.raises(InputError, match="path is empty"):
        names("")


ROW = lines({"text": "some text"})


def test_the_work_folder_is_no_input_of_its_own(tmp_path):
    raw = write(tmp_path, a__jsonl=ROW)
    work = tmp_path / "work"
    write(work, run__json=b"{}", summary__json=b"{}")
    write(work / "report", index__html=b"x")
    assert names(raw, work=work) == ["a.jsonl"]
    (raw / "link").symlink_to(work)
    assert names(raw, work=work) == ["a.jsonl"]
    assert names(raw / "*", work=work) == ["a.jsonl"]


@pytest.mark.parametrize("finished", [True, False])
def test_other_work_folders_are_left_out_whole(tmp_path, caplog, finished):
    raw = write(tmp_path / "raw", a__jsonl=ROW)
    ingest(raw / "deep" / "old", raw)
    write(raw / "deep" / "old", summary__json=b"{}")
    write(raw / "deep", b__jsonl=b"x")
    if not finished:
        (raw / "deep" / "old" / "documents" / "manifest.json").unlink()
        write(raw / "deep" / "old" / "documents" / ".progress", started=b"")
    (raw / "tokens").mkdir()
    (raw / "tokens" / "manifest.json").write_bytes((raw / "deep/old/rejects/manifest.json").read_bytes())
    write(raw / "tokens", part__txt=b"x")
    with caplog.at_level(logging.WARNING):
        assert names(raw, work=tmp_path / "new") == ["a.jsonl", "deep/b.jsonl"]
    assert caplog.messages == [f"{raw}: left out 2 (made by Gristmill; to read one, name it): deep/old, tokens"]
    with pytest.raises(InputError, match="old is a work folder; name a folder in it"):
        names(raw / "deep" / "old")
    assert names(raw / "deep" / "*") == ["b.jsonl"]
    assert names(raw / "deep" / "old" / "documents") == ["part-00000-000.parquet"]
    assert names(raw / "deep" / "old" / "documents" / "*.parquet") == ["part-00000-000.parquet"]


def test_of_a_finished_work_folder_the_clean_documents_are_read(tmp_path):
    raw = write(tmp_path / "raw", a__jsonl=ROW)
    ingest(tmp_path / "work", raw)
    (tmp_path / "work" / "clean").mkdir()
    write(tmp_path / "work" / "clean", b__jsonl=ROW)
    with pytest.raises(InputError, match="is a work folder"):
        names(tmp_path / "work")
    (tmp_path / "work" / "clean" / "manifest.json").write_bytes(
        (tmp_path / "work" / "rejects" / "manifest.json").read_bytes()
    )
    assert names(tmp_path / "work") == names(tmp_path / "work", work=tmp_path / "new") == ["b.jsonl"]
    with pytest.raises(InputError, match="is written by this run"):
        names(tmp_path / "work", work=tmp_path / "work")


@pytest.mark.parametrize("manifest", [b"{}", b"[]", b"", b'{"fingerprint": 1}', b"\xff"])
def test_a_manifest_of_others_leaves_its_folder_in(tmp_path, manifest):
    write(tmp_path / "documents", manifest__json=manifest, a__jsonl=b"x")
    assert names(tmp_path) == ["documents/a.jsonl"]


def test_what_this_run_writes_cannot_be_its_input(tmp_path):
    """A run may read a folder beside its own, below its output, but not the output and nothing it has made."""
    write(tmp_path / "raw", a__jsonl=ROW)
    assert names(tmp_path / "raw", work=tmp_path) == ["a.jsonl"]
    ingest(tmp_path, tmp_path / "raw")
    assert names(tmp_path / "raw", work=tmp_path) == ["a.jsonl"]
    for own in (tmp_path, tmp_path / "documents", tmp_path / "documents" / "part-00000-000.parquet"):
        with pytest.raises(InputError, match=f"^{own} is written by this run"):
            names(own, work=tmp_path)
    with pytest.raises(InputError, match=r"left out 1 \(written by this run\): part-00000-000\.parquet"):
        names(tmp_path / "documents" / "*.parquet", work=tmp_path)
    assert names(tmp_path / "documents", work=tmp_path / "documents2")


def test_stores_are_listed_by_the_same_rules(tmp_path):
    memory = fsspec.filesystem("memory")
    ours = orjson.dumps({"fingerprint": "", "parts": {}, "version": ""})
    files = ["a.jsonl", "README.md", ".git/x.txt", "old/documents/manifest.json", "old/clean/b.jsonl", "work/run.json"]
    for name in files:
        memory.pipe(f"/corpus/{name}", ours)
    assert names("memory://corpus", work="memory://corpus/work") == ["a.jsonl"]
    assert names("memory://corpus/old/clean", work="memory://corpus/work") == ["b.jsonl"]
    assert names("memory://corpus", work=tmp_path) == ["a.jsonl", "work/run.json"]
    with pytest.raises(InputError, match="is a work folder"):
        names("memory://corpus/old")
    with pytest.raises(InputError, match=r"left out 1 \(written by this run\)"):
        names("memory://corpus/old/documents/*", work="memory://corpus/old")
    memory.rm("/corpus", recursive=True)
