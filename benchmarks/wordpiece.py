"""WordPiece against tokenizers: CPU seconds of training and encoding, equal vocabulary and ids.

    python -m benchmarks.wordpiece CORPUS.jsonl.zst … [--megabytes 60] [--vocab-size 30000]

Both sides train on one core, on the lines of ``--megabytes`` of documents in the order of their hashes, after BERT's
normalizer and pre-tokenizer. tokenizers numbers the letters inside words in the order of a hash table, which differs
between runs, and breaks ties by these numbers; gristmill trains with the same order. Ids are compared on every document
of the files; both sides encode with gristmill's vocabulary.
"""

import argparse
import hashlib
import os
import time

os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
BATCH = 10_000  # lines; the comparison of ids takes 500 documents at a time


def main() -> None:
    import tokenizers

    from benchmarks.near_duplicates import read
    from gristmill.pipelines.ragged import Ragged
    from gristmill.tokenizers_lab.bpe.train_wordpiece import WordpieceSettings, train_wordpiece
    from gristmill.tokenizers_lab.count.word_counts import count_words
    from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
    from gristmill.tokenizers_lab.formats.model import Model, known_roles
    from gristmill.tokenizers_lab.tokenizer import Tokenizer
    from gristmill.tokenizers_lab.train import TokenizerSettings, train

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", nargs="+")
    parser.add_argument("--megabytes", type=float, default=60)
    parser.add_argument("--vocab-size", type=int, default=30_000)
    args = parser.parse_args()
    rows = (row for path in args.corpora for row in read(path))
    texts = {(row.get("text") or row.get("html") or "").encode("utf-8", "replace") for row in rows}
    texts, lines, left = sorted(texts, key=lambda text: hashlib.sha256(text).digest()), [], args.megabytes * 1e6
    for text in texts:
        if left < 0:
            break
        lines += [line for line in text.decode().split("\n") if line]
        left -= len(text)

    theirs = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    theirs.normalizer = tokenizers.normalizers.BertNormalizer(strip_accents=True)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    options = {"vocab_size": args.vocab_size, "special_tokens": SPECIAL, "show_progress": False}
    began = time.process_time()
    theirs.train_from_iterator(lines, tokenizers.trainers.WordPieceTrainer(**options))
    peer = time.process_time() - began
    ids = theirs.get_vocab()
    vocabulary = sorted(ids, key=ids.get)

    settings = TokenizerSettings(algorithm="wordpiece", vocab_size=len(vocabulary))
    counting = settings.count_settings()
    small = Ragged.from_strings(["some small text to compile for"] * 9)
    train(count_words([counting(small)], counting.pretokenizer), settings.model_copy(update={"vocab_size": 40}))
    batches = [Ragged.from_strings(lines[at : at + BATCH]) for at in range(0, len(lines), BATCH)]
    began = time.process_time()
    counts = count_words(map(counting, batches), counting.pretokenizer)
    order = [piece[2:] for piece in vocabulary if piece.startswith("##") and len(piece) == 3]
    pieces = train_wordpiece(counts, WordpieceSettings(), len(vocabulary), SPECIAL, order=order)
    mine = time.process_time() - began
    equal = sum(piece.decode() == other for piece, other in zip(pieces, vocabulary, strict=True))
    size = sum(batch.data.size for batch in batches) / 1e6
    print(f"training on {size:.1f} MB: {mine:.2f} CPU s, tokenizers {peer:.2f}, {peer / mine:.1f} times as long")
    common = len({*pieces} & {piece.encode() for piece in vocabulary})
    print(f"{equal:,} of {len(vocabulary):,} pieces have the same id, {common:,} are in both vocabularies", flush=True)

    special = {token: id for id, token in enumerate(SPECIAL)}
    normal = {
        "pretokenizer": "bert",
        "normalizers": counting.normalizers,
        "alphabet": "characters",
        "prefix": "##",
        "max_input_chars_per_word": 100,
    }
    model = Model("wordpiece", pieces=pieces, special=special, roles=known_roles(special), **normal)
    ours, theirs = Tokenizer(model), tokenizers.Tokenizer.from_str(to_huggingface(model).decode())
    spent, same, size = [0.0, 0.0], 0, 0
    for at in range(0, len(texts), 500):
        batch = [text.decode() for text in texts[at : at + 500]]
        rows = Ragged.from_strings(batch)
        began = time.process_time()
        encoded = ours(rows)
        middle = time.process_time()
        expected = theirs.encode_batch(batch, add_special_tokens=False)
        spent = [spent[0] + middle - began, spent[1] + time.process_time() - middle]
        same += sum(
            encoded.data[a:b].tolist() == other.ids
            for a, b, other in zip(encoded.offsets[:-1], encoded.offsets[1:], expected, strict=True)
        )
        size += rows.data.size
    speeds = f"{size / 1e6 / spent[0]:.1f} MB per CPU s, tokenizers {size / 1e6 / spent[1]:.1f}"
    print(f"encoding: {speeds}; ids equal on {same:,} of {len(texts):,} documents, {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
