"""One recipe from raw files to a model: stages in order, each skipped where it is done, the same bytes after a kill."""

import shutil
import tomllib

import polars as pl
import pytest
from corpora import RECIPE, documents, tree, write_jsonl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe, read_recipe
from gristmill.flows.explorer.export import recipe_toml
from gristmill.flows.models.pretraining import PretrainSettings, train_model
from gristmill.flows.project.run import run_recipe
from gristmill.flows.project.sections import read_sections
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import GristmillError, RecipeError, WorkError
from gristmill.pipelines.steps.step import NullProgress
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.tokenizers_lab.formats.model import read_model

SECTIONS = """
extends = "base.toml"
[input]
paths = ["raw.jsonl"]
work_unit_bytes = 30_000
[tokenizer.bpe]
vocab_size = 300
[tokenizer.theirs]
use = "theirs.json"
[tokens]
validation = 0.1
tokens_per_shard = 10_000
[export]
formats = ["nanogpt", "megatron", "litdata"]
documents = ["jsonl.zst"]
[pretrain]
tokenizer = "bpe"
steps = 3
model = { d_model = 16, n_heads = 1, n_layers = 1, context = 16 }
[report]
"""
STAGES = ["clean", "tokenizer bpe", "tokenizer theirs", "tokens bpe", "tokens theirs"]
STAGES += ["export documents", "export bpe", "export theirs", "pretrain", "report"]
MADE = "clean", "removed", "ledger", "tokenizers/bpe", "tokenizers/theirs", "tokens", "export", "report"


def write_tokenizer(path):
    """A byte-level BPE of the library tokenizers: the form of GPT-2's file."""
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer, theirs.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=280, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
    theirs.train_from_iterator([row["text"] for row in documents(30)], trainer)
    theirs.save(str(path))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    write_jsonl(folder / "raw.jsonl", documents(200))
    write_tokenizer(folder / "theirs.json")
    (folder / "base.toml").write_text(RECIPE)
    (folder / "all.toml").write_text(SECTIONS)
    return folder


