"""gristmill pretrain, generate, compare-baselines and export-model on a small folder of token shards."""

import json
import os
import random
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from corpora import paragraph
from token_folders import token_folder

from gristmill.flows.cli import group
from gristmill.flows.models import quantizing
from gristmill.pipelines.errors import GristmillError, RecipeError

SIZES = ("model.d_model=32", "model.n_heads=2", "model.n_layers=1", "model.context=32")
SMALL = tuple(argument for size in SIZES for argument in ("--set", size))


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    rng = random.Random(1)
    texts = ["\n".join(paragraph(rng, rng.randint(5, 25)) for _ in range(6)) for _ in range(60)]
    return token_folder(tmp_path_factory.mktemp("tokens"), texts)


@pytest.fixture(scope="module")
def trained(tokens, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "nano"
    done = call("pretrain", tokens, "--steps", 40, "--output", folder, *SMALL, "--set", "train.lr=0.01", "--json")
    return folder, done


def call(*arguments):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def complaint(*arguments):
    with pytest.raises(GristmillError) as error:
        CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert "\n" not in str(error.value)
    return error.value


def test_pretrain_learns_and_leaves_a_model_a_picture_and_a_log(trained):
    folder, done = trained
    summary = json.loads(done.stdout)
    assert summary["loss"] < 5.0 and 1 < summary["bits_per_byte"] < 4  # ln 300 is 5.7
    assert {"model.safetensors", "model.json", "loss.png", "log.jsonl", "gristmill.json"} <= set(os.listdir(folder))
    assert "step      40 of 40" in done.stderr and "validation" in done.stderr


def test_a_second_call_trains_nothing_and_says_the_same(trained, tokens):
    done = call("pretrain", tokens, "--steps", 40, "--output", trained[0], *SMALL, "--set", "train.lr=0.01")
    assert (
        not done.stderr
        and "40 steps" in done.stdout
        and "tokens cropped" in done.stdout
        and "bits per byte" in done.stdout
    )


def test_generate_goes_on_from_text_and_from_ids(trained):
    greedy = ("--set", "sample.temperature=0", "--set", "sample.max_new_tokens=12")
    text = call("generate", trained[0], "--prompt", "The mill", *greedy).stdout
    assert text.startswith("The mill") and len(text) > 12
    assert call("generate", trained[0], "--prompt", "The mill", *greedy).stdout == text
    ids = json.loads(call("generate", trained[0], "--ids", "0,40,41", "--copies", 2, "--json", *greedy).stdout)
    assert len(ids) == 2 and len(ids[0]) == 12 and ids[0] == ids[1]
    beams = call("generate", trained[0], "--prompt", "The mill", *greedy, "--set", "sample.num_beams=3").stdout
    assert beams.startswith("The mill")


def test_baselines_stand_side_by_side(tokens):
    done = call("compare-baselines", tokens, "--steps", 30, *SMALL, "--set", "train.lr=0.01", "--json")
    rows = {row["model"]: row for row in json.loads(done.stdout)}
    assert list(rows) == ["uniform", "4-gram", "Elman", "LSTM", "GPT"]
    assert len({row["tokens"] for row in rows.values()}) == 1  # they predict the same
    assert all(row["perplexity"] < rows["uniform"]["perplexity"] for name, row in rows.items() if name != "uniform")
    table = call("compare-baselines", tokens, "--steps", 2, *SMALL).stdout
    assert "perplexity  bits per byte" in table and "LSTM" in table


def test_an_exported_model_writes_as_ours_does(trained, tmp_path):
    assert "is a run or a file" in str(complaint("export-model", trained[0], "--output", trained[0]))
    assert "llama" in call("export-model", trained[0], "--output", tmp_path / "llama").stdout
    config = json.loads((tmp_path / "llama" / "config.json").read_text())
    special = {
        token["content"]: token["id"]
        for token in json.loads((tmp_path / "llama" / "tokenizer.json").read_text())["added_tokens"]
    }
    assert config["eos_token_id"] in special.values() and config["bos_token_id"] in special.values()
    asked = ("--prompt", "By the river", "--set", "sample.temperature=0", "--set", "sample.max_new_tokens=9")
    assert call("generate", tmp_path / "llama", *asked).stdout == call("generate", trained[0], *asked).stdout


def test_a_run_may_begin_with_the_weights_of_another(trained, tokens, tmp_path):
    done = call("pretrain", tokens, "--steps", 3, "--init", trained[0], "--output", tmp_path / "more", "--json")
    first = json.loads((tmp_path / "more" / "log.jsonl").read_text().splitlines()[0])
    assert first["loss"] < 5.0 and json.loads(done.stdout)["parameters"]


def test_an_adapter_is_trained_merged_and_exported_alone(trained, tokens, tmp_path):
    lora = ("--method", "lora", "--set", "adapter.rank=2", "--set", 'adapter.targets=["mlp.up", "attention.qkv"]')
    done = call("pretrain", tokens, "--init", trained[0], *lora, "--steps", 5, "--output", tmp_path / "lora")
    assert " of them trained" in done.stdout
    asked = ("--prompt", "By the river", "--set", "sample.temperature=0", "--set", "sample.max_new_tokens=9")
    call("export-model", tmp_path / "lora", "--output", tmp_path / "merged")
    assert call("generate", tmp_path / "merged", *asked).stdout == call("generate", tmp_path / "lora", *asked).stdout
    assert "lora" in call("export-model", tmp_path / "lora", "--output", tmp_path / "peft", "--adapter-only").stdout
    assert {"adapter_config.json", "adapter_model.safetensors"} == set(os.listdir(tmp_path / "peft"))
    call("pretrain", tokens, "--init", trained[0], "--method", "prompt", "--steps", 2, "--output", tmp_path / "prompt")
    assert call("generate", tmp_path / "prompt", *asked).stdout.startswith("By the river")
    assert "export the adapter alone" in str(complaint("export-model", tmp_path / "prompt", "--output", tmp_path / "x"))
    assert "needs a trained model" in str(complaint("pretrain", tokens, *lora, "--output", tmp_path / "y"))


def test_a_quantized_run_is_used_like_any_other(trained, tokens, tmp_path):
    small = call("quantize", trained[0], "--group", 16, "--tokens", tokens, "--output", tmp_path / "small", "--json")
    found = json.loads(small.stdout)
    assert found["after"]["bytes"] < found["before"]["bytes"]
    assert found["after"]["perplexity"] == pytest.approx(found["before"]["perplexity"], rel=0.005)
    assert {"model.json", "quantization.png", "summary.json", "gristmill.json"} <= set(os.listdir(tmp_path / "small"))
    assert call("generate", tmp_path / "small", "--prompt", "The mill").stdout.startswith("The mill")
    assert "layout of its own; export the run" in str(complaint("export-model", tmp_path / "small", "--output", "x"))
    again = ("pretrain", tokens, "--init", tmp_path / "small", "--steps", 1, "--output", tmp_path / "more")
    assert "has no weight to train; add --method prefix" in str(complaint(*again))
    assert "the model is quantized; choose others" in str(complaint(*again, "--method", "lora"))
    call(*again, "--method", "prefix")
    table = call("quantize", trained[0], "--bits", 2, "--output", tmp_path / "tiny").stdout
    assert "before" in table and "4 layers quantized" in table
    assert "quantized already" in str(complaint("quantize", tmp_path / "tiny", "--output", tmp_path / "again"))
    assert "choose another --output" in str(complaint("quantize", trained[0], "--output", trained[0]))
    assert "groups of 7 do not divide" in str(
        complaint("quantize", trained[0], "--group", 7, "--output", tmp_path / "odd")
    )


def test_the_speed_of_a_quantized_run_is_tokens_per_cpu_second(monkeypatch):
    scores = SimpleNamespace(tokens=np.array([10, 20]), perplexity=4.0)
    monkeypatch.setattr(quantizing, "process_time", iter([1.0, 3.0]).__next__)
    monkeypatch.setattr(quantizing, "score_documents", lambda *_: scores)
    model = SimpleNamespace(shape=SimpleNamespace(context=8))
    assert quantizing._scores(model, None) == {"perplexity": 4.0, "tokens_per_second": 15.0}


def test_a_masked_model_is_a_preset_and_fills_masks(trained, tmp_path):
    texts = ["The mill grinds the corn.", "The mill grinds the grain.", "A mill grinds the corn by night."] * 9
    tokens, packing = token_folder(tmp_path, texts, special=("<bos>", "[MASK]")), ("--set", "train.packing=truncate")
    training = ("--steps", 90, "--set", "train.lr=0.01", "--set", "train.mask_probability=0.2", *packing)
    done = call("pretrain", tokens, "--preset", "nano-bert", "--output", tmp_path / "bert", *SMALL, *training)
    assert "validation" in done.stdout and "bits per byte" not in done.stdout
    found = json.loads(call("fill-mask", tmp_path / "bert", "The [MASK] grinds the [MASK].", "--json").stdout)
    assert [len(pieces) for pieces in found] == [5, 5] and found[0][0]["piece"] == " mill"
    assert found[1][0]["piece"] in (" corn", " grain") and 0.5 < found[0][0]["probability"] < 1
    lines = call("fill-mask", tmp_path / "bert", "The [MASK] grinds", "--top", 2).stdout.splitlines()
    assert len(lines) == 2 and lines[0].endswith(" mill")
    shape = json.loads((tmp_path / "bert" / "model.json").read_text())["shape"]
    assert shape["mask_token"] == 1 and shape["mlm_head"]
    exported = call("export-model", tmp_path / "bert", "--output", tmp_path / "theirs")
    assert "bert" in exported.stdout
    again = json.loads(call("fill-mask", tmp_path / "theirs", "The [MASK] grinds the [MASK].", "--json").stdout)
    assert again[0][0]["piece"] == " mill"
    call("quantize", tmp_path / "theirs", "--output", tmp_path / "small")  # with the tokenizer of transformers
    assert " mill" in call("fill-mask", tmp_path / "small", "The [MASK] grinds the [MASK].").stdout
    assert "hides no token" in str(complaint("fill-mask", tmp_path / "bert", "The mill"))
    assert "expected at most 32" in str(complaint("fill-mask", tmp_path / "bert", "The [MASK]" * 40))
    assert "predicts the next token" in str(complaint("fill-mask", trained[0], "The [MASK]"))
    assert "cannot continue text" in str(complaint("generate", tmp_path / "bert", "--prompt", "The"))


def test_an_encoder_decoder_is_a_preset_and_fills_spans(tmp_path):
    texts = ["The mill grinds the corn.", "The mill grinds the grain.", "A mill grinds the corn by night."] * 9
    tokens = token_folder(tmp_path, texts, special=("<bos>", *(f"<extra_id_{i}>" for i in range(5))))
    training = ("--steps", 150, "--set", "train.lr=0.02", "--set", "train.packing=truncate", *SMALL)
    one = ("--set", "model.encoder_layers=1")
    done = call("pretrain", tokens, "--preset", "nano-t5", "--output", tmp_path / "t5", *training, *one)
    assert "validation" in done.stdout and "bits per byte" not in done.stdout
    masked = "The [MASK] grinds the corn."
    ((found,),) = json.loads(call("fill-mask", tmp_path / "t5", masked, "--json").stdout)
    assert found["piece"] == " mill" and found["probability"] > 0.5
    greedy = ("--set", "sample.temperature=0", "--set", "sample.max_new_tokens=4")
    written = call("generate", tmp_path / "t5", "--prompt", "<bos>The<extra_id_0> grinds the corn.", *greedy).stdout
    assert written.startswith("<extra_id_0> mill")
    assert "t5" in call("export-model", tmp_path / "t5", "--output", tmp_path / "theirs").stdout
    ((again,),) = json.loads(call("fill-mask", tmp_path / "theirs", masked, "--json").stdout)
    assert again == {"piece": " mill", "probability": pytest.approx(found["probability"], rel=1e-4)}
    more = ("--init", tmp_path / "theirs", "--set", "train.objective=spans", "--steps", 2)
    assert "validation" in call("pretrain", tokens, *more, "--output", tmp_path / "more").stdout
    call("quantize", tmp_path / "t5", "--output", tmp_path / "small")
    assert " mill" in call("fill-mask", tmp_path / "small", masked).stdout
    assert "gives a text no probability" in str(
        complaint("quantize", tmp_path / "t5", "--tokens", tokens, "--output", tmp_path / "x")
    )
    assert "gives a text no probability" in str(complaint("compare-baselines", tokens, "--preset", "nano-t5"))
    assert "expected 1 to 4" in str(complaint("fill-mask", tmp_path / "t5", "[MASK]" * 5))
    assert "expected at most 32" in str(complaint("fill-mask", tmp_path / "t5", "[MASK]" + "a, b" * 40))
    assert "found a model of kind EncoderDecoder" in str(
        complaint("pretrain", tokens, "--init", tmp_path / "t5", "--method", "lora", "--output", tmp_path / "z")
    )


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        (("--preset", "nanno"), RecipeError, "no preset 'nanno'; did you mean 'nano'?"),
        (("--set", "train.rate=1"), RecipeError, "pretrain: no setting 'train.rate'"),
        (("--set", "modle.width=1"), RecipeError, "cannot set 'modle.width=1': expected TABLE.SETTING=VALUE"),
        (
            ("--set", "adapter.rank=4"),
            RecipeError,
            "adapter.rank has no adapter to change; add --method with one of lora",
        ),
        (("--set", "train.lr=fast"), RecipeError, "lr: Input should be a valid number, found 'fast'"),
        (("--set", "model.context=100000"), RecipeError, "context 100,000 is longer than"),
        (("--set", "machine.device=cuda"), RecipeError, "torch finds no CUDA device"),
        (("--init", "nowhere"), GristmillError, "nowhere holds no model: expected model.json of a run, or config.json"),
        (
            ("--preset", "nano-t5"),
            RecipeError,
            "need the special tokens <extra_id_0> to <extra_id_6>, but the tokenizer",
        ),
    ],
)
def test_a_mistake_is_one_line(tokens, tmp_path, arguments, kind, words):
    error = complaint("pretrain", tokens, "--output", tmp_path / "run", *arguments)
    assert isinstance(error, kind) and words in str(error)


