"""Targets of tools/fuzz.py: for each loader, how its small valid files are written and how they are used.

``build(folder)`` writes one folder per case; ``use(case)`` opens a case and does with it what commands do.
"""

import struct
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from upath import UPath

from gristmill.pipelines.ragged import Ragged
from tools.fuzz_mutations import Field, find_json

LINES = ("The mill by the river grinds grain.", "Brød og hvede, 字字 été ça 😀!", "  two  spaces\n\nand\tlines", "")
TEXTS = [" ".join([line] * 7)[:200] for line in LINES] + ["a" * 300, *LINES]


class Target(NamedTuple):
    """A loader: writes its valid files, uses a case, and names the numbers that mutants aim at."""

    build: Callable[[Path], None]
    use: Callable[[Path], None]
    fields: Callable[[str, bytes], list[Field]] = lambda name, data: []


def rows() -> Ragged:
    """Return the text that models read."""
    return Ragged.from_strings(TEXTS)


# Token shards, and token files of other trainers


def build_tokens(folder: Path) -> None:
    """Write a folder of token shards."""
    from tests.token_folders import token_folder

    with tempfile.TemporaryDirectory() as scratch:
        token_folder(Path(scratch), [text + str(n) for n in range(4) for text in TEXTS]).rename(folder / "shards")


def use_tokens(case: Path) -> None:
    """Read batches by every packing, trace tokens, decode documents and export the shards."""
    from gristmill.pipelines.tokens.export_formats import FORMATS, export
    from gristmill.pipelines.tokens.shards import TokenShards
    from gristmill.pretrain.data.batches import Loader, TokenSplit
    from gristmill.pretrain.data.packing import PACKINGS
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    shards = TokenShards(UPath(case))
    split = TokenSplit.from_shards(shards, "train")
    for packing in PACKINGS:
        for _ in Loader(split, 16, 4, packing=packing).batches(0, 2):
            pass
    decode = Tokenizer.load(shards.tokenizer).decode
    for shard in map(shards.shard, shards.names()):
        for position in range(0, shard.ids.size, 97):
            shard.trace(position)
        if shard.ends.size:
            decode(Ragged(np.concatenate(([0], shard.ends)), np.array(shard.read(0, shard.ids.size))))
    with tempfile.TemporaryDirectory() as scratch:
        for format in FORMATS:
            export(shards, format, UPath(scratch) / format)