@pytest.fixture
def here(inputs, tmp_path, monkeypatch):
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("work"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(work):
    """What a run made, without its notes on processes and times."""
    return {name: data for name, data in tree(work, *MADE).items() if not name.endswith("run.json")}


def run(*changes, work="work", recipe="all.toml", progress=None):
    """Run the recipe; return stage -> "done" or "up to date", of the stages that ended."""
    settings, lines = read_recipe(recipe, changes), []
    run_recipe(settings, read_sections(settings, recipe), UPath(work), progress=progress, say=lines.append)
    stages = {name: line for line in lines for name in STAGES if line.startswith(f"{name}  ")}
    return {name: line[len(name) :].split(" in ")[0].strip() for name, line in stages.items()}


@pytest.fixture(scope="module")
def finished(inputs):
    """The work folder of an undisturbed run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(inputs)
        assert run() == dict.fromkeys(STAGES, "done")
        assert run() == dict.fromkeys(STAGES, "up to date")
    return inputs / "work"


def test_every_stage_leaves_what_its_command_leaves(finished):
    assert read_model(UPath(finished / "tokenizers/bpe")).size == 300
    assert read_model(UPath(finished / "tokenizers/theirs")).size == 280
    for name in ("bpe", "theirs"):
        shards = TokenShards(UPath(finished / "tokens" / name))
        shards.check()
        payload = b"".join((finished / f"tokens/{name}/{shard}.bin").read_bytes() for shard in shards.names())
        exported = sorted((finished / f"export/{name}/megatron").glob("*.bin"))
        assert b"".join(path.read_bytes() for path in exported) == payload
        assert (finished / f"export/{name}/nanogpt/val.bin").stat().st_size
        assert (finished / f"export/{name}/litdata/train/index.json").stat().st_size
    exported = pl.concat(map(pl.read_ndjson, sorted((finished / "export/documents/jsonl.zst").glob("*.jsonl.zst"))))
    assert exported["text"].to_list() == pl.read_parquet(finished / "clean/*.parquet")["text"].to_list()
    assert (finished / "runs/nano/model.safetensors").stat().st_size
    page = (finished / "report/index.html").read_text()
    assert "280" in page and "nano" in page


@pytest.mark.parametrize(
    ("change", "done"),
    [
        ("pretrain.steps=4", {"pretrain", "report"}),
        ('export.formats=["nanogpt", "megatron", "litdata", "llmc"]', {"export bpe", "export theirs", "report"}),
        (
            "tokens.seed=5",
            {"tokens bpe", "tokens theirs", "export bpe", "export theirs", "pretrain", "report"},
        ),
        ("tokenizer.bpe.vocab_size=310", {"tokenizer bpe", "tokens bpe", "export bpe", "pretrain", "report"}),
        ("c4.min_sentences=4", {*STAGES} - {"tokenizer theirs"}),
        ("report.output=page.html", {"report"}),
    ],
)
def test_a_changed_section_is_done_again_with_all_that_depends_on_it(finished, here, change, done):
    shutil.copytree(finished, here / "work", dirs_exist_ok=True)
    found = run(change)
    assert {name for name, state in found.items() if state == "done"} == done
    assert run(change) == dict.fromkeys(STAGES, "up to date")
    if change.startswith("tokens.seed"):
        assert run() != dict.fromkeys(STAGES, "up to date")  # and back
        assert made(here / "work") == made(finished)


class Stopping(NullProgress):
    """Progress that stops the run at a job, as Ctrl-C does."""

    def __init__(self, at):
        self.left = at

    def advance(self, job):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("at", [3, 12, 16, 20, 25, 28, 31])
def test_a_stopped_run_goes_on_to_the_same_bytes(finished, here, at):
    progress = Stopping(at)
    with pytest.raises(KeyboardInterrupt):
        run(progress=progress)
    assert run()["report"] == "done"
    assert made(here / "work") == made(finished)


def test_a_model_trained_by_hand_is_not_replaced(finished, here):
    shutil.copytree(finished, here / "work", dirs_exist_ok=True)
    runs = here / "work/runs"
    shutil.rmtree(runs)
    by_hand = PretrainSettings(steps=1, model={"d_model": 16, "n_heads": 1, "n_layers": 1, "context": 16})
    train_model(str(here / "work/tokens/bpe"), str(runs / "nano"), by_hand, lambda line: None)
    model = (runs / "nano/model.safetensors").read_bytes()
    with pytest.raises(WorkError, match=r"runs/nano holds a run with another train.steps; remove or rename it"):
        run()
    assert (runs / "nano/model.safetensors").read_bytes() == model
    (runs / "nano").rename(runs / "mine")
    assert run()["pretrain"] == "done"


def test_a_damaged_page_is_written_again(finished, here):
    shutil.copytree(finished, here / "work", dirs_exist_ok=True)
    (here / "work/report/index.html").write_text("nothing")
    assert run()["report"] == "done"
    assert tree(here / "work", "report") == tree(finished, "report")


def test_an_export_that_was_cut_short_is_written_again(finished, here):
    shutil.copytree(finished, here / "work", dirs_exist_ok=True)
    folder = here / "work/export/bpe/litdata"
    (folder / "manifest.json").unlink()
    (folder / ".progress").mkdir()
    (folder / "train/index.json").unlink()
    assert run()["export bpe"] == "done"
    assert made(here / "work") == made(finished)


def test_the_recipe_that_the_explorer_writes_has_the_same_sections(finished, here):
    recipe = FinishedRun(UPath(finished)).recipe
    written = parse_recipe(tomllib.loads(recipe_toml(recipe, ())), "written")
    assert written == recipe and written.tokens == {"validation": 0.1, "tokens_per_shard": 10_000}
    assert written.report == {} and list(written.tokenizer) == ["bpe", "theirs"]


def test_a_recipe_without_sections_is_cleaned_and_no_more(here):
    settings, lines = read_recipe("base.toml", paths=("raw.jsonl",)), []
    done = run_recipe(settings, read_sections(settings, "base.toml"), UPath("work"), say=lines.append)
    assert [line.split()[0] for line in lines] == ["clean", "clean"] and done.summary["clean"]
    assert not (here / "work/tokenizers").exists() and not (here / "work/report").exists()


def test_another_file_with_the_same_tokenizer_changes_nothing(finished, here):
    shutil.copytree(finished, here / "work", dirs_exist_ok=True)
    theirs = (here / "theirs.json").read_text()
    (here / "theirs.json").write_text(theirs.replace("<|endoftext|>", "<|end|>"))
    with pytest.raises(RecipeError, match=r"\[tokenizer.theirs\]: .* special token for BOS"):
        run()
    (here / "theirs.json").write_text(theirs + "\n")
    assert run() == dict.fromkeys(STAGES, "up to date")


def check(table):
    return read_sections(parse_recipe(table, "mine.toml"), "mine.toml")


BPE = {"bpe": {"vocab_size": 300}}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"tokens": {}}, r"mine.toml: \[tokens\] needs a tokenizer; add a section such as \[tokenizer.bpe\]"),
        ({"export": {"formats": ["mds"]}, "tokenizer": BPE}, r"\[export\] needs token shards; .* \[tokens\]"),
        ({"pretrain": {}, "tokenizer": BPE}, r"\[pretrain\] needs token shards"),
        (
            {"tokenizer": {"vocab_size": 3}},
            r"\[tokenizer\]: expected a table .* \[tokenizer.bpe\], found vocab_size = 3",
        ),
        ({"tokenizer": {"a/b": {}}}, r"\[tokenizer\]: a name is 1 to 64"),
        ({"tokenizer": {"bpe": {"vocab_sizes": 3}}}, r"\[tokenizer.bpe\]: no setting .*; did you mean 'vocab_size'"),
        ({"tokenizer": {"x": {"algorithm": "unigram", "pretokenizer": "gpt2"}}}, r"\[tokenizer.x\]: unigram splits"),
        ({"tokenizer": {"x": {"use": "nowhere.json"}}}, r"\[tokenizer.x\]: nowhere.json is not a file"),
        ({"tokenizer": BPE, "tokens": {"validaton": 0.1}}, r"\[tokens\]: no setting .*; did you mean 'validation'"),
        ({"tokenizer": BPE, "tokens": {}, "export": {"formats": ["nanogtp"]}}, r"\[export\]: formats.*'nanogpt'"),
        ({"tokenizer": BPE, "tokens": {}, "export": {"formats": []}}, r"\[export\]: nothing to export; add formats"),
        (
            {"tokenizer": {"big": {"vocab_size": 70_000}}, "tokens": {}, "export": {"formats": ["nanogpt"]}},
            r"\[export\] of the tokenizer big: nanogpt reads 16-bit ids; the vocabulary of 70,000 needs 32 bits",
        ),
        (
            {"tokenizer": BPE | {"two": {}}, "tokens": {}, "pretrain": {}},
            r"\[pretrain\]: the recipe has several tokenizers; set tokenizer = 'bpe'",
        ),
        (
            {"tokenizer": BPE, "tokens": {}, "pretrain": {"tokenizer": "bbe"}},
            r"\[pretrain\]: no tokenizer 'bbe' in the recipe; did you mean 'bpe'",
        ),
        ({"tokenizer": BPE, "tokens": {}, "pretrain": {"preset": "nan"}}, r"\[pretrain\]: no preset 'nan'; did you"),
        ({"tokenizer": BPE, "tokens": {}, "pretrain": {"train": {"lrr": 1}}}, r"no setting 'train.lrr'; did you mean"),
        ({"report": {"outptu": "x"}}, r"\[report\]: no setting 'outptu'; did you mean 'output'"),
    ],
)
def test_a_mistake_is_found_before_any_work(table, expected):
    with pytest.raises(GristmillError, match=expected) as error:
        check(table)
    assert len(str(error.value).splitlines()) == 1 and str(error.value).startswith("mine.toml")
