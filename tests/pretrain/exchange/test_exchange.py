"""The same weights give the same logits here and in transformers, both ways."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from upath import UPath

from gristmill.pipelines.errors import InputError, RecipeError, WorkError
from gristmill.pretrain.exchange.checkpoints import export_model, import_model
from gristmill.pretrain.exchange.openai_tf import _fields, read_variables
from gristmill.pretrain.model.config import PRESETS, ModelConfig, RNNConfig
from gristmill.pretrain.model.encoder_decoder import EncoderDecoder
from gristmill.pretrain.model.experts import balance
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.rnn import RNN
from gristmill.pretrain.training.checkpoint import load_model, save_model

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs
IDS = torch.arange(0, 40).reshape(2, 20) * 7 % 101
GOLDEN = Path(__file__).parents[2] / "golden" / "gpt2-tensorflow"
SIZES = {"vocab_size": 101, "bos_token_id": None, "eos_token_id": None}
GPT2 = {**SIZES, "n_positions": 32, "n_embd": 48, "n_layer": 2, "n_head": 4}
LLAMA = {
    **{**SIZES, "max_position_embeddings": 32, "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
    **{"num_key_value_heads": 2, "intermediate_size": 80},
}
BERT = {
    **{"vocab_size": 101, "max_position_embeddings": 32, "hidden_size": 48, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "intermediate_size": 80, "mask_token_id": 4},
}
T5 = {
    **{"vocab_size": 101, "d_model": 64, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "d_kv": 16},
    **{"d_ff": 80, "decoder_start_token_id": 0},
}
HEADS = {"GPT2": "GPT2LMHeadModel", "Bert": "BertForMaskedLM", "T5": "T5ForConditionalGeneration"}
THEIRS = {
    "gpt2": ("GPT2", GPT2),
    "gpt2-erf": ("GPT2", {**GPT2, "activation_function": "gelu", "n_inner": 100}),
    "gpt2-untied": ("GPT2", {**GPT2, "tie_word_embeddings": False}),
    "llama": ("Llama", LLAMA),
    "llama-tied": ("Llama", {**LLAMA, "tie_word_embeddings": True, "rope_theta": 5e5, "rms_norm_eps": 1e-3}),
    "llama-multi-head": ("Llama", {**LLAMA, "num_key_value_heads": 4}),
    "llama-wide-heads": ("Llama", {**LLAMA, "head_dim": 20}),
    "mistral": ("Mistral", {**LLAMA, "sliding_window": 5}),
    "mixtral": ("Mixtral", {**LLAMA, "num_local_experts": 5, "num_experts_per_tok": 2, "sliding_window": 7}),
    "bert": ("Bert", BERT),
    "bert-tanh": ("Bert", {**BERT, "hidden_act": "gelu_new", "layer_norm_eps": 1e-3}),
    "t5": ("T5", T5),
    "t5-1.1": ("T5", {**T5, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
    "t5-silu": ("T5", {**T5, "feed_forward_proj": "gated-silu", "num_decoder_layers": 1}),
    "t5-wide-heads": ("T5", {**T5, "d_kv": 64}),  # as of powers of 4, a factor without rounding
    "t5-1.1-narrow-heads": ("T5", {**T5, "d_kv": 4, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}),
}


@pytest.fixture(params=THEIRS)
def theirs(request):
    """A model of transformers with random weights, of which none is as it begins."""
    family, config = THEIRS[request.param]
    model = getattr(transformers, HEADS.get(family, f"{family}ForCausalLM"))(
        getattr(transformers, f"{family}Config")(**config)
    ).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
        if family == "T5":
            model.shared.weight.mul_(0.5)  # of size 1, else logits are too large for a difference of 1e-4
        if family == "T5" and not model.config.scale_decoder_outputs:  # theirs ties it at first, but reads both
            model.lm_head.weight = torch.nn.Parameter(torch.randn(101, 64) * 0.1)
        if family == "Bert":  # there are no segments here, so types other than 0 do not matter
            model.bert.embeddings.token_type_embeddings.weight[1] = 0
    return model


def difference(theirs, ours):
    with torch.no_grad():
        if isinstance(ours, EncoderDecoder):
            targets, padding = IDS[:, ::2], (IDS < 90).long()
            found, expected = (
                ours.logits(ours.states(IDS, targets, F.pad(padding - 1, (0, targets.shape[1])))),
                theirs(IDS, padding, labels=targets).logits,
            )
        else:
            found, expected = ours.logits(ours.hidden(IDS)), theirs(IDS).logits
    assert expected.abs().max() > 1  # so that equal is not trivial
    return (found - expected).abs().max()


def test_logits_are_equal_after_import_and_after_export(theirs, tmp_path):
    theirs.save_pretrained(tmp_path / "theirs")
    ours = import_model(UPath(tmp_path / "theirs"))
    assert difference(theirs, ours) < 1e-4
    assert export_model(ours, UPath(tmp_path / "ours")) == theirs.config.model_type
    back, info = type(theirs).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(info.values()) and difference(back.eval(), ours) < 1e-4
    merged = ("position_embeddings.weight", "token_type_embeddings.weight")  # type 0 is part of the positions
    for name, tensor in back.state_dict().items():
        assert name.endswith(merged) or torch.equal(tensor, theirs.state_dict()[name]), name


def test_openais_checkpoints_are_read():
    """The golden files were written by TensorFlow 2.21 from a GPT-2 of transformers, whose logits lie beside them."""
    ours = import_model(UPath(GOLDEN))
    with torch.no_grad():
        found = ours.logits(ours.hidden(torch.tensor([[3, 14, 15, 9, 26, 5, 35, 8]])))[0]
    assert (found - torch.tensor(json.loads((GOLDEN / "logits.json").read_text()))).abs().max() < 1e-4


@pytest.mark.parametrize(("name", "words"), [("index", "has no footer of"), ("data-00000-of-00001", "was cut short")])
def test_openais_checkpoints_cut_short_are_one_line(name, words, tmp_path):
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"model.ckpt.{name}"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=words):
        import_model(UPath(tmp_path))


def test_an_index_with_a_damaged_byte_is_read_or_one_line(tmp_path):
    shutil.copytree(GOLDEN, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "model.ckpt.index"
    whole, refused = path.read_bytes(), 0
    for at in range(0, len(whole) - 8, 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            read_variables(UPath(tmp_path))
        except InputError as error:
            refused += "\n" not in str(error)
    assert refused > 20


@pytest.mark.parametrize("name", ["nano", "nano-gpt2", "nano-3m"])
def test_our_presets_are_read_by_transformers(name, tmp_path):
    changes = {"context": 32, "vocab_size": 101} | ({"tie_embeddings": False} if name == "nano-3m" else {})
    ours = GPT(ModelConfig(**{**PRESETS[name], **changes})).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
    export_model(ours, UPath(tmp_path))
    assert difference(transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval(), ours) < 1e-4


@pytest.mark.parametrize("mask_token", [None, 4])
def test_our_bert_is_read_by_transformers(mask_token, tmp_path):
    ours = GPT(ModelConfig(**PRESETS["nano-bert"], context=32, vocab_size=101, mask_token=mask_token)).eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
        export_model(ours, UPath(tmp_path))
        theirs = transformers.BertForMaskedLM.from_pretrained(tmp_path).eval()
        ids = torch.where(IDS % 5 == 0, ours.shape.mask_id, IDS)
        found, expected = ours.logits(ours.hidden(ids)), theirs(ids).logits
    assert (found - expected[..., :101]).abs().max() < 1e-4 and expected.argmax(-1).max() < 101


def test_theirs_balance_loss_is_ours_times_choices_over_layers():
    theirs = transformers.MixtralForCausalLM(transformers.MixtralConfig(**LLAMA, num_local_experts=3)).eval()
    logits = tuple(torch.randn(40, 3) for _ in range(2))
    expected = transformers.models.mixtral.modeling_mixtral.load_balancing_loss_func(logits, 3, 2)
    probs = torch.cat(logits).softmax(-1)
    assert balance(probs, probs.topk(2).indices) * theirs.config.num_experts_per_tok == pytest.approx(expected.item())


def test_files_of_the_hub_without_prefix_and_with_masks_are_read(tmp_path):
    theirs = transformers.GPT2LMHeadModel(transformers.GPT2Config(**GPT2)).eval()
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    save_file(bare | {"h.0.attn.bias": torch.ones(1, 1, 32, 32)}, tmp_path / "model.safetensors")
    ours = import_model(UPath(tmp_path))
    with torch.no_grad():
        assert (ours.logits(ours.hidden(IDS)) - theirs(IDS).logits).abs().max() < 1e-4


def test_weights_in_several_files_are_read(tmp_path):
    theirs = transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA)).eval()
    theirs.save_pretrained(tmp_path, max_shard_size="40KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    ours = import_model(UPath(tmp_path))
    with torch.no_grad():
        assert (ours.logits(ours.hidden(IDS)) - theirs(IDS).logits).abs().max() < 1e-4


@pytest.mark.parametrize(
    "model", [GPT(ModelConfig(vocab_size=70)), RNN(RNNConfig(vocab_size=70, d_model=32))], ids=["gpt", "rnn"]
)
def test_our_own_form_keeps_every_weight(model, tmp_path):
    save_model(UPath(tmp_path), model)
    again = load_model(UPath(tmp_path))
    assert again.shape == model.shape
    for a, b in zip(again.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"position_encoding": "alibi"},
            "no layout of transformers matches this model: position_encoding = 'alibi' is not llama's",
        ),
        ({"qk_norm": True}, "qk_norm = True is not llama's"),
        ({**PRESETS["nano-gpt2"], "mlp": "relu2"}, "mlp = 'relu2' is not gpt2's"),
        ({**PRESETS["nano-gpt2"], "n_kv_heads": 2}, "n_kv_heads = 2 is not gpt2's"),
        ({**PRESETS["nano-bert"], "norm_position": "pre"}, "norm_position = 'pre' is not bert's"),
        ({**PRESETS["nano-gpt2"], "head_width": 8}, "head_width = 8 is not gpt2's"),
        ({"n_experts": 2, "experts_per_token": 1}, "experts_per_token = 1 is not llama's"),
    ],
)
def test_a_shape_that_no_one_reads_is_one_line(changes, words, tmp_path):
    with pytest.raises(RecipeError, match=words):
        export_model(GPT(ModelConfig(**{"vocab_size": 70, **changes})), UPath(tmp_path))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "mamba"}, "has model_type 'mamba'; expected one of gpt2, llama, bert, t5, mistral, mixtral"),
        ({"attention_bias": True}, "unsupported attention_bias: found True, expected False"),
        (
            {"rope_parameters": {"rope_type": "llama3", "rope_theta": 1e4}},
            "unsupported rope_type: found 'llama3', expected 'default'",
        ),
        ({"hidden_size": 96}, "embedding.weight is .* expected"),
        ({"num_hidden_layers": 3}, "the weights lack model.layers.2.input_layernorm.weight"),
    ],
)
def test_weights_that_do_not_fit_are_one_line(changes, words, tmp_path):
    transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA)).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"head_dim": None} | changes
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises((InputError, WorkError), match=words):
        import_model(UPath(tmp_path))


def test_a_folder_without_a_model_and_a_file_cut_short_are_one_line(tmp_path):
    with pytest.raises(InputError, match=r"holds no model: expected model\.json of a run, or config\.json of"):
        import_model(UPath(tmp_path))
    save_model(UPath(tmp_path), GPT(ModelConfig(vocab_size=70)))
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:-9])
    with pytest.raises(WorkError, match=r"model.safetensors is no safetensors file, or was cut short"):
        load_model(UPath(tmp_path))


def test_all_kinds_of_fields_of_a_protocol_buffer_are_read():
    message = b"\x08\x96\x01" + b"\x11" + b"12345678" + b"\x1a\x03abc" + b"\x25" + b"1234" + b"\x28\x07"
    assert [*_fields(message)] == [(1, 150), (2, b"12345678"), (3, b"abc"), (4, b"1234"), (5, 7)]
