"""Write small tokenizers of `tokenizers`, each with the parts and flags that a model family publishes.

    python -m tools.families FOLDER [--corpus TEXT…] [--pieces 420]

The texts that they are trained on are made here, unless a corpus is given.
"""

import argparse
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

RNG = random.Random(5)
WORDS = [
    *("the", "mill", "grinds", "river", "Grain", "FLOUR", "water", "don't", "it's", "we'll", "x1", "2024"),
    *("3.14", "1,000", "def", "return", "self.x", "foo_bar", "if(a==b)", "{", "}", "//", "naïve", "café"),
    *("cafe\u0301", "Straße", "мельница", "зерно", "вода", "漢字", "かな", "カタカナ", "水車", "방앗간"),
    *("곡식", "طاحونة", "ماء", "चक्की", "पानी", "โรงสี", "น้ำ", "\U0001f33e", "\U0001f469\u200d\U0001f33e"),
    *("½", "²", "①", "…", "¿qué?", "«oui»", "“so”"),
]
SPACES = [" "] * 12 + ["  ", "    ", "\t", "\n", "\n\n", "\r\n", "\n    ", "\u3000", "\xa0"]


def texts() -> list[str]:
    """Return the text that the tokenizers are trained on."""
    return ["".join(RNG.choice(WORDS) + RNG.choice(SPACES) for _ in range(40)) for _ in range(150)]


def split(pattern: str, behavior: str = "isolated", invert: bool = False):
    return pre_tokenizers.Split(Regex(pattern), behavior, invert)


def byte_level(prefix: bool = False, regex: bool = True):
    return pre_tokenizers.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def sequence(*steps):
    return pre_tokenizers.Sequence([*steps])


CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = CL100K.replace("{1,3}", "")
O200K = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEKKEN = O200K.replace("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", "").replace("{1,3}", "")
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"
DEEPSEEK = (
    r"\p{N}{1,3}",
    "[一-龥\u3040-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
)
DEEPSEEK_CODER = (*("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+"),)  # shortened


def special(*contents: str, **flags) -> list[AddedToken]:
    return [AddedToken(content, special=True, normalized=False, **flags) for content in contents]


def plain(*contents: str, normalized: bool = False, **flags) -> list[AddedToken]:
    return [AddedToken(content, special=False, normalized=normalized, **flags) for content in contents]


END = special("<|endoftext|>")
SPACE_RUNS = [" " * n for n in range(31, 1, -1)]
MARKS = ("<unk>", "<s>", "</s>")

