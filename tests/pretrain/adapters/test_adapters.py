"""Adapters begin as the model, train alone, survive their run, and answer as PEFT's do."""

import json

import pytest
import torch
from token_folders import make_tokens
from torch.nn import functional as F
from upath import UPath

from gristmill.pipelines.errors import RecipeError
from gristmill.pretrain.adapters.attach import AdapterSettings, attach
from gristmill.pretrain.adapters.lora import LoRALinear, merge_lora
from gristmill.pretrain.data.packing import IGNORE_INDEX
from gristmill.pretrain.evaluation.generate import Sampling, generate
from gristmill.pretrain.exchange.checkpoints import export_model
from gristmill.pretrain.exchange.peft import export_adapter
from gristmill.pretrain.model.config import GPT2, ModelConfig
from gristmill.pretrain.model.devices import Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.checkpoint import load_model
from gristmill.pretrain.training.optim import make_optimizers
from gristmill.pretrain.training.run import CheckpointSettings, pretrain
from gristmill.pretrain.training.trainer import TrainSettings

SIZES = {"vocab_size": 50, "context": 24, "n_layers": 2, "d_model": 16, "n_heads": 2}
SHAPES = {"llama": {"n_kv_heads": 1}, "gpt2": GPT2, "alibi": {"position_encoding": "alibi", "tie_embeddings": False}}
SHAPES["wide heads"] = {"head_width": 12}
METHODS = ["lora", "bottleneck", "prefix", "prompt", "p-tuning-v2"]
ALL = ["attention.qkv", "attention.out", "mlp.up", "mlp.down"]
SMALL = {"rank": 3, "width": 4, "tokens": 5, "hidden": 8}
IDS = torch.arange(24).reshape(2, 12) * 7 % 50
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs


def gpt(kind="llama", **changes):
    model = GPT(ModelConfig(**{**SIZES, **SHAPES[kind], **changes}))
    return scatter(model)


