"""Rows of the comparison table. This module imports nothing large, for the reason given in `harness.run`."""

from pathlib import Path

from benchmarks.harness import BenchmarkError, Row
from benchmarks.sides import (
    CACHE,
    HERE,
    arpa,
    bad_words,
    command,
    english,
    evaluation,
    gristmill,
    imported,
    language_model,
    messy,
    mixed,
    ours,
    pages,
    theirs,
    tokenizer,
    unigram,
)

RECIPE = HERE.parent / "recipes" / "clean-corpus.toml"
# FineWeb's whole chain: its filters, MinHash with 14 bands of 8 rows, e-mail and IP addresses replaced.
FINEWEB = """\
extends = "fineweb"
words = "{words}"

[steps.near_duplicates]
num_perm = 112

[steps.pii]
types = ["email", "ip"]
"""


def rows(words: list[str]) -> list[Row]:
    """Return the rows whose names contain one of the words, or all rows for "all", and prepare their inputs.

    A word that is a row's name selects that row alone. Raise BenchmarkError if no row matches.
    """
    found = [make() for name, make in ROWS.items() if any(_selects(word, name) for word in words)]
    if not found:
        raise BenchmarkError(f"no row name contains {' or '.join(words)}; there are: {', '.join(ROWS)}")
    return found


def _selects(word: str, name: str) -> bool:
    return word in ("all", name) or (word not in ROWS and word in name)


def fineweb(name: str, words: str, megabytes: int) -> Row:
    recipe, source, peer = CACHE / f"fineweb-{words}.toml", mixed(megabytes), mixed(12)
    recipe.write_text(FINEWEB.format(words=words))
    own = gristmill("clean", recipe, "--input", source, source=source, work="work-fineweb")
    return Row(name=name, ours=own, peers={DATATROVE: command("datatrove_fineweb", peer, language_model())})


def near(name: str, megabytes: int) -> Row:
    source, few = mixed(megabytes), mixed(12)
    peers = {
        DATATROVE: command("datatrove_near", few),
        "text-dedup 0.4.0": command("text_dedup_near", few, environment="text-dedup"),
        "rensa 0.5.0, unverified": command("rensa_near", source),
        "datasketch 2.0.0, unverified": command("datasketch_near", few),
    }
    return Row(name=name, ours=gristmill("dedup", source, source=source, work="work-near"), peers=peers)


def default_recipe(name: str, megabytes: int) -> Row:
    source, few = mixed(megabytes), mixed(4)
    own = gristmill("clean", RECIPE, "--input", source, source=source, work="work-clean")
    peers = {"Data-Juicer 1.6.1, nearest": command("juicer_clean", few, environment="juicer")}
    return Row(name=name, ours=own, peers=peers)


def decontamination() -> Row:
    source, few, against = mixed(68), mixed(12), evaluation()
    own = gristmill(
        *("decontaminate", source, "--against", against, "--set", "decontaminate.question=labels.question"),
        *("--set", "decontaminate.answer=labels.answer"),
        source=source,
        work="work-decontaminate",
    )
    return Row(
        name="decontamination",
        ours=own,
        peers={DATATROVE: command("datatrove_decontaminate", few, against)},
    )


def personal_data() -> Row:
    source = mixed(68)
    own = gristmill("pii", "redact", source, source=source, work="work-pii")
    peers = {
        "datatrove 0.10.1, e-mail and IP": command("datatrove_pii", mixed(12)),
        "presidio 2.2.366, patterns": command("presidio_pii", mixed(0.4)),
    }
    return Row(name="personal data replaced", ours=own, peers=peers)


def extraction() -> Row:
    source, recipe = pages(24), CACHE / "pages.toml"
    recipe.write_text(f'[[input]]\npaths = ["{source}"]\nhtml = "html"\n')
    own = gristmill("ingest", recipe, source=source, work="work-pages")
    return Row(
        name="text of HTML pages", ours=own, peers={"trafilatura 2.3.1": command("trafilatura_extract", pages(24))}
    )


def tokenize() -> Row:
    source, file = english(40), tokenizer("hf")
    own = gristmill("tokenize", source, "--tokenizer", tokenizer("folder"), source=source, work="work-tokens")
    peers = {
        DATATROVE: command("datatrove_tokenize", english(12), file),
        "Megatron 0.16.1's writer, tokenizers": command("megatron_tokenize", english(12), file),
    }
    return Row(name="text to token shards", ours=own, peers=peers)


def training(name: str, source: Path, options: tuple[str, ...], peers: dict[str, str]) -> Row:
    own = gristmill("tokenizer", "train", source, *options, source=source, work="work-tokenizer")
    return Row(name=name, ours=own, peers={peer: command(job, source) for peer, job in peers.items()})


def bpe_training(name: str, source: Path) -> Row:
    peers = {
        "tokenizers 0.23.3": "tokenizers_bpe",
        "gigatoken 0.10.0": "gigatoken_bpe",
        "gigabpe 0.1.0": "gigabpe_bpe",
        "rustbpe 0.1.0": "rustbpe_bpe",
        "sentencepiece 0.2.3": "sentencepiece_bpe",
    }
    return training(name, source, ("--pretokenizer", "gpt2"), peers)


def unigram_training() -> Row:
    options = ("--algorithm", "unigram", *(f"--normalizer={n}" for n in ("nmt_nfkc", "collapse", "prefix", "escape")))
    return training("Unigram training", english(12), options, {"sentencepiece 0.2.3": "sentencepiece_unigram"})


def wordpiece_training() -> Row:
    options = ("--algorithm", "wordpiece", "--vocab-size", "30000")
    return training("WordPiece training", english(40), options, {"tokenizers 0.23.3": "tokenizers_wordpiece"})


