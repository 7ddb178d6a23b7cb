"""Encodings by name and by guess: the text is exact, or a reject says which setting reads it."""

import codecs

import pytest
from ingesting import ingest, lines, write

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.inputs import InputSettings, find_files
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers import read_unit
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.encoding import HEAD_BYTES, guess_encoding, wide_encoding
from gristmill.pipelines.settings import read_settings

TEXTS = ["Der Müller mahlt das Korn für das ganze Dorf.", "Größe ist nicht alles, sagte er, überhaupt nicht."]
FILES = {
    "x.jsonl": '{"text": "%s"}\n{"text": "%s"}\n',
    "x.json": '[{"text": "%s"},\n{"text": "%s"}]\n',
    "x.csv": 'text,n\n"%s",1\n"%s",2\n',
    "x.tsv": "text\tn\n%s\t1\n%s\t2\n",
    "x.txt": "%s\n%%\n%s",
}


def raw(folder, name, encoding, texts=TEXTS):
    write(folder)
    (folder / name).write_bytes((FILES[name] % tuple(texts)).encode(encoding))
    return folder


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("encoding", "setting"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-8", "auto"),
        ("utf-16", "utf-16"),
        ("utf-16", "auto"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "auto"),
        ("utf-32", "auto"),
        ("latin-1", "latin-1"),
        ("cp1252", "cp1252"),
        ("cp1252", "auto"),
        ("utf-7", "utf-7"),
    ],
)
def test_a_file_is_read_in_its_encoding(tmp_path, name, encoding, setting):
    made = ingest(tmp_path / "w", raw(tmp_path / "raw", name, encoding), encoding=setting, separator="\n%\n")
    assert made.texts == TEXTS
    assert not made.rejects


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_a_refused_file_names_the_setting_that_reads_it(tmp_path, name, encoding):
    folder = raw(tmp_path / "raw", name, encoding)
    (reject,) = ingest(tmp_path / "w", folder).rejects
    setting = reject["reason"].partition('`encoding = "')[2].partition('"')[0]
    assert reject["reason"] == f'{setting}, not UTF-8: set `encoding = "{setting}"` in [input]'
    assert ingest(tmp_path / "again", folder, encoding=setting, separator="\n%\n").texts == TEXTS


@pytest.mark.parametrize("name", FILES)
def test_records_that_are_no_utf8_name_the_setting_too(tmp_path, name):
    made = ingest(tmp_path / "w", raw(tmp_path / "raw", name, "cp1252"), separator="\n%\n")
    assert [reject["reason"].partition(":")[0] for reject in made.rejects] == ["invalid UTF-8"] * 2
    assert all("`encoding` in [input]" in reject["reason"] for reject in made.rejects)
    if name == "x.txt":
        assert [reject["offset"] for reject in made.rejects] == [0, len(TEXTS[0]) + 3]


def test_bytes_that_an_encoding_lacks_reject_their_record_alone(tmp_path):
    data = lines({"text": "a"}) + b'{"text": "\x81"}\n' + lines({"text": "b"})
    made = ingest(tmp_path / "w", write(tmp_path / "raw", x__jsonl=data), encoding="cp1252")
    assert made.texts == ["a", "b"]
    assert made.places == [("x.jsonl", 2, "invalid cp1252")]
    assert made.rejects[0]["offset"] == len(lines({"text": "a"}))
    surrogate = "a\n%\nx".encode("utf-16-le") + b"\x00\xd8" + "y\n%\nb".encode("utf-16-le") + b"\x00"
    made = ingest(tmp_path / "v", write(tmp_path / "t", x__txt=surrogate), encoding="utf-16-le", separator="\n%\n")
    assert made.texts == ["a"]
    assert made.places == [("x.txt", 2, "invalid utf-16-le"), ("x.txt", 3, "invalid utf-16-le")]


def test_utf16_without_a_bom_is_one_reject_that_names_the_setting(tmp_path):
    made = ingest(tmp_path / "w", raw(tmp_path / "raw", "x.txt", "utf-16-be"), encoding="utf-16")
    (reject,) = made.rejects
    assert reject["reason"].startswith("not utf-16: ")
    assert "utf-16-be" in reject["reason"]