def scatter(model):
    """Move every trained weight, so that nothing is equal because it is 0."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model.eval()


def adapted(method, kind="llama", scattered=True, **changes):
    model = gpt(kind)
    attach(model, AdapterSettings(method=method, **{**SMALL, **changes}))
    return scatter(model) if scattered else model.eval()


def logits(model, ids=IDS):
    with torch.no_grad():
        return model.logits(model.hidden(ids))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("method", ["lora", "bottleneck"])
def test_an_adapter_begins_as_the_model(method, kind):
    assert torch.equal(logits(adapted(method, kind, scattered=False, targets=ALL)), logits(gpt(kind)))


@pytest.mark.parametrize("method", METHODS)
def test_only_the_adapter_has_gradients_and_its_size_is_that_of_the_formula(method):
    model = adapted(method)
    frozen = {name for name, _ in gpt().named_parameters()}
    model(IDS, IDS).backward()
    trained = {name: each for name, each in model.named_parameters() if each.grad is not None}
    assert trained and not trained.keys() & frozen
    assert all(each.requires_grad and each.grad.abs().sum() > 0 for each in trained.values())
    layers, width, heads = 2, 16, 8  # of the one key head
    expected = {
        "lora": layers * 3 * (width + width + 2 * heads),
        "bottleneck": layers * 2 * (4 * width + 4 + width * 4 + width),
        "prefix": 5 * width + (width + 1) * 8 + (8 + 1) * 2 * layers * heads,
        "prompt": 5 * width,
        "p-tuning-v2": 5 * 2 * layers * heads,
    }
    assert sum(each.numel() for each in trained.values()) == expected[method]


@pytest.mark.parametrize("kind", SHAPES)
def test_lora_is_its_formula_merged_and_unmerged(kind):
    model = adapted("lora", kind, targets=ALL, alpha=6.0)
    before = logits(model)
    layer, x = model.get_submodule("blocks.1.mlp.up"), torch.randn(4, 16)
    assert isinstance(layer, LoRALinear)
    expected = F.linear(x, layer.weight + 6.0 / 3 * layer.lora_B @ layer.lora_A, layer.bias)
    assert (layer(x) - expected).abs().max() < 1e-5
    weight = layer.weight.clone()
    for _ in range(2):  # a second merge changes nothing
        merge_lora(model)
    assert (logits(model) - before).abs().max() < 1e-5 and not torch.equal(layer.weight, weight)
    merge_lora(model, False)
    assert (logits(model) - before).abs().max() < 1e-5 and (layer.weight - weight).abs().max() < 1e-6


def test_a_bottleneck_is_its_formula():
    layer, x = adapted("bottleneck", "gpt2").get_submodule("blocks.0.mlp.down"), torch.randn(4, 64)
    y = F.linear(x, layer.weight, layer.bias)
    assert torch.allclose(layer(x), y + layer.adapter_up(F.gelu(layer.adapter_down(y))))


@pytest.mark.parametrize("kind", SHAPES)
def test_a_prompt_is_like_tokens_of_the_same_embedding(kind):
    """A prompt made of the embeddings of real tokens gives the logits behind these tokens."""
    model = adapted("prompt", kind)
    real = torch.tensor([3, 1, 4, 1, 5])
    with torch.no_grad():
        model.prefix.embedding.weight.copy_(model.embedding.weight[real])
    found, model.prefix = logits(model), None
    expected = logits(model, torch.cat((real.expand(2, -1), IDS), 1))[:, 5:]
    assert (found - expected).abs().max() < 1e-5


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("method", ["prefix", "prompt", "p-tuning-v2"])
def test_generation_sees_the_virtual_tokens(method, kind):
    """The cache of generation, filled once, gives what a pass over the whole row gives; the context ends in time."""
    model = adapted(method, kind)
    ids = [2, 3, 5]
    written = generate(model, ids, Sampling(max_new_tokens=12, temperature=0.0))[0]
    for token in written:
        assert token == logits(model, torch.tensor([ids]))[0, -1].argmax()
        ids.append(token)
    assert model.shape.context == 19 and len(generate(model, [2], Sampling(max_new_tokens=30))[0]) == 30


@pytest.mark.parametrize("method", ["prefix", "prompt"])
def test_documents_of_a_row_all_see_the_virtual_tokens(method):
    model = adapted(method)
    documents = torch.tensor([[0] * 5 + [1] * 7])
    with torch.no_grad():
        together = model.logits(model.hidden(IDS[:1], documents))
    apart = logits(model, IDS[:1, 5:])
    assert (together[:, 5:] - apart).abs().max() < 1e-5


@pytest.mark.parametrize("method", METHODS)
def test_a_run_trains_the_adapter_resumes_and_opens_again(method, tmp_path):
    tokens, training = make_tokens([40] * 20, rule=True), TrainSettings(steps=12, batch_size=4, optimizer="adamw")
    training = training.model_copy(update={"warmup": 2, "lr": 2e-2})

    def run(folder, kill=None):
        def on_log(line):
            if line["step"] == kill:
                raise KeyboardInterrupt

        model = adapted(method, scattered=False)
        saving = CheckpointSettings(checkpoint_every=5, log_every=1)
        return model, pretrain(tokens, tokens, model, training, UPath(folder), Machine(), saving, on_log)

    _, summary = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", kill=8)
    model, again = run(tmp_path / "killed")
    assert again == summary and summary["trained_parameters"] < summary["parameters"]
    base = gpt().state_dict()
    assert all(torch.equal(base[name], tensor) for name, tensor in model.state_dict().items() if name in base)
    for folder in ("whole", "killed"):
        opened = load_model(UPath(tmp_path / folder))
        assert torch.equal(logits(opened), logits(model.eval())) and opened.shape == model.shape


@pytest.mark.parametrize("method", METHODS)
def test_an_adapter_learns_a_batch(method):
    model = adapted(method, scattered=False)
    (optimizer,) = make_optimizers(model, "adamw", 3e-2, 0.0, (0.9, 0.95)).values()
    losses = []
    for _ in range(30):
        loss = model(IDS[:, :-1], IDS[:, 1:])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.97 * losses[0]


@pytest.mark.parametrize(
    ("settings", "changes", "words"),
    [
        ({"method": "prefix", "tokens": 24}, {}, "leaves no room in the context of 24"),
        ({"method": "prompt"}, {"causal": False}, "needs a causal model"),
    ],
)
def test_an_adapter_that_does_not_fit_is_one_line(settings, changes, words):
    with pytest.raises(RecipeError, match=words):
        attach(gpt(**changes), AdapterSettings(**settings))


def test_a_second_adapter_is_one_line():
    with pytest.raises(RecipeError, match="has an adapter already"):
        attach(adapted("lora"), AdapterSettings(method="lora"))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "wide heads"])
@pytest.mark.parametrize("method", ["lora", "prefix", "prompt", "p-tuning-v2"])
def test_peft_gives_the_same_logits(method, kind, tmp_path):
    peft = pytest.importorskip("peft", reason="pip install peft")
    transformers = pytest.importorskip("transformers")
    export_model(gpt(kind), UPath(tmp_path / "base"))
    model = adapted(method, kind, targets=ALL)
    export_adapter(model, UPath(tmp_path / "adapter"))
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    theirs = peft.PeftModel.from_pretrained(base, tmp_path / "adapter").eval()
    with torch.no_grad():
        found = theirs(IDS, attention_mask=torch.ones_like(IDS)).logits
    expected = logits(model)
    assert (logits(gpt(kind)) - expected).abs().max() > 0.02  # the adapter changes the answer
    assert (found[:, -12:] - expected).abs().max() < 1e-4


def test_an_exported_lora_is_split_as_transformers_splits_layers(tmp_path):
    from safetensors.torch import load_file

    model = adapted("lora", "llama", targets=ALL)
    assert export_adapter(model, UPath(tmp_path)) == "lora"
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["r"] == 3 and config["target_modules"] == sorted(config["target_modules"])
    assert set(config["target_modules"]) == {f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")}
    tensors = load_file(tmp_path / "adapter_model.safetensors")
    parts = [tensors[f"base_model.model.model.layers.1.self_attn.{name}_proj.lora_B.weight"] for name in "qkv"]
    assert torch.equal(torch.cat(parts), model.get_parameter("blocks.1.attention.qkv.lora_B"))


def test_a_bottleneck_is_exported_alone(tmp_path):
    from safetensors.torch import load_file

    assert export_adapter(adapted("bottleneck"), UPath(tmp_path)) == "bottleneck"
    assert all("adapter_" in name for name in load_file(tmp_path / "adapter_model.safetensors"))
    with pytest.raises(RecipeError, match="has no adapter"):
        export_adapter(gpt(), UPath(tmp_path))


def test_targets_that_count_nothing_train_nothing():
    """Padding has no loss: gradients of a batch without targets are 0."""
    model = adapted("lora")
    model(IDS, torch.full_like(IDS, IGNORE_INDEX)).backward()
    assert all(each.grad.abs().sum() == 0 for each in model.parameters() if each.grad is not None)