def token_fields(name: str, data: bytes) -> list[Field]:
    """Return the ends of documents, and some ids."""
    width = {".ends": "<Q", ".bin": "<H", ".bytes": "<I", ".ids": "<H"}.get(Path(name).suffix)
    return arrays([("value", 0, len(data) // struct.calcsize(width), width)]) if width else []


def build_foreign(folder: Path) -> None:
    """Write the shards in the formats that can be imported."""
    from gristmill.pipelines.tokens.export_formats import export
    from gristmill.pipelines.tokens.shards import TokenShards

    with tempfile.TemporaryDirectory() as scratch:
        build_tokens(Path(scratch))
        for format in ("llmc", "megatron", "datatrove"):
            export(TokenShards(UPath(scratch) / "shards"), format, UPath(folder / format))


def use_foreign(case: Path) -> None:
    """Import the token files and open the shards."""
    from gristmill.pipelines.steps.step import run_step
    from gristmill.pipelines.tokens.import_formats import import_step
    from gristmill.pipelines.tokens.shards import TokenShards

    files = sorted(case.glob({"datatrove": "*.ds"}.get(case.name, "*.bin")))
    with tempfile.TemporaryDirectory() as scratch:
        run_step(import_step([UPath(file) for file in files], case.name, 300, 0, UPath(scratch) / "tokens"))
        TokenShards(UPath(scratch) / "tokens").check()


def foreign_fields(name: str, data: bytes) -> list[Field]:
    """Return the counts of the headers, and sizes, pointers and ends of documents."""
    if name.endswith(".idx"):
        sequences, documents = struct.unpack_from("<2Q", data, 18)
        parts = [("sizes", 34, sequences, "<i"), ("pointers", 34 + 4 * sequences, sequences, "<q")]
        parts += [("counts", 18, 2, "<Q"), ("version", 9, 1, "<Q"), ("kind", 17, 1, "<B")]
        return arrays([*parts, ("documents", 34 + 12 * sequences, documents, "<q")])
    if name.endswith(".index"):
        return arrays([("ends", 0, len(data) // 8, "<Q")])
    return (
        arrays([("header", 0, 4, "<i"), ("ids", 1024, 3, "<H")]) if name.endswith(".bin") and len(data) > 1030 else []
    )


def arrays(parts: list[tuple[str, int, int, str]]) -> list[Field]:
    """Return the fields of arrays given as name, place, size and struct format: the first three and the last."""
    return [
        Field(f"{name}[{i}]", at + i * struct.calcsize(format), format)
        for name, at, size, format in parts
        for i in sorted({*range(min(size, 4)), *range(max(size - 1, 0), size)})
    ]


# Models of filters


def build_fasttext(folder: Path) -> None:
    """Write a trained classifier, and models as other people publish them: quantized and pruned, with a tree."""
    from gristmill.filters.fasttext.format import write_fasttext
    from gristmill.filters.fasttext.train import FastTextSettings, train
    from tests.reference.fasttext_model import write_model

    settings = FastTextSettings(dim=3, epochs=1, buckets=20, min_n=2, max_n=3)
    trained = train([rows()], np.arange(len(TEXTS)) % 2, ["a", "b"], settings)
    (folder / "trained").mkdir()
    write_fasttext(UPath(folder / "trained" / "model.bin"), *trained)
    for name, loss, quantized in (("softmax", 3, False), ("tree", 1, True)):
        (folder / name).mkdir()
        kind: dict[str, Any] = {"loss": loss, "min_n": 2, "max_n": 4, "word_ngrams": 2, "quantized": quantized}
        write_model(folder / name / "model.bin", seed=1, **kind)


def use_fasttext(case: Path) -> None:
    """Classify documents, and ask for the probability of a label."""
    from gristmill.filters.fasttext.format import read_fasttext
    from gristmill.filters.fasttext.predict import FastTextPredictor

    predictor = FastTextPredictor(read_fasttext(case / "model.bin"))
    predictor.predict(rows())
    predictor.probability(rows(), predictor.labels[0])


def fasttext_fields(name: str, data: bytes) -> list[Field]:
    """Return the header, the counts of labels, the table of kept buckets and the sizes of matrices."""
    counts, (kept,) = struct.unpack_from("<3i", data, 64), struct.unpack_from("<q", data, 84)
    parts, at = [("header", 0, 14, "<i"), ("sizes", 64, 3, "<i"), ("tokens", 76, 2, "<q")], 92
    for _ in range(counts[0]):
        at = data.index(b"\0", at) + 10
        parts.append(("count", at - 9, 1, "<q"))
    if kept > 0:
        parts, at = [*parts, ("kept", at, 2 * kept, "<i")], at + 8 * kept
    quantized = data[at]
    parts += [("flags", at, 2, "<B"), ("matrix", at + 1 + quantized, 2, "<q")]
    at += 17 + quantized
    if quantized:
        (codes,) = struct.unpack_from("<i", data, at)
        parts += [("codes", at, 1, "<i"), ("quantizer", at + 4 + codes, 4, "<i")]
    else:
        wide, tall = struct.unpack_from("<2q", data, at - 16)
        parts.append(("output", at + 4 * wide * tall + 1, 2, "<q"))
    return arrays(parts)[:90]


def ngram_settings(**more: Any):
    """Return the settings of a small n-gram model."""
    from gristmill.filters.ngram.train import NGramSettings

    return NGramSettings(order=3, discount_fallback=[0.5, 1.0, 1.5], **more)


def build_ngram(folder: Path) -> None:
    """Write models of words, exact and quantized, and a model of token ids."""
    from gristmill.filters.core.batch import Batch
    from gristmill.filters.ngram.train import train, train_on_ids

    for name, quantize in (("exact", False), ("quantized", True)):
        train([Batch(rows())], ngram_settings(quantize=quantize)).save(UPath(folder / name / "model"))
    ids = np.array([1, 3, 4, 5, 1, 3, 4, 6, 1, 7, 3, 4, 5, 1, 8, 9], np.uint32)
    train_on_ids([ids], 10, ngram_settings(), "tokens").save(UPath(folder / "ids" / "model"))


def use_ngram(case: Path) -> None:
    """Score documents and write the model as ARPA."""
    import io

    from gristmill.filters.core.batch import Batch
    from gristmill.filters.ngram.document_scores import score_documents
    from gristmill.filters.ngram.formats.arpa import write_arpa
    from gristmill.filters.ngram.model import WORDS, NGram

    model = NGram.open(UPath(case / "model"))
    if model.metadata["units"] == WORDS:
        score_documents(model, Batch(rows()))
    model.score(np.arange(model.vocabulary.size, dtype=np.uint32)[:500])
    write_arpa(model, io.BytesIO(), str(case / "model"))


def ngram_fields(name: str, data: bytes) -> list[Field]:
    """Return the first numbers of each array."""
    layout, start = find_json(data).value["arrays"], data.index(b"\n") + 1  # type: ignore[union-attr]
    return arrays(
        [
            (array, start + at, int(np.prod(shape)), {1: "<B", 4: "<I", 8: "<Q"}[np.dtype(kind).itemsize])
            for array, (kind, shape, at) in layout.items()
        ]
    )


def build_arpa(folder: Path) -> None:
    """Write a model as ARPA."""
    from gristmill.filters.core.batch import Batch
    from gristmill.filters.ngram.formats.arpa import write_arpa
    from gristmill.filters.ngram.train import train

    (folder / "words").mkdir()
    with (folder / "words" / "model.arpa").open("wb") as file:
        write_arpa(train([Batch(Ragged.from_strings(list(LINES[:2])))], ngram_settings()), file)


def use_arpa(case: Path) -> None:
    """Convert the model to ours, and score with it."""
    from gristmill.flows.models.ngram import export

    with tempfile.TemporaryDirectory() as scratch:
        export(str(case / "model.arpa"), f"{scratch}/model")
        use_ngram(Path(scratch))


# Tokenizers

TRAINED: dict[str, dict[str, Any]] = {
    "bpe": {"special_tokens": ["<bos>"], "pretokenizer": "gpt2"},
    "characters": {"bpe": {"alphabet": "characters", "compat": "sentencepiece", "allow_smaller": True}}
    | {"pretokenizer": "metaspace", "normalizers": ["nmt_nfkc", "collapse", "prefix", "escape"]}
    | {"special_tokens": ["<unk>", "<s>", "</s>"], "user_symbols": ["river"], "vocab_size": 330},
    "unigram": {"algorithm": "unigram", "user_symbols": ["mill"], "vocab_size": 310},
    "wordpiece": {"algorithm": "wordpiece", "vocab_size": 80},
    "tiktoken": {"bpe": {"compat": "tiktoken", "allow_smaller": True}, "special_tokens": [], "pretokenizer": "gpt2"},
}


def write_tokenizers(folder: Path, kinds: list[str]) -> None:
    """Train tokenizers on the lines."""
    from gristmill.pipelines.settings import read_settings
    from gristmill.tokenizers_lab.count.word_counts import count_words
    from gristmill.tokenizers_lab.formats.model import write_model
    from gristmill.tokenizers_lab.train import TokenizerSettings, train

    for kind in kinds:
        given = {"vocab_size": 300, "bpe": {"allow_smaller": True}} | TRAINED[kind]
        settings = read_settings(TokenizerSettings, given, kind)
        counting = settings.count_settings()
        write_model(train(count_words([counting(rows())], counting.pretokenizer), settings), UPath(folder / kind))


def use_tokenizer(case: Path) -> None:
    """Encode, decode and sample with a tokenizer, and write it in every format."""
    from gristmill.tokenizers_lab.formats.model import read_model

    use_model(read_model(UPath(case)))


def use_model(model: Any) -> None:
    """Encode, decode, sample and export."""
    from gristmill.pipelines.errors import RecipeError
    from gristmill.tokenizers_lab.tokenizer import Tokenizer
    from gristmill.tokenizers_lab.verify_export import WRITERS

    tokenizer, numbers = Tokenizer(model), np.arange(len(TEXTS))
    ids = tokenizer(rows())
    tokenizer.decode(ids)
    tokenizer.offsets(ids)
    tokenizer.encode(TEXTS[0], "all")
    samples: list[Callable[[], Any]] = [
        lambda: tokenizer.encode_dropout(rows(), 0.3, 1, numbers),
        lambda: tokenizer.encode_sample(rows(), 0.5, 1, numbers),
        lambda: tokenizer.encode_nbest(TEXTS[0][:40], 3),
        lambda: tokenizer.entropy(rows()),
        *(partial(write, model) for write in WRITERS.values()),
    ]
    for sample in samples:
        with suppress(RecipeError):  # another algorithm's
            sample()


def build_exports(kinds: dict[str, str], format: str, folder: Path) -> None:
    """Write tokenizers in another library's format; ``kinds`` maps each to its file."""
    from gristmill.tokenizers_lab.formats.model import read_model
    from gristmill.tokenizers_lab.verify_export import WRITERS

    with tempfile.TemporaryDirectory() as scratch:
        write_tokenizers(Path(scratch), [*kinds])
        for kind, name in kinds.items():
            (folder / kind).mkdir()
            (folder / kind / name).write_bytes(WRITERS[format](read_model(UPath(scratch) / kind)))


def use_import(case: Path) -> None:
    """Import a tokenizer, and use it."""
    from gristmill.tokenizers_lab.import_tokenizer import import_tokenizer

    (file,) = case.iterdir()
    with tempfile.TemporaryDirectory() as scratch:
        use_model(import_tokenizer(str(file), scratch, "gpt2" if file.suffix == ".tiktoken" else None, []).model)


def protobuf_fields(name: str, data: bytes) -> list[Field]:
    """Return keys and sizes of the first and last messages, a byte each, and the scores of pieces."""
    at, parts = 0, []
    while at < len(data) and data[at + 1] < 128:
        parts.append(("message", at, 2, "<B"))
        parts += [("piece", at + 2, 2, "<B"), ("score", at + data[at + 3] + 5, 1, "<I")]
        at += 2 + data[at + 1]
    return arrays(parts[:9] + parts[-9:])


# Runs, models of other libraries, and indices


def build_runs(folder: Path) -> None:
    """Write a finished model and a checkpoint."""
    from gristmill.pretrain.training.checkpoint import save_checkpoint, save_model

    trainer = make_trainer()
    save_model(UPath(folder / "run"), trainer.model)
    save_checkpoint(UPath(folder / "run" / "checkpoints"), 1, trainer.model, trainer.optimizers, {"step": 1}, 1)


def make_trainer() -> Any:
    """Return a trainer after one step."""
    import torch

    from gristmill.pretrain.data.batches import Loader
    from gristmill.pretrain.model.config import ModelConfig
    from gristmill.pretrain.model.devices import Machine, ProcessGroup
    from gristmill.pretrain.model.gpt import GPT
    from gristmill.pretrain.training.trainer import Trainer, TrainSettings
    from tests.token_folders import make_tokens

    torch.set_num_threads(1)
    shape = ModelConfig(vocab_size=50, context=8, n_layers=1, d_model=8, n_heads=2)
    training = TrainSettings(steps=4, batch_size=2, warmup=1, lr=1e-2, optimizer="adamw")
    trainer = Trainer(GPT(shape), training, Machine(device="cpu"), ProcessGroup(0, 1))
    trainer.step(0, Loader(make_tokens([30] * 4), 8, 2).load(0))
    return trainer


def use_run(case: Path) -> None:
    """Load the model, predict with it, and resume from the checkpoint."""
    import torch

    from gristmill.pretrain.data.batches import Loader
    from gristmill.pretrain.training.checkpoint import checkpoints, load_checkpoint, load_model
    from tests.token_folders import make_tokens

    model = load_model(UPath(case))
    with torch.no_grad():
        model.logits(model.hidden(torch.zeros((1, min(4, model.shape.context)), dtype=torch.long)))
    trainer = make_trainer()
    for path in checkpoints(UPath(case / "checkpoints")):
        load_checkpoint(path, trainer.model, trainer.optimizers)
        trainer.step(1, Loader(make_tokens([30] * 4), 8, 2).load(1))


def build_exchange(folder: Path) -> None:
    """Write models as transformers does, and copy a checkpoint of OpenAI's."""
    import shutil

    from gristmill.pretrain.exchange.checkpoints import export_model
    from gristmill.pretrain.model.config import ModelConfig, preset
    from gristmill.pretrain.model.gpt import GPT

    for name, kind in (("gpt2", "nano-gpt2"), ("llama", "nano")):
        shape = preset(kind, 50, context=8, n_layers=1, d_model=8, n_heads=2)
        export_model(GPT(ModelConfig(**shape)), UPath(folder / name))
    golden = Path(__file__).parents[1] / "tests" / "golden" / "gpt2-tensorflow"
    shutil.copytree(golden, folder / "openai", ignore=shutil.ignore_patterns("logits.json"))


def use_exchange(case: Path) -> None:
    """Import the model, and predict with it."""
    import torch

    from gristmill.pretrain.exchange.checkpoints import import_model

    model = import_model(UPath(case))
    with torch.no_grad():
        model.logits(model.hidden(torch.zeros((1, min(4, model.shape.context)), dtype=torch.long)))


def safetensors_fields(name: str, data: bytes) -> list[Field]:
    """Return the size of the header."""
    return [Field("header", 0, "<Q")] if name.endswith(".safetensors") else []


def build_index(folder: Path) -> None:
    """Write an index of documents for exact and near duplicates."""
    from gristmill.flows.clean.dedup_index import save_index
    from gristmill.flows.clean.recipe import Recipe

    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "texts.jsonl").write_bytes(b"\n".join(orjson.dumps({"text": text * 4}) for text in TEXTS))
        recipe = Recipe().model_copy(update={"steps": index_steps([])})
        save_index(recipe, [scratch], UPath(folder / "index"))


def index_steps(against: list[str]) -> dict[str, Any]:
    """Return the steps that an index serves."""
    from gristmill.dedup.exact.exact import Exact
    from gristmill.dedup.near.near_duplicates import NearDuplicates

    return {"exact": Exact(against=against), "near": NearDuplicates(against=against, num_perm=16, threshold=0.5)}


@cache
def documents() -> Path:
    """Return the folder of documents and measures that are compared with an index, made once per process."""
    folder = Path(tempfile.mkdtemp(prefix="gristmill-fuzz-"))
    build_index(folder)
    return folder / "index"


def use_index(case: Path) -> None:
    """Look for duplicates of documents in the index."""
    from gristmill.dedup.exact.exact import find_duplicates
    from gristmill.dedup.index import measures_in
    from gristmill.dedup.near.near_duplicates import find_near_duplicates
    from gristmill.pipelines.steps.corpus import Corpus
    from gristmill.pipelines.storage.manifest import Manifest

    for name, step in index_steps([str(case)]).items():
        own, measures = UPath(documents() / "documents"), measures_in(UPath(documents()), step.NAME)
        parts = [*Manifest.read(measures).parts]  # type: ignore[union-attr]
        corpus = Corpus(own, measures, parts, lambda _, count: np.ones(count, np.bool_)).with_indices(step.indices())
        if name == "near":
            find_near_duplicates(step, corpus, documents() / "scratch")
        else:
            find_duplicates(step, corpus)


HF, SP = {"bpe": "tokenizer.json"}, {"unigram": "unigram.model", "characters": "bpe.model"}
TARGETS = {
    "tokens": Target(build_tokens, use_tokens, token_fields),
    "foreign": Target(build_foreign, use_foreign, foreign_fields),
    "fasttext": Target(build_fasttext, use_fasttext, fasttext_fields),
    "ngram": Target(build_ngram, use_ngram, ngram_fields),
    "arpa": Target(build_arpa, use_arpa),
    "tokenizer": Target(partial(write_tokenizers, kinds=[*TRAINED]), use_tokenizer),
    "huggingface": Target(partial(build_exports, HF, "hf"), use_import),
    "sentencepiece": Target(partial(build_exports, SP, "sentencepiece"), use_import, protobuf_fields),
    "tiktoken": Target(partial(build_exports, {"tiktoken": "ranks.tiktoken"}, "tiktoken"), use_import),
    "runs": Target(build_runs, use_run, safetensors_fields),
    "exchange": Target(build_exchange, use_exchange, safetensors_fields),
    "index": Target(build_index, use_index),
}
