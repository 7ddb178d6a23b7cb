"""Unigram against the peers: CPU seconds of training and encoding, common pieces, fit on held-out text.

    python -m benchmarks.unigram CORPUS.jsonl.zst … --folder build/unigram [--language ru] [--megabytes 105]
        [--vocab-size 32000] [--coverage 0.9995] [--repeat] [--sides sentencepiece parity ours tokenizers]

Training:

- Each line of a document is a sentence, as in SentencePiece. Every twentieth document is held out.
- All sides use SentencePiece's defaults (nmt_nfkc, dummy prefix, 1,000,000 seed pieces) on one core.
- The time runs from text in memory (for sentencepiece, from a file) to the pieces.
- ``ours`` counts seed pieces over words; ``parity`` uses SentencePiece's seed pieces.
- A peer whose result is in ``--folder`` is not trained again.
- ``--repeat`` repeats the texts up to ``--megabytes``; every 50th word gets other letters, so that new words occur.

Held-out text: bytes per token of the best (Viterbi) segmentation, and log-likelihood over all segmentations in nats per
byte. The pieces' probabilities are normalized to sum to 1; an unknown character scores 10 nats below the least piece.

Encoding: sentencepiece's vocabulary on all sides, normalization included, with a warm cache.
"""

import argparse
import hashlib
import json
import os
import sys
import time
from itertools import count, islice
from pathlib import Path

from benchmarks.harness import BenchmarkError, Side, run

ONE_CORE = {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "POLARS_MAX_THREADS": "1"}
NORMAL = ["nmt_nfkc", "collapse", "prefix", "escape"]
SPECIAL = ["<unk>", "<s>", "</s>"]
SIDES = ("sentencepiece", "parity", "ours", "tokenizers")
ENCODED = 10_000_000  # bytes of text that the timed encoding takes
BATCH = 10_000  # lines


def prepare(folder: str, megabytes: float, language: str, repeat: bool, corpora: list[str]) -> None:
    """Write the training lines and the held-out lines."""
    from benchmarks.bpe_training import another
    from benchmarks.near_duplicates import read

    rows = (row for corpus in corpora for row in read(corpus) if not language or row.get("language") == language)
    texts = {(row.get("text") or row.get("html") or "").encode("utf-8", "replace") for row in rows}
    texts = sorted(texts, key=lambda text: hashlib.sha256(text).digest())
    sizes = {"train": 0, "held": 0}
    with open(f"{folder}/train", "wb") as train, open(f"{folder}/held", "wb") as held:
        texts = texts if len(texts) > 20 else cut(texts)
        for i, text in enumerate(another(text, times) for times in (count() if repeat else (0,)) for text in texts):
            if sizes["train"] >= megabytes * 1e6:
                break
            name, file = ("held", held) if i % 20 == 7 else ("train", train)
            for line in text.replace(b"\0", b" ").replace("▅".encode(), b" ").split(b"\n"):
                if line.strip():
                    file.write(line + b"\n")
                    sizes[name] += len(line) + 1


