"""Every option and argument of every command with values that it cannot have: one line, never a traceback."""

import json
import math
from pathlib import Path

import click
import pytest
from corpora import documents, write_jsonl

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.cli import group, run
from gristmill.flows.tokenize.train_tokenizer import train_tokenizer
from gristmill.pipelines.storage.files import to_path
from gristmill.tokenizers_lab.train import TokenizerSettings


def commands(group=group, path=()):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield from commands(command, (*path, name)) if isinstance(command, click.Group) else [((*path, name), command)]


COMMANDS = dict(commands())
PARAMETERS = [(path, parameter) for path, command in COMMANDS.items() for parameter in command.params]
RANGES = click.types.IntParamType | click.types.FloatParamType
NUMBERS = [(path, each) for path, each in PARAMETERS if isinstance(each.type, RANGES)]
TEXTS = [(path, each) for path, each in PARAMETERS if isinstance(each.type, click.types.StringParamType)]
ENDLESS = {("serve",), ("demo",), ("explore",), ("pretrain",), ("compare-baselines",), ("impact", "run")}
ENDLESS |= {("tune",), ("mix",), ("worth",)}


def named(pair):
    return f"{' '.join(pair[0])} {pair[1].name}"


@pytest.mark.parametrize("pair", NUMBERS, ids=named)
def test_every_number_has_two_bounds(pair):
    _, parameter = pair
    assert parameter.type.min is not None and parameter.type.max is not None and parameter.type.max < math.inf


@pytest.mark.parametrize("pair", NUMBERS, ids=named)
@pytest.mark.parametrize("value", ["", "nan", "inf", "-inf", "x", "1.5x", str(2**70), "9" * 5_000, "-" + "9" * 5_000])
def test_what_is_no_number_of_the_range_is_one_line(pair, value, capsys):
    path, parameter = pair
    assert complaint(path, with_value(path, parameter, value, Path("nowhere")), capsys)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder of a tiny finished run, its tokenizer, and files that nothing can read."""
    folder = tmp_path_factory.mktemp("tiny")
    write_jsonl(folder / "raw.jsonl", documents(12))
    recipe = parse_recipe({"input": {"paths": [str(folder / "raw.jsonl")]}, "steps": {"c4": {}, "exact": {}}}, "test")
    clean(recipe, to_path(folder / "work"))
    settings = TokenizerSettings(vocab_size=262)
    train_tokenizer([str(folder / "work")], to_path(folder / "tok"), settings)
    (folder / "recipe.toml").write_text("[steps.c4]")
    (folder / "binary").write_bytes(bytes(range(256)) * 8)
    (folder / "json").write_text(json.dumps([[{}]]))
    return folder


def fitting(path, parameter, made):
    """Return a value that the parameter may have, or that ends the command at once."""
    name = parameter.name
    if isinstance(parameter.type, click.Choice):
        return parameter.type.choices[0]
    if isinstance(parameter.type, RANGES):
        return "300"
    known = {"recipe": "recipe.toml", "work": "work", "path": "work/clean", "folder": "tokens", "tokens": "tokens"}
    known |= {"corpus": "raw.jsonl", "corpora": "raw.jsonl", "paths": "raw.jsonl", "tokenizer": "tok"}
    known |= {"tokenizers": "tok", "output": "out", "target": "out"}
    return str(made / known.get(name, name))


def with_value(path, parameter, value, made):
    """Return the arguments of a command with one value, and fitting ones where more are required."""
    options, arguments = [], []
    for each in COMMANDS[path].params:
        if each is parameter or each.required or each.name in ("output", "work", "engine", "workers", "values"):
            given = value if each is parameter else {"engine": "threads", "workers": "1"}.get(each.name)
            given = fitting(path, each, made) if given is None else given
            if isinstance(each, click.Argument):
                arguments.append(given)
            elif not each.is_flag:
                options += [each.opts[0], given]
    return [*path, *options, "--", *arguments]


def complaint(path, arguments, capsys, codes=(2,)):
    code = run(arguments)
    captured = capsys.readouterr()
    assert code in codes, (arguments, captured)
    last = captured.err.strip().splitlines()[-1:]
    assert code != 2 or (last and last[0].startswith("Error: ") and len(last[0]) < 2_000), captured.err
    return last


@pytest.mark.slow
@pytest.mark.parametrize("pair", TEXTS, ids=named)
def test_no_text_is_a_traceback(pair, made, tmp_path, capsys, monkeypatch):
    path, parameter = pair
    empty = tmp_path / "folder"  # of its own: what another command wrote into one may keep the next at work for minutes
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setattr(
        "gristmill.flows.loopback.serve", lambda _, listening: listening.close()
    )  # of a run that another value has made
    place = made / "nowhere" / "x" if path in ENDLESS else made
    files = [made / "binary", made / "json", "/dev/null"]
    works = path in ENDLESS and parameter.name == "output"  # with any other name, for minutes
    for value in files if works else [*files, tmp_path / "nowhere" / "x", empty, "", "\x1b[31m\u202e"]:
        complaint(path, with_value(path, parameter, str(value), place), capsys, (0, 2))