def rules() -> Row:
    """Measure all rules on all documents; the peer passes 4 MB of them to every filter too."""
    peer = theirs("datatrove_rules", english(4), bad_words(), "every")
    return Row(name="quality rules", ours=ours("rules", english(40), bad_words()), peers={DATATROVE: peer}, kernel=True)


def kernel(name: str, job: tuple, peers: dict[str, tuple]) -> Row:
    """Compare jobs of kernels.py with jobs of peers/kernels.py, each with its source and arguments."""
    sides = {peer: theirs("kernels", *arguments) for peer, arguments in peers.items()}
    return Row(name=name, ours=ours("kernels", *job), peers=sides, kernel=True)


def words() -> Row:
    peer = theirs("spacy_words", english(4))
    return Row(name="words", ours=ours("kernels", "words", english(40)), peers={"spacy 3.8.18": peer}, kernel=True)


def signatures() -> Row:
    peers = {
        "rensa 0.5.0": ("rensa_signatures", english(12)),
        "datasketch 2.0.0": ("datasketch_signatures", english(4)),
        DATATROVE: ("datatrove_signatures", english(1)),
    }
    return kernel("MinHash signatures", ("signatures", english(40)), peers)


def languages() -> Row:
    peers = {
        "fastText's lid.176": ("fasttext_language", mixed(12), language_model()),
        "pycld2 0.42": ("pycld2_language", mixed(12)),
        "lingua 2.1.1": ("lingua_language", mixed(1)),
    }
    return kernel("language, two models", ("language", mixed(40), "lid.176+py3langid"), peers)


def one_language_model() -> Row:
    peers = {"fastText's lid.176": ("fasttext_language", mixed(12), language_model())}
    return kernel("language, lid.176", ("language", mixed(40), "lid.176"), peers)


def encoding(name: str, way: str, split: str = "gpt2") -> Row:
    source, ranks = english(12), tokenizer("tiktoken", split)
    peers = {
        "gigatoken 0.10.0": (f"gigatoken_{way}", source, ranks, split.partition("-")[0]),
        "tokenizers 0.23.3": ("tokenizers_encode", english(4), tokenizer("hf", split)),
    }
    if split == "gpt2":
        peers["tiktoken 0.14.0"] = ("tiktoken_encode", source, ranks)
    return kernel(name, (f"encode_{way}", source, tokenizer("folder", split)), peers)


def unigram_encoding() -> Row:
    model = unigram() / "model.model"
    peers = {"sentencepiece 0.2.3": ("sentencepiece_encode", english(12), model)}
    return kernel("Unigram encoding", ("encode_arrays", english(12), imported(model)), peers)


def ngrams() -> Row:
    lines = english(4)
    peers = {"kenlm 0.3.0": ("kenlm_scores", lines, arpa())}
    return kernel("n-gram scores of text", ("ngram_scores", lines, arpa().with_suffix(".ngram")), peers)


def training_step(vocab_size: int) -> Row:
    job, peer = (("trained_step", english(1), side, vocab_size) for side in ("ours", "plain"))
    sides = {"plain loop": ours("kernels", *peer)}
    return Row(name=f"GPT step, {vocab_size:,} pieces", ours=ours("kernels", *job), peers=sides, kernel=True)


def alone(name: str, source: Path, workers: int) -> Row:
    """Run the default recipe without a peer."""
    own = gristmill("clean", RECIPE, "--input", source, source=source, work="work-clean", workers=workers)
    return Row(name=name, ours=own)


DATATROVE = "datatrove 0.10.1"
ROWS = {
    "FineWeb chain": lambda: fineweb("FineWeb chain", "unicode", 68),
    "FineWeb chain, 12 MB": lambda: fineweb("FineWeb chain, 12 MB", "unicode", 12),
    "FineWeb chain, spaCy's words": lambda: fineweb("FineWeb chain, spaCy's words", "spacy", 68),
    "near-duplicates": lambda: near("near-duplicates", 68),
    "near-duplicates, 12 MB": lambda: near("near-duplicates, 12 MB", 12),
    "default recipe": lambda: default_recipe("default recipe", 68),
    "decontamination": decontamination,
    "personal data replaced": personal_data,
    "text of HTML pages": extraction,
    "text to token shards": tokenize,
    "BPE training": lambda: bpe_training("BPE training", english(40)),
    "BPE training, 4 MB": lambda: bpe_training("BPE training, 4 MB", english(4)),
    "WordPiece training": wordpiece_training,
    "Unigram training": unigram_training,
    "quality rules": rules,
    "words": words,
    "MinHash signatures": signatures,
    "language, two models": languages,
    "language, lid.176": one_language_model,
    "BPE encoding, arrays": lambda: encoding("BPE encoding, arrays", "arrays"),
    "BPE encoding, lists": lambda: encoding("BPE encoding, lists", "lists"),
    "cl100k's encoding, arrays": lambda: encoding("cl100k's encoding, arrays", "arrays", "cl100k-tiktoken"),
    "o200k's encoding, arrays": lambda: encoding("o200k's encoding, arrays", "arrays", "o200k"),
    "Unigram encoding": unigram_encoding,
    "n-gram scores of text": ngrams,
    "GPT step, 8,192 pieces": lambda: training_step(8192),
    "GPT step, 32,768 pieces": lambda: training_step(32768),
    "default recipe, messy": lambda: alone("default recipe, messy", messy(1), 1),
    "default recipe, messy, two workers": lambda: alone("default recipe, messy, two workers", messy(1), 2),
}
