"""Recipes to start with: short, commented, and run as they are written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from gristmill.dedup.contamination.eval_sets import find_eval_sets
from gristmill.filters.langid.labels import UNKNOWN, language_of
from gristmill.filters.langid.models import ENSEMBLE, load_model
from gristmill.filters.pii.detect import ON_REQUEST, TYPES
from gristmill.pipelines.errors import RecipeError, nearest, shown
from gristmill.pipelines.ingest.named_columns import check_input
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.settings import NAME, read_settings

COLUMNS = {"text": " # column of texts", "html": " # column of pages: their main text becomes the text"}
ALL, DEFAULT, NONE = "all", "default", "none"  # kinds of personal data
HEAD = """\
# Made by `gristmill init`. `gristmill run {name}.toml` runs it; `gristmill steps` lists all steps and their settings.
name = "{name}"
extends = "clean-corpus" # `gristmill recipes clean-corpus` prints its steps; tables here change their settings
"""
TAIL = """
# [steps.shouty] # a filter of your own, from a file beside this one
# use = "my_filters.py:Shouty"

[tokenizer.bpe] # written to tokenizers/bpe of the work folder
vocab_size = 16384
bpe.allow_smaller = true # a small corpus may give fewer pieces
# [tokenizer.gpt2] # an existing one: tokenizer.json, .tiktoken or SentencePiece's .model
# use = "gpt2/tokenizer.json"

[tokens] # token shards of each tokenizer, in tokens/bpe
validation = 0.01 # share of documents
# [export] # files for other trainers, in export/bpe/nanogpt
# formats = ["nanogpt", "megatron"]
# [pretrain] # a small GPT, in runs/nano
# preset = "nano"
# steps = 500

[report] # report/index.html
"""


def write_starter(
    name: str,
    languages: Sequence[str],
    pii: str,
    against: Sequence[str],
    paths: Sequence[str],
    folder: Path,
    columns: Mapping[str, str] | None = None,
) -> Path:
    """Write ``NAME.toml`` into a folder and return its path.

    ``pii`` is ALL, DEFAULT, NONE, or types separated by commas. Raises RecipeError for an invalid name, language or
    type and for a file that exists; InputError for a path that matches nothing, for a column that its first records
    lack, and for an evaluation set that does not exist.
    """
    name = name.removesuffix(".toml")
    if not NAME.fullmatch(name):
        raise RecipeError(f"a name is 1 to 64 of the letters A-Z and a-z, digits, '_' and '-', found {shown(name)}")
    if paths:
        settings = read_settings(InputSettings, {"paths": [*paths], **(columns or {})}, "--input")
        check_input(settings, str(folder / f"{name}.toml"))
    text = starter(name, languages, pii, against, paths, columns)
    target = folder / f"{name}.toml"
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise RecipeError(f"{target} exists already; remove it or choose another name") from None
    return target


def starter(
    name: str,
    languages: Sequence[str],
    pii: str,
    against: Sequence[str],
    paths: Sequence[str],
    columns: Mapping[str, str] | None = None,
) -> str:
    """Return the text of a recipe."""
    parts = [HEAD.format(name=name)]
    if pii == NONE:
        parts[0] += 'steps.pii = "off" # personal data stays as it is\n'
    named = f"paths = {_list(paths)}" if paths else '# paths = ["crawl/*.jsonl.zst"]'
    parts.append(f"\n[input]\n{named} # files, folders, patterns or URLs; --input replaces them\n")
    parts += [f"{key} = {_string(column)}{COLUMNS[key]}\n" for key, column in (columns or {}).items()]
    if languages:
        known = f"languages = {_list(check_languages(languages))} # all others are removed"
        parts.append(f"\n[steps.language]\n{known}\nmin_probability = 0.3 # of one of them\n")
    if pii not in (NONE, DEFAULT):
        types = f"types = {_list(check_types(pii))} # + adds to the default types"
        parts.append(f"\n[steps.pii] # replaced by a tag\n{types}\n")
    if against:
        find_eval_sets([*against], "test", None)  # raises
        parts.append(f"\n[steps.decontaminate] # documents with their items are removed\nagainst = {_list(against)}\n")
    return "".join([*parts, TAIL])


def check_languages(languages: Sequence[str]) -> list[str]:
    """Return the languages. Raises RecipeError for one that no model knows, naming the nearest."""
    known = load_model(ENSEMBLE).languages - {UNKNOWN}
    for language in languages:
        if language not in known:
            ours = language_of(language)
            near = nearest(language, sorted(known)) if len(language) < 4 else "docs/languages.md lists them"
            hint = f"did you mean {ours!r}?" if ours in known else near
            raise RecipeError(f"no language {shown(language)}, expected ISO 639-1 codes such as en; {hint}")
    return [*languages]


def check_types(pii: str) -> list[str]:
    """Return the types of personal data as a recipe has them. Raises RecipeError for an unknown one."""
    if pii == ALL:
        return [f"+{type}" for type in ON_REQUEST]
    types = [type.strip() for type in pii.split(",")]
    for type in types:
        if type.lstrip("+-") not in (*TYPES, *ON_REQUEST):
            known = [ALL, DEFAULT, NONE, *TYPES, *ON_REQUEST]
            raise RecipeError(f"no type of personal data {shown(type)}; {nearest(type.lstrip('+-'), known)}")
    return types


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_string, values))}]"


def _string(value: str) -> str:
    """Return a string in TOML: as in JSON, except that DEL is escaped."""
    return orjson.dumps(value).decode().replace("\x7f", "\\u007f")