# Family -> normalizer, pre-tokenizer, flags of the model, added tokens
BYTE_BPE = {
    "gpt2": (None, byte_level(), {}, END),
    "roberta": (None, byte_level(), {}, [*special("<s>", "</s>"), *special("<mask>", lstrip=True)]),
    "bart-prefix": (None, byte_level(True), {}, [*special("<s>", "</s>"), *special("<mask>", lstrip=True)]),
    "neox": (normalizers.NFC(), byte_level(), {}, [*END, *plain(*SPACE_RUNS, normalized=True)]),
    "mpt": (normalizers.NFC(), byte_level(), {}, [*END, *plain(*SPACE_RUNS)]),
    "modernbert": (
        normalizers.NFC(),
        byte_level(),
        {},
        [*special("[CLS]", "[SEP]"), *special("[MASK]", lstrip=True), *plain("  ", "   ", normalized=True)],
    ),
    "phi2": (None, byte_level(), {}, [*END, *plain(*SPACE_RUNS), *plain("\t\t\t", "\t\t")]),
    "bloom": (None, sequence(split(BLOOM), byte_level(regex=False)), {}, special("<unk>", "<s>", "</s>", "<pad>")),
    "falcon": (
        None,
        sequence(
            pre_tokenizers.Punctuation("contiguous"),
            byte_level(),
            pre_tokenizers.Digits(individual_digits=False),
            split("[0-9][0-9][0-9]"),
        ),
        {},
        [*END, *special(">>TITLE<<")],
    ),
    "starcoder": (
        None,
        sequence(pre_tokenizers.Digits(True), byte_level()),
        {},
        special("<fim_prefix>", "<|endoftext|>"),
    ),
    "deepseek-v3": (
        normalizers.Sequence([]),
        sequence(*map(split, DEEPSEEK), byte_level(regex=False)),
        {},
        [*special("<｜begin▁of▁sentence｜>"), *plain("<think>", "<｜User｜>")],
    ),
    "deepseek-coder": (
        normalizers.Sequence([]),
        sequence(*map(split, DEEPSEEK_CODER), pre_tokenizers.Digits(True), byte_level(regex=False)),
        {},
        special("<｜begin▁of▁sentence｜>"),
    ),
    "qwen2": (
        normalizers.NFC(),
        sequence(split(QWEN2), byte_level(regex=False)),
        {},
        special("<|im_start|>", "<|im_end|>"),
    ),
    "qwen3": (
        normalizers.NFC(),
        sequence(split(QWEN2), byte_level(regex=False)),
        {},
        [*special("<|im_start|>"), *plain("<think>", "</think>", "<tool_call>")],
    ),
    "llama3": (
        None,
        sequence(split(CL100K), byte_level(regex=False)),
        {"ignore_merges": True},
        special("<|begin_of_text|>", "<|eot_id|>"),
    ),
    "gpt-4o": (None, sequence(split(O200K), byte_level(regex=False)), {}, END),
    "gpt-4": (None, sequence(split(CL100K, "removed", True), byte_level(regex=False)), {}, END),
    "mistral-nemo": (
        None,
        sequence(split(TEKKEN), byte_level(regex=False)),
        {"ignore_merges": True},
        special(*MARKS, "[INST]"),
    ),
    "lower": (normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), byte_level(), {}, END),
    "single-word": (None, byte_level(), {}, [*END, AddedToken("mill", single_word=True, special=False)]),
    "strips": (
        None,
        byte_level(),
        {},
        [
            *END,
            *plain("river", lstrip=True),
            *plain("mill", rstrip=True, normalized=True),
            *special("<x>", lstrip=True, rstrip=True),
        ],
    ),
    "overlaps": (None, byte_level(), {}, [*special("<the>", "<the> mill"), *plain("the", "the mill", "e")]),
}
LLAMA = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
ESCAPE = normalizers.Replace(" ", "▁")
FALLBACK_BPE: dict[str, tuple] = {
    "llama2": (LLAMA, None, {}, special(*MARKS)),
    "llama1": (LLAMA, None, {}, [AddedToken(mark, special=True, normalized=True) for mark in MARKS]),
    "phi3": (LLAMA, None, {}, [*special(*MARKS), *special("<|user|>", rstrip=True), *plain("</x>", rstrip=True)]),
    "mistral": (None, pre_tokenizers.Metaspace("▁", "first", split=False), {}, [*special(*MARKS, "[INST]")]),
    "always": (None, pre_tokenizers.Metaspace("▁", "always", split=True), {}, special(*MARKS)),
    "never": (None, pre_tokenizers.Metaspace("▁", "never", split=True), {}, special(*MARKS)),
    "gemma": (
        ESCAPE,
        pre_tokenizers.Split(" ", "merged_with_previous"),
        {},
        [*special("<pad>", *MARKS, "<start_of_turn>"), *plain("\n", "\n\n", "▁▁", "▁▁▁", "<table>")],
    ),
    "normalized": (LLAMA, None, {}, [*special(*MARKS), *plain("river", "mill grinds", normalized=True)]),
}


class Training(NamedTuple):
    """Texts that a tokenizer is trained on, and its number of pieces."""

    texts: Sequence[str]
    size: int = 420


SMALL = Training(texts())


def train_bpe(parts, alphabet: list[str], given: Training) -> Tokenizer:
    """Return a BPE with parts as in BYTE_BPE."""
    normalizer, cut, flags, added = parts
    made = Tokenizer(models.BPE())
    made.normalizer, made.pre_tokenizer = normalizer or made.normalizer, cut or made.pre_tokenizer
    first = [token.content for token in added if token.special][:3]
    made.train_from_iterator(
        given.texts,
        trainers.BpeTrainer(
            vocab_size=given.size, special_tokens=first, initial_alphabet=alphabet, show_progress=False
        ),
    )
    table = orjson.loads(made.to_str())
    table["model"] |= flags
    table["added_tokens"] = []
    made = Tokenizer.from_str(orjson.dumps(table).decode())
    for token in added:
        (made.add_special_tokens if token.special else made.add_tokens)([token])
    return made


def byte_bpe(name: str, given: Training = SMALL) -> Tokenizer:
    """Return a BPE over bytes; bytes that UTF-8 never has are missing."""
    alphabet = sorted({*pre_tokenizers.ByteLevel.alphabet()} - {"À", "Á", "õ", "ÿ"})
    made = train_bpe(BYTE_BPE[name], alphabet, given)
    made.decoder = decoders.ByteLevel()
    if name in ("roberta", "bart-prefix"):
        made.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0))
    return made


