import io
import json

import zstandard

from benchmarks import inputs


def write(folder, name, rows):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / f"{name}.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))


def data(folder):
    """Development data of a few documents, under its own names."""
    labels = [{"language": "en"}, {"language": "de"}, {"language": "en"}]
    write(folder, "messy", [{"id": f"m{i}", "text": f"messy {i}", "labels": label} for i, label in enumerate(labels)])
    for name in inputs.PROSE:
        write(folder, name, [{"id": name, "text": "é" * 60_000}])
    page = (
        "<html><body><article><p>" + "An English page with some sentences in it. " * 20 + "</p></article></body></html>"
    )
    for name in inputs.WEB:
        write(folder, name, [{"id": name + tag, "html": page, "language": tag} for tag in ("en", "de")])
    write(folder, "badwords", [{"language": "de", "text": "Mist"}, {"language": "en", "text": "heck\ndarn"}])


def test_english_documents_are_cut_mixed_and_counted(tmp_path):
    data(tmp_path)
    target = tmp_path / "out" / "english-1.jsonl"
    inputs.main(tmp_path, target, 1)
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert {row["id"] for row in rows} == {"m0", "m2", *inputs.PROSE, *(f"{name}en" for name in inputs.WEB)}
    assert max(len(row["text"]) for row in rows) == inputs.LONGEST
    assert int((tmp_path / "out" / "english-1.jsonl.bytes").read_text()) == sum(len(r["text"].encode()) for r in rows)
    assert [row["id"] for row in rows] != sorted(row["id"] for row in rows)


def test_a_smaller_input_is_the_beginning_of_a_larger(tmp_path, monkeypatch):
    data(tmp_path)
    documents = inputs.english(tmp_path)
    whole = [*inputs.cut(documents, 1)]
    monkeypatch.setattr(inputs, "MEGABYTE", 250_000)
    some = [*inputs.cut(documents, 1)]
    assert some == whole[: len(some)] and 0 < len(some) < len(whole)
    assert sum(len(text.encode()) for _, text in some) <= 250_000


def test_copies_of_the_messy_documents_differ(tmp_path):
    data(tmp_path)
    target = tmp_path / "messy-3.jsonl.zst"
    inputs.main(tmp_path, target, 3)
    with target.open("rb") as file:
        rows = [json.loads(line) for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file))]
    assert len(rows) == len({row["id"] for row in rows}) == len({row["text"] for row in rows}) == 9
    assert rows[0] == {"id": "m0", "text": "messy 0"}


def test_the_bad_words_are_the_english_ones(tmp_path):
    data(tmp_path)
    inputs.main(tmp_path, tmp_path / "bad-words.txt", 0)
    assert (tmp_path / "bad-words.txt").read_text() == "heck\ndarn"


def test_mixed_documents_and_pages_keep_their_text_and_markup(tmp_path):
    data(tmp_path)
    for name, field, ids in (
        ("mixed", "text", {"m0", "m1", "m2"}),
        ("pages", "html", {f"{n}{t}" for n in inputs.WEB for t in ("en", "de")}),
    ):
        target = tmp_path / f"{name}-1.jsonl"
        inputs.main(tmp_path, target, 1)
        rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
        assert {row["id"] for row in rows} == ids and all(row[field] for row in rows)