def cut(texts: list[bytes]) -> list[bytes]:
    """Split a few texts into about a hundred parts of equally many lines."""
    lines = b"\n".join(texts).split(b"\n")
    step = max(1, len(lines) // 100)
    return [b"\n".join(lines[at : at + step]) for at in range(0, len(lines), step)]


def lines_of(path: str) -> list[str]:
    return Path(path).read_bytes().decode().split("\n")[:-1]


def sentencepiece(folder: str, size: int, coverage: float) -> dict:
    from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

    began = time.process_time()
    SentencePieceTrainer.train(
        input=f"{folder}/train", model_prefix=f"{folder}/spm-{size}", vocab_size=size, model_type="unigram",
        character_coverage=coverage, num_threads=1, max_sentence_length=1 << 30, minloglevel=2,
    )  # fmt: skip
    seconds = time.process_time() - began
    model = SentencePieceProcessor(model_file=f"{folder}/spm-{size}.model")
    return {"cpu": seconds, "pieces": {model.id_to_piece(i): model.get_score(i) for i in range(3, len(model))}}


def tokenizers(folder: str, size: int, coverage: float) -> dict:
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    from gristmill.tokenizers_lab.normalize.charsmap import charsmap

    texts, tokenizer = lines_of(f"{folder}/train"), Tokenizer(models.Unigram())
    spaces = [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence([normalizers.Precompiled(charsmap("nmt_nfkc")), *spaces])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)
    began = time.process_time()
    tokenizer.train_from_iterator(texts, trainer)
    seconds = time.process_time() - began
    vocabulary = json.loads(tokenizer.to_str())["model"]["vocab"]
    return {"cpu": seconds, "pieces": {piece: score for piece, score in vocabulary if piece not in SPECIAL}}


def ours(folder: str, size: int, coverage: float, seed_method: str = "words") -> dict:
    from gristmill.pipelines.ragged import Ragged
    from gristmill.tokenizers_lab.count.word_counts import WordCounter, count_words
    from gristmill.tokenizers_lab.train import TokenizerSettings, train

    unigram = {"character_coverage": coverage, "byte_fallback": False, "seed_method": seed_method}
    settings = TokenizerSettings(algorithm="unigram", vocab_size=size, normalizers=NORMAL, unigram=unigram)
    counting, tiny = settings.count_settings(), settings.model_copy(update={"vocab_size": 22})
    small = Ragged.from_strings(["some small text to compile for", "more of this small text"] * 9)
    train(count_words([counting(small)], counting.pretokenizer), tiny)
    counter, seconds = WordCounter(counting.pretokenizer), 0.0
    with open(f"{folder}/train", newline="\n") as file:
        while lines := [line[:-1] for line in islice(file, BATCH)]:
            batch = Ragged.from_strings(lines)
            began = time.process_time()
            counter.add(counting(batch))
            seconds += time.process_time() - began
    began = time.process_time()
    model = train(counter.finish(), settings)
    seconds += time.process_time() - began
    return {"cpu": seconds, "pieces": {model.pieces[id].decode(): float(model.scores[id]) for id in range(3, size)}}


def parity(folder: str, size: int, coverage: float) -> dict:
    return ours(folder, size, coverage, "sentencepiece")


def one_side(name: str, folder: str, size: str, coverage: str) -> None:
    """Train one side in its own process and write its seconds and pieces to a file."""
    result = globals()[name](folder, int(size), float(coverage))
    Path(f"{folder}/{name}-{size}.json").write_text(json.dumps(result))


def held_out(folder: str, pieces: dict[str, float]) -> tuple[float, float]:
    """Return bytes per token and nats per byte of the held-out text."""
    import numpy as np

    from gristmill.pipelines.ragged import Ragged
    from gristmill.tokenizers_lab.count.word_counts import count_words
    from gristmill.tokenizers_lab.normalize.normalizers import normalize
    from gristmill.tokenizers_lab.strings.codepoints import codepoints
    from gristmill.tokenizers_lab.strings.trie import build
    from gristmill.tokenizers_lab.unigram.lattice import best_counts, expected_counts, lattice

    words, counts = count_words(
        [normalize(Ragged.from_strings(lines_of(f"{folder}/held")), tuple(NORMAL))], "metaspace"
    )
    scores = np.array([*pieces.values()])
    scores -= np.log(np.exp(scores).sum())
    scores = np.append(scores, scores.min() - 10)
    net = lattice(words, build(codepoints(Ragged.from_strings([*pieces]))), len(pieces))
    size = int((np.diff(words.offsets) * counts).sum())
    return size / int(best_counts(net, counts, scores).sum()), expected_counts(net, counts, scores)[1] / size


def encode(folder: str, size: int) -> None:
    """Time the encoders with sentencepiece's vocabulary on the same lines and compare their ids."""
    import tokenizers as hf
    from sentencepiece import SentencePieceProcessor

    from gristmill.pipelines.ragged import Ragged
    from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
    from gristmill.tokenizers_lab.formats.sentencepiece import from_sentencepiece
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    data, lines, left = Path(f"{folder}/spm-{size}.model").read_bytes(), [], ENCODED
    for line in lines_of(f"{folder}/train"):
        lines.append(line)
        left -= len(line.encode())
        if left < 0:
            break
    model = from_sentencepiece(data)
    mine, spm, theirs = (
        Tokenizer(model),
        SentencePieceProcessor(model_proto=data),
        hf.Tokenizer.from_str(to_huggingface(model).decode()),
    )
    batches = [Ragged.from_strings(lines[at : at + BATCH]) for at in range(0, len(lines), BATCH)]
    spent = {}
    for name, work, rounds in (
        ("ours", lambda: [mine(batch) for batch in batches], 4),
        ("sentencepiece", lambda: spm.encode(lines, num_threads=1), 1),
        ("tokenizers", lambda: theirs.encode_batch(lines, add_special_tokens=False), 1),
    ):
        for _ in range(rounds):
            began = time.process_time()
            encoded = work()
            spent[name] = min(spent.get(name, 1e9), time.process_time() - began)
        if name == "sentencepiece":
            ids = [
                batch.data[a:b].tolist()
                for batch in map(mine, batches)
                for a, b in zip(batch.offsets[:-1], batch.offsets[1:], strict=True)
            ]
            same = sum(a == b for a, b in zip(ids, encoded, strict=True))
    ratios = ", ".join(
        f"{name} takes {seconds / spent['ours']:.1f} times as long" for name, seconds in spent.items() if name != "ours"
    )
    rate = (ENCODED - left) / 1e6 / spent["ours"]
    print(f"encoding: {rate:.1f} MB per CPU s; {ratios}; ids equal sentencepiece's on {same:,} of {len(lines):,} lines")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--folder", required=True)
    parser.add_argument("--language", default="")
    parser.add_argument("--megabytes", type=float, default=105)
    parser.add_argument("--vocab-size", type=int, default=32_000)
    parser.add_argument("--coverage", type=float, default=0.9995)
    parser.add_argument("--repeat", action="store_true", help="repeat the texts up to --megabytes")
    parser.add_argument("--sides", nargs="*", default=list(SIDES), choices=SIDES)
    args = parser.parse_args()
    os.environ |= ONE_CORE
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "train").exists():  # in a child: this process's memory counts towards every child's peak
        run(_side("prepare", str(folder), args.megabytes, args.language, args.repeat, args.corpora))
    sizes = {name: (folder / name).stat().st_size / 1e6 for name in ("train", "held")}
    print(
        f"{sizes['train']:.1f} MB, {sizes['held']:.2f} held out; {args.vocab_size:,} pieces, coverage {args.coverage}"
    )
    results = {}
    for name in args.sides:
        file = folder / f"{name}-{args.vocab_size}.json"
        if name in ("ours", "parity") or not file.exists():
            try:
                peak = run(_side("one_side", name, str(folder), str(args.vocab_size), str(args.coverage))).peak
            except BenchmarkError as error:
                print(f"  {name:14} {error}")
                continue
            results[name] = json.loads(file.read_text()) | {"peak": peak}
            file.write_text(json.dumps(results[name]))
        results[name] = json.loads(file.read_text())
        report(name, results, str(folder))
    if "sentencepiece" in results:
        encode(str(folder), args.vocab_size)


def _side(name: str, *given) -> Side:
    return Side(command=(sys.executable, "-c", f"from benchmarks.unigram import {name}; {name}(*{given!r})"))


def report(name: str, results: dict, folder: str) -> None:
    its, theirs = results[name], results.get("sentencepiece")
    rate, nats = held_out(folder, its["pieces"])
    line = f"  {name:14} {its['cpu']:8.2f} CPU s {its.get('peak', 0) / 1e6:6,.0f} MB  {rate:.4f} bytes per token"
    line += f"  {nats:.4f} nats per byte"
    if theirs and name != "sentencepiece":
        common = len(its["pieces"].keys() & theirs["pieces"].keys()) / len(theirs["pieces"])
        line += f"  {common:.2%} of sentencepiece's pieces, {theirs['cpu'] / its['cpu']:.1f} times as fast"
    print(line, flush=True)


if __name__ == "__main__":
    main()