def test_a_large_file_in_another_encoding_is_not_cut(tmp_path):
    rows = [{"text": f"ਊ{i}"} for i in range(200)]  # U+0A0A: two bytes that are line breaks in UTF-8
    folder = write(tmp_path / "raw", x__jsonl=lines(*rows).decode().encode("utf-16"))
    made = ingest(tmp_path / "w", folder, encoding="utf-16", work_unit_bytes=500)
    assert made.texts == [row["text"] for row in rows]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Le meunier du château a décidé de fermer à midi, où êtes-vous ?\n", "cp1252"),
        ("Мельник мелет зерно для всей деревни.\n", "cp1251"),
        ("Мельник мелет зерно для всей деревни.\n", "koi8-r"),
        ("粉屋は村全体の穀物を挽いて、自分のものにする。\n", "shift_jis"),
        ("磨坊主为全村磨面，每十袋留一袋给自己。\n", "gb18030"),
        ("Zażółć gęślą jaźń, a piekarz czeka każdego ranka.\n", "iso8859-2"),  # cp1250 has ą and ś elsewhere
        ("Zażółć gęślą jaźń, a piekarz czeka każdego ranka.\n", "cp1250"),
        ("Мельник мелет зерно для всей деревни.\n", "iso8859-5"),
        ("Ο μύλος δίπλα στο ποτάμι αλέθει σιτάρι. Άνοιξη και Ώρα.\n", "iso8859-7"),
        ("plain\n", "utf-8"),
        ("é\n", "utf-8"),
        ("", "utf-8"),
    ],
)
def test_the_guess_gives_the_text(text, encoding):
    data = (text * 20).encode(encoding)
    assert data.decode(guess_encoding(data)) == text * 20


def test_a_few_broken_bytes_leave_a_file_utf8():
    data = "Der Müller\n".encode() * 5 + b"\xff\xfe\n"
    assert guess_encoding(data) == "utf-8"
    assert (
        guess_encoding(b"x" * (HEAD_BYTES - 1) + "ü".encode()[:1]) == "utf-8"
    )  # a character cut at the end of the head
    assert guess_encoding("café".encode("latin-1")) != "utf-8"  # the end of the file
    assert guess_encoding(codecs.BOM_UTF8 + b"x") == "utf-8"


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"encoding": "latin-99"}, 'encoding: expected "auto" or an encoding that Python knows'),
        ({"encoding": "rot13"}, "encoding: expected"),
        ({"encoding": "a\0b"}, "encoding: expected"),
        ({"encoding": "undefined"}, "encoding: expected"),
        ({"delimiter": "||"}, "delimiter: String should match"),
        ({"delimiter": "\n"}, "delimiter: String should match"),
        ({"quote": "''"}, "quote"),
        ({"quote": ",", "delimiter": ","}, "the same character ','"),
    ],
)
def test_impossible_settings_are_one_line(values, complaint):
    with pytest.raises(RecipeError) as error:
        read_settings(InputSettings, values, "r.toml")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("encoding", ["utf-32-le", "utf-32-be"])
def test_four_bytes_a_character_are_told_from_two_in_text_of_two_scripts(encoding):
    assert wide_encoding("мельница на реке and the mill by a river".encode(encoding)) == encoding


def test_a_byte_order_mark_begins_a_file_and_no_record_of_it(tmp_path):
    rows = [b'{"text": "row%d"}\n' % k for k in range(4)]
    rows[2] = codecs.BOM_UTF8 + b'{"text": "2"}\n'  # of the same length
    raw, size, rejects = write(tmp_path / "raw", x__jsonl=b"".join(rows)), len(rows[0]), []
    (file,) = find_files(InputSettings(paths=[str(raw)]))
    unit = (InputSlice(file._replace(block_bytes=size), size, 4 * size, 2),)
    tables = [*read_unit(unit, ReadContext(InputSettings(), rejects.append))]
    assert [row["text"] for each in tables for row in each.to_pylist()] == ["row1", "row3"]
    assert [reject["position"] for reject in rejects] == [3]