def test_shards_that_are_damaged_or_not_there_are_one_line(tmp_path):
    folder = token_folder(tmp_path, ["some text for a mill to grind"] * 20)
    payload = next(path for path in folder.iterdir() if path.name.startswith("train-") and path.suffix == ".bin")
    data = payload.read_bytes()
    payload.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert f"{payload.name} is damaged: its SHA-256 is" in str(
        complaint("pretrain", folder, "--output", tmp_path / "run")
    )
    payload.write_bytes(data[:-2])
    assert "make the shards again" in str(complaint("pretrain", folder, "--output", tmp_path / "run"))
    assert "holds no token shards" in str(complaint("pretrain", tmp_path / "nowhere", "--output", tmp_path / "run"))


def test_a_damaged_model_is_one_line(trained, tmp_path):
    folder = shutil.copytree(trained[0], tmp_path / "run")
    path = folder / "model.safetensors"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert "model.safetensors is damaged: its SHA-256 is" in str(complaint("generate", folder, "--prompt", "x"))


def test_a_model_of_another_vocabulary_is_one_line(trained, tmp_path):
    folder = token_folder(tmp_path, ["some text for a mill to grind", "and more of it"] * 9, size=260)
    error = complaint("pretrain", folder, "--init", trained[0], "--output", tmp_path / "run")
    assert "expected shards of the same tokenizer" in str(error)


def test_prompts_that_do_not_fit_are_one_line(trained):
    assert "either --prompt TEXT or --ids" in str(complaint("generate", trained[0]))
    assert "expected numbers separated by commas" in str(complaint("generate", trained[0], "--ids", "1,b"))
    assert isinstance(complaint("generate", trained[0], "--ids", "300"), RecipeError)
    (trained[0] / "gristmill.json").rename(trained[0] / "away.json")
    try:
        assert "holds none of gristmill.json, tokenizer.json" in str(complaint("generate", trained[0], "--prompt", "x"))
    finally:
        (trained[0] / "away.json").rename(trained[0] / "gristmill.json")
