"""Output of the commands: every character is shown, none is executed, on any terminal and in any encoding."""

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from gristmill.flows import cli as commands
from gristmill.flows.cli.output import render, say, say_json
from gristmill.flows.console import SafeConsole
from gristmill.flows.escape import JOINERS, json_bytes, marked

HOSTILE = "\x1b[31mred \x1b]0;owned\x07 \x9b2J \u202egnp.exe \u2066 \x00 [bold]x[/] :smile: [/nothing]"
SENT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def controls(text):
    return {character for character in text if unicodedata.category(character) in SENT} - {*"\n\t", *JOINERS}


@given(st.text())
def test_a_table_holds_no_controls(text):
    table = Table(box=None)
    table.add_column(text)
    table.add_row(text)
    assert not controls(render(table))


@pytest.mark.parametrize("text", [HOSTILE, "a\r\nb\tc", "\ud800", "\U000e0041\ufeff"])
def test_say_escapes(text, capsys):
    say(text)
    assert not controls(line := capsys.readouterr().out) and line.count("\n") == 1
    say(text, lines=True)
    assert not controls(shown := capsys.readouterr().out) and shown.count("\n") == 1 + text.count("\n")
    say_json({text.replace("\ud800", ""): text.replace("\ud800", "")})
    assert not controls(written := capsys.readouterr().out)
    assert [*json.loads(written).items()] == [(text.replace("\ud800", ""), text.replace("\ud800", ""))]


def test_markup_and_emoji_of_a_console_stay_text(capsys):
    SafeConsole(stderr=True, width=200).print(HOSTILE)
    assert "[bold]x[/] :smile: [/nothing]" in (shown := capsys.readouterr().err) and not controls(shown)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_reads_back(text):
    assert json.loads(json_bytes({text: [text]})) == {text: [text]}
    assert not controls(json_bytes(text).decode())
    assert not controls(str(marked(text)))


@pytest.mark.parametrize("text", ["麦\u3000磨 می\u200cخواهم é\u00a0e", "👩\u200d🌾"])
def test_letters_of_all_scripts_are_not_escaped(text, capsys):
    say(text)
    assert capsys.readouterr().out == text + "\n"


def run(*arguments, **options):
    env = os.environ | options.pop("env", {})
    command = [sys.executable, "-m", "gristmill", *arguments]
    return subprocess.run(
        command, stderr=subprocess.PIPE, stdout=options.pop("stdout", subprocess.PIPE), env=env, **options
    )


@pytest.fixture
def shard(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"id": "麦\u202e", "text": "é字\x1b[31m"}) + "\n")
    return tmp_path / "a.jsonl"


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"COLUMNS": "1", "NO_COLOR": "1", "TERM": "dumb"},
    ],
    ids=str,
)
def test_text_is_printed_in_any_encoding(shard, env):
    assert run("inspect", str(shard), "--rows", "1", env=env).returncode == 0
    made = run("inspect", str(shard), "--json", "--rows", "1", env=env)
    assert made.returncode == 0 and json.loads(made.stdout)["samples"][0]["text"] == "é字\x1b[31m"


def test_output_that_ends_early_is_no_traceback(shard):
    for arguments in (["--help"], ["inspect", str(shard)], ["inspect", str(shard), "--json"]):
        with open("/dev/full", "w") as full:
            done = run(*arguments, stdout=full)
            assert done.returncode == 2
            assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
        reader, writer = os.pipe()
        os.close(reader)
        assert b"Traceback" not in run(*arguments, stdout=writer).stderr
        os.close(writer)


def test_closed_streams_are_no_traceback(shard):
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(
            ["sh", "-c", f"{sys.executable} -m gristmill inspect {shard} {closed}"], capture_output=True
        )
        assert done.returncode == 0 and b"Traceback" not in done.stderr


def test_arguments_that_are_no_text_are_a_mistake():
    done = run("why", "work", b"\xff")
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "Error: argument b'\\xff' is not utf-8; name a file by a pattern; see gristmill --help\n"
    )


def test_controls_in_arguments_and_file_names_are_shown(tmp_path, gristmill):
    for arguments in (["why", "a", "b", "\x1b[31m\u202e"], ["\x1b[31m"], ["--\x1b[31m"], ["clean", "\x1b[31m\nx"]):
        done = gristmill(*arguments)
        assert done.returncode == 2 and not controls(done.stderr) and done.stderr.count("\n") == 1
    (tmp_path / "\x1b[31m\u202e.jsonl").write_text("{}")
    (tmp_path / "\x1b[2J").mkdir()
    for place in (tmp_path / "\x1b[31m\u202e.jsonl", tmp_path / "\x1b[2J", tmp_path):
        done = gristmill("inspect", place)
        assert not controls(done.stderr + done.stdout) and "Traceback" not in done.stderr


def test_an_error_that_quotes_a_document_is_escaped(shard, capsys):
    assert commands.run(["inspect", str(shard), "--where", "cast(text as int) > 3"]) == 2
    assert "\\x1b[31m" in (line := capsys.readouterr().err) and not controls(line) and line.count("\n") == 1


def test_no_command_prints_by_another_way():
    folder = Path(commands.__file__).parent
    texts = {path.stem: path.read_text("utf-8") for path in folder.glob("*.py")}
    assert len(texts) > len(commands.COMMANDS)
    ways = ("click.echo(", " print(", "click.style(", "click.secho(", "sys.stdout.write", "Console(")
    assert {name for name, text in texts.items() if any(way in text for way in ways)} == {"__init__", "output"}