def fallback_bpe(name: str, given: Training = SMALL) -> Tokenizer:
    """Return a BPE over text whose spaces are ▁, where other characters become bytes."""
    normalizer, cut, flags, added = FALLBACK_BPE[name]
    words = pre_tokenizers.Metaspace("▁", "never", split=True)
    made = train_bpe((normalizer, words, {}, added), [], given)
    table = orjson.loads(made.to_str())
    model, old = table["model"], table["model"]["vocab"]
    rare = [piece for piece in old if len(piece) == 1 and ord(piece) > 0x2000 and piece != "▁"][::2]
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    kept = [piece for piece in old if not {*piece} & {*rare}]
    first = [piece for piece in kept if piece in MARKS or piece.startswith("<")]
    model["vocab"] = {piece: id for id, piece in enumerate([*first, *names, *(p for p in kept if p not in first)])}
    model["merges"] = [pair for pair in model["merges"] if not {*"".join(pair)} & {*rare}]
    model |= {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"} | flags
    table |= {"added_tokens": [], "pre_tokenizer": None}
    made = Tokenizer.from_str(orjson.dumps(table).decode())
    if cut:
        made.pre_tokenizer = cut
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    for token in added:
        (made.add_special_tokens if token.special else made.add_tokens)([token])
    return made


BERT_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def wordpiece(lower: bool, strip: bool | None = None, given: Training = SMALL) -> Tokenizer:
    """Return a BERT (GTE is one too)."""
    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=strip)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.train_from_iterator(
        given.texts,
        trainers.WordPieceTrainer(vocab_size=given.size, special_tokens=BERT_SPECIAL, show_progress=False),
    )
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.decoder = decoders.WordPiece()
    return made


def clip(given: Training = SMALL) -> Tokenizer:
    """Return a CLIP: an end of word, text in lower case, spaces dropped."""
    pattern = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    made = Tokenizer(models.BPE(end_of_word_suffix="</w>", unk_token="<|endoftext|>"))
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    made.pre_tokenizer = sequence(split(pattern, "removed", True), byte_level())
    made.train_from_iterator(
        given.texts,
        trainers.BpeTrainer(
            vocab_size=given.size + 280,  # each byte has two pieces
            special_tokens=["<|startoftext|>", "<|endoftext|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            end_of_word_suffix="</w>",
            show_progress=False,
        ),
    )
    return made


def unigram(kind: str, given: Training = SMALL) -> Tokenizer:
    """Return a unigram: T5's, XLM-R's or XLNet's parts."""
    made = Tokenizer(models.Unigram())
    collapse = normalizers.Replace(Regex(" {2,}"), " ")
    quotes = normalizers.Replace("``", '"'), normalizers.Replace("''", '"')
    made.normalizer = {
        "t5": normalizers.Sequence([normalizers.NFKC(), collapse]),
        "xlm-r": normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), collapse]),
        "xlnet": normalizers.Sequence(
            [*quotes, normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), collapse]
        ),
    }[kind]
    made.pre_tokenizer = sequence(pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace())
    made.train_from_iterator(
        given.texts,
        trainers.UnigramTrainer(
            vocab_size=given.size,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            unk_token="<unk>",
            show_progress=False,
        ),
    )
    return made


def word_level(given: Training = SMALL) -> Tokenizer:
    """Return a vocabulary of words."""
    made = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.train_from_iterator(
        given.texts, trainers.WordLevelTrainer(vocab_size=60, special_tokens=["[UNK]"], show_progress=False)
    )
    return made


FAMILIES: dict[str, Callable[..., Tokenizer]] = {
    **{name: partial(byte_bpe, name) for name in BYTE_BPE},
    **{name: partial(fallback_bpe, name) for name in FALLBACK_BPE},
    **{kind: partial(unigram, kind) for kind in ("t5", "xlm-r", "xlnet")},
    "bert": partial(wordpiece, True),
    "bert-cased": partial(wordpiece, False),
    "bert-strip": partial(wordpiece, False, True),
    "clip": clip,
    "words": word_level,
}


def main() -> None:
    from gristmill.tokenizers_lab.battery import sample

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", nargs="*", default=[])
    parser.add_argument("--pieces", type=int, default=420)
    args = parser.parse_args()
    training = Training(sample(args.corpus) if args.corpus else SMALL.texts, args.pieces)
    args.folder.mkdir(parents=True, exist_ok=True)
    for name, build in FAMILIES.items():
        build(given=training).save(str(args.folder / f"{name}.json"))


if __name__ == "__main__":
    main()
