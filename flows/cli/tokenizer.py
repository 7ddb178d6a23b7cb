"""gristmill tokenizer"""

import sys

import click

from gristmill.flows.cli.options import Real, engine_options, run_progress, settings_option, whole, writable
from gristmill.flows.cli.output import console, say, say_json

ALGORITHMS = ["bpe", "superbpe", "wordpiece", "unigram", "words", "chars"]
COMPARED = (
    ("pieces", "vocab_size", ","),
    ("bytes/token", "bytes_per_token", ".3f"),
    ("fertility", "fertility", ".3f"),
    ("whole", "single_token_words", ".1%"),
    ("used", "used", ".1%"),
    ("rare", "rare", ".1%"),
    ("Rényi", "renyi", ".3f"),
    ("unreachable", "unreachable", ","),
    ("unknown", "unknown", ".2%"),
    ("exact", "exact", ".1%"),
    ("digits", "digits", ""),
    ("spaces", "spaces", ","),
    ("superwords", "superwords", ","),
    ("MB/s", "mb_per_second", ".1f"),
    ("Gini", "gini", ".3f"),
)
ALPHA = "Exponent of --sample; 0 = uniform over segmentations."
MAX_MB = "Megabytes of text to measure on."
SEED = "Random seed of --sample and --dropout."


@click.group()
def tokenizer():
    """Train tokenizers, use them, and move them to and from other libraries.

    A tokenizer is a folder with one readable file, gristmill.json.

    \b
        gristmill tokenizer train work --vocab-size 8000 --output tok
        echo "The mill grinds" | gristmill tokenizer encode tok
        gristmill tokenizer export tok --format hf --output tokenizer.json
    """


@tokenizer.command()
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="bpe", show_default=True, help="Kind of model.")
@click.option(
    "--pretokenizer",
    metavar="NAME",
    help="Rule that splits text into words, or regex:PATTERN, or regex/SECONDS:PATTERN.",
)
@click.option("--vocab-size", type=whole(1), default=32_000, show_default=True, help="Number of pieces.")
@click.option("--special", multiple=True, metavar="TOKEN", help="Special token, in place of the default ones.")
@click.option("--user-symbol", multiple=True, metavar="TEXT", help="Text that is always one piece (SentencePiece).")
@click.option("--normalizer", multiple=True, metavar="NAME", help="Normalizer of the text; several apply in order.")
@click.option("--parity", metavar="COLUMN", help="Balance the compression of the languages in COLUMN (BPE).")
@click.option("--output", required=True, metavar="FOLDER", help="Folder of the tokenizer.")
@engine_options
@settings_option("bpe, superbpe, parity, unigram, wordpiece or roles")
def train(
    corpus, algorithm, pretokenizer, vocab_size, special, user_symbol, normalizer, parity, output, engine, changes
):
    """Train a tokenizer on CORPUS…: a work folder, Parquet, JSONL with any compression, or text.

    The word counts remain in FOLDER/work, so that training another vocabulary size counts nothing again.

    \b
        gristmill tokenizer train work --vocab-size 32000 --output tok
        gristmill tokenizer train 'crawl/*.jsonl.zst' --pretokenizer gpt2 --set bpe.min_frequency=2 --output gpt2-like
        gristmill tokenizer train work --algorithm superbpe --set superbpe.transition=0.8 --output super
        gristmill tokenizer train work --parity language --set parity.global_share=0.8 --output fair
        gristmill tokenizer train books/ --algorithm unigram --normalizer nmt_nfkc --normalizer collapse \\
            --normalizer prefix --normalizer escape --output uni
        gristmill tokenizer train chats/ --algorithm unigram --special "<unk>" --user-symbol "<user>" --output chat
    """
    from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer

    given = {
        **{"algorithm": algorithm, "pretokenizer": pretokenizer, "vocab_size": vocab_size},
        **{"special_tokens": [*special] or None, "normalizers": [*normalizer] or None},
        **{"user_symbols": [*user_symbol], "parity": {"column": parity} if parity else {}},
    }
    settings, folder = tokenizer_settings(given, changes), writable(output)
    progress = run_progress(writable(f"{output}/work"))
    try:
        model = train_tokenizer(corpus, folder, settings, engine, progress)
    finally:
        progress.stop()
    merges = f"{len(model.merges):,} merges"
    say(f"{output}: {model.algorithm}, {model.size:,} pieces, {merges}, pre-tokenizer {model.pretokenizer}")


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.argument("text", required=False)
@click.option("--allow", multiple=True, metavar="TOKEN", help='Special token to recognize in the text; "all" for all.')
@click.option("--as-tokens", is_flag=True, help="Print the text of each token, not its id.")
@click.option("--dropout", type=Real(0, 1), help="BPE: skip each merge with this probability.")
@click.option("--nbest", type=whole(1, 10_000), help="Unigram: print the N best segmentations with their scores.")
@click.option("--sample", is_flag=True, help="Unigram: sample a segmentation with probability proportional to P^alpha.")
@click.option("--alpha", type=Real(0, 1e9), default=0.1, show_default=True, help=ALPHA)
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help=SEED)
def encode(tokenizer, text, allow, as_tokens, dropout, nbest, sample, alpha, seed):
    """Print the ids of TEXT, or of each line of standard input; special tokens are text unless --allow names them.

    \b
        gristmill tokenizer encode tok "The mill grinds slowly."
        gristmill tokenizer encode tok --as-tokens < README.md
        gristmill tokenizer encode tok "<|endoftext|>One more" --allow "<|endoftext|>"
        gristmill tokenizer encode tok "Another way to cut it" --dropout 0.1 --seed 7 --as-tokens
        gristmill tokenizer encode uni "Another way to cut it" --sample --seed 7 --as-tokens
        gristmill tokenizer encode uni "Three ways to cut it" --nbest 3 --as-tokens
    """
    import numpy as np

    from gristmill.pipelines.ragged import Ragged
    from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer

    given = {"--dropout": dropout is not None, "--nbest": nbest, "--sample": sample}
    asked = [name for name, is_given in given.items() if is_given]
    if len(asked) > 1 or (asked and allow):
        raise click.UsageError(f"{asked[0]} cannot be combined with {asked[1] if asked[1:] else '--allow'}")
    opened, allowed = open_tokenizer(tokenizer), "all" if "all" in allow else allow
    for number, line in enumerate([text] if text is not None else lines_of_input()):
        row, numbers = Ragged.from_strings([line]), np.array([number])
        if nbest:
            ways = [(f"{score:.4f}\t", ids) for ids, score in opened.encode_nbest(line, nbest)]
        elif sample:
            ways = [("", opened.encode_sample(row, alpha, seed, numbers).data.tolist())]
        elif dropout is not None:
            ways = [("", opened.encode_dropout(row, dropout, seed, numbers).data.tolist())]
        else:
            ways = [("", opened.encode(line, allowed))]
        for score, ids in ways:
            say(score + (spelled(opened.model, ids) if as_tokens else " ".join(map(str, ids))), lines=True)


def lines_of_input():
    """Yield the lines of standard input. Raises InputError for bytes that are not UTF-8."""
    from gristmill.pipelines.errors import InputError

    try:
        for line in sys.stdin:
            yield line.rstrip("\n")
    except UnicodeDecodeError as error:
        found = error.object[error.start : error.start + 4].hex(" ")
        raise InputError(f"standard input is not UTF-8: found bytes {found}") from None


def spelled(model, ids) -> str:
    """Return the text of the ids in quotes."""
    return " ".join(repr(model.pieces[id].decode("utf-8", "backslashreplace")) for id in ids)


@tokenizer.command(context_settings={"ignore_unknown_options": True})
@click.argument("tokenizer", metavar="TOKENIZER")
@click.argument("ids", nargs=-1, type=whole(0))
def decode(tokenizer, ids):
    """Print the text of IDS, or of each line of ids on standard input.

    \b
        gristmill tokenizer decode tok 464 17821 12
        gristmill tokenizer encode tok "There and back" | gristmill tokenizer decode tok
    """
    from gristmill.pipelines.errors import InputError
    from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer

    opened = open_tokenizer(tokenizer)
    for line in [ids] if ids else lines_of_input():
        try:
            numbers = [*map(int, line.split() if isinstance(line, str) else line)]
        except ValueError:
            raise InputError(f"expected ids separated by spaces, found {line.strip()[:60]!r}") from None
        say(opened.decode_ids(numbers), lines=True)


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.option("--count", type=whole(0), default=10, show_default=True, help="Number of pieces in each row.")
def show(tokenizer, count):
    """Describe a tokenizer, and show its first, middle and last pieces.

    \b
        gristmill tokenizer show tok
    """
    from gristmill.pipelines.storage.files import to_path
    from gristmill.tokenizers_lab.formats.check import LIBRARIES
    from gristmill.tokenizers_lab.import_tokenizer import load_any

    model = load_any(to_path(tokenizer))
    library = model.algorithm in LIBRARIES
    normalizers = ", ".join((*model.normalizers, *model.part_normalizers))
    normalizers = normalizers or "none: decoding restores the text byte for byte"
    lengths = sorted(len(piece) for piece in model.pieces)
    rows = {
        "algorithm": f"that of the file, run by {model.algorithm}" if library else model.algorithm,
        "pre-tokenizer": "that of the file" if library else model.pretokenizer,
        "normalizers": "that of the file" if library else normalizers,
        "pieces": f"{model.size:,} ({len(model.merges):,} merges), {model.dtype.itemsize} bytes per id",
        "special": ", ".join(f"{token} = {id}" for token, id in model.special.items()) or "none",
        "other tokens": ", ".join(f"{t.content!r} = {t.id}" for t in model.added if not t.special) or "none",
        "roles": ", ".join(f"{role}: {token}" for role, token in model.roles.items()) or "none",
        "lengths": f"{lengths[len(lengths) // 2]} bytes (median), {lengths[-1]:,} at most",
    }
    for what, value in rows.items():
        say(f"{what:>13}  {value}")
    middle = range(model.size // 2, min(model.size, model.size // 2 + count))
    for name, ids in (
        ("first", range(min(count, model.size))),
        ("middle", middle),
        ("last", range(max(0, model.size - count), model.size)),
    ):
        say(f"{name:>13}  {spelled(model, ids)}")


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.option("--format", "kind", type=click.Choice(["hf", "tiktoken", "sentencepiece", "bert"]), required=True)
@click.option("--output", required=True, metavar="FILE", help="File to write.")
@click.option("--corpus", multiple=True, metavar="CORPUS", help="Text to compare ids on, besides a few sentences.")
def export(tokenizer, kind, output, corpus):
    """Write a tokenizer in the format of another library, load it there, and compare the ids on a sample.

    hf writes tokenizer.json, tiktoken a .tiktoken file of ranks, sentencepiece a .model, bert a vocab.txt.

    \b
        gristmill tokenizer export tok --format hf --output tokenizer.json
        gristmill tokenizer export uni --format sentencepiece --output uni.model --corpus work
    """
    from gristmill.pipelines.storage.files import to_path
    from gristmill.tokenizers_lab.import_tokenizer import load_any
    from gristmill.tokenizers_lab.verify_export import export_tokenizer

    check = export_tokenizer(load_any(to_path(tokenizer)), kind, to_path(output), corpus)
    say(f"{output}: {check.library} gives the same ids for {check.same:,} of {check.texts:,} texts")
    if check.same < check.texts:
        say(f"the first difference: {check.first[:200]!r}")
        sys.exit(1)


@tokenizer.command("import")
@click.argument("file", metavar="FILE")
@click.option("--output", required=True, metavar="FOLDER", help="Folder of the tokenizer.")
@click.option("--pretokenizer", metavar="NAME", help="Pre-tokenizer of a .tiktoken file, which does not name it.")
@click.option("--special", multiple=True, metavar="TOKEN=ID", help="Special token of a .tiktoken file.")
@click.option("--corpus", multiple=True, metavar="CORPUS", help="Text to compare ids on, besides odd texts.")
def read(file, output, pretokenizer, special, corpus):
    """Read a tokenizer of another library, and compare its ids there and here.

    FILE is a tokenizer.json, a SentencePiece .model, a .tiktoken file, Mistral's tekken.json, BERT's vocab.txt, or a
    folder that holds one. A tokenizer.json or .model of which a part has no form of ours is run by its own library.

    \b
        gristmill tokenizer import gpt2/tokenizer.json --output gpt2
        gristmill tokenizer import llama/tokenizer.model --corpus work --output llama
        gristmill tokenizer import cl100k_base.tiktoken --pretokenizer cl100k-tiktoken \\
            --special "<|endoftext|>=100257" --output cl100k
    """
    from gristmill.tokenizers_lab.import_tokenizer import import_tokenizer

    done = import_tokenizer(file, output, pretokenizer, special, corpus)
    say(f"{output}: {done.model.size:,} pieces, backend: {done.backend}, {done.mb_per_second:.1f} MB per CPU second")
    if done.texts:
        say(f"{done.library} gives the same ids for all {done.texts:,} texts")
    if done.why:
        say(f"{'run by ' + done.library if done.backend != 'gristmill' else 'note'}: {done.why}")
    for note in done.notes:
        say(f"note: {note}")


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--vocab-size", type=whole(1), required=True, help="Number of pieces, old and new.")
@click.option("--join-words", is_flag=True, help="Let merges cross word boundaries (SuperBPE's second phase).")
@click.option("--output", required=True, metavar="FOLDER", help="Folder of the larger tokenizer.")
@engine_options
def extend(tokenizer, corpus, vocab_size, join_words, output, engine):
    """Add pieces to a BPE tokenizer by further training on CORPUS…; existing ids keep their meaning.

    \b
        gristmill tokenizer extend tok medicine/ --vocab-size 40000 --output tok-medicine
        gristmill tokenizer extend tok work --vocab-size 40000 --join-words --output super
    """
    from gristmill.flows.tokenize.train_tokenizer import extend_tokenizer

    folder = writable(output)
    progress = run_progress(writable(f"{output}/work"))
    try:
        model = extend_tokenizer(tokenizer, corpus, folder, vocab_size, join_words, engine, progress)
    finally:
        progress.stop()
    say(f"{output}: {model.size:,} pieces, {len(model.merges):,} merges")


@tokenizer.command()
@click.argument("tokenizers", nargs=-1, required=True, metavar="TOKENIZER...")
@click.option(
    "--corpus", "corpus", multiple=True, required=True, metavar="CORPUS", help="Text no tokenizer was trained on."
)
@click.option("--max-mb", type=Real(0, 1e9, min_open=True), default=20, show_default=True, help=MAX_MB)
@click.option("--plot", metavar="FILE", help="Plot bytes per token by language to FILE (.png, .svg or .pdf).")
@click.option("--train", "steps", type=whole(1), metavar="STEPS", help="Train nano GPTs with equal compute, too.")
@click.option("--json", "as_json", is_flag=True, help="Print all measures as JSON.")
def compare(tokenizers, corpus, max_mb, plot, steps, as_json):
    """Measure tokenizers on the same text: compression, use of the vocabulary, fairness, habits and speed.

    fertility: tokens per word; whole: share of words that are one token; used: share of pieces that occur; rare: share
    of pieces that occur less than ten times; Rényi: efficiency of order 2.5 (Zouhar et al. 2023); unreachable: pieces
    that encoding their own text does not give; unknown: share of unknown tokens; exact: share of documents that
    decoding restores byte for byte; digits: how 1234567 is cut; spaces: longest run of spaces that is a piece;
    superwords: pieces across words; Gini and worst language: of the cost of languages, tokens per byte after zlib, if
    documents have a language.

    --train trains three nano GPTs with each tokenizer on nine tenths of the documents: STEPS steps with the first
    tokenizer, as many as the same FLOPs allow with the others. bits/byte: of the other documents, with the difference
    to the first tokenizer and its 95 % interval over seeds and documents.

    \b
        gristmill tokenizer compare tok gpt2 uni --corpus held-out.jsonl.zst
        gristmill tokenizer compare tok --corpus held-out.jsonl.zst --plot languages.png --json
        gristmill tokenizer compare tok super --corpus held-out.jsonl.zst --train 300
    """
    from gristmill.flows.tokenize.compare_by_training import compare_by_training
    from gristmill.tokenizers_lab.compare import compare_tokenizers, plot_languages

    rows = compare_tokenizers(tokenizers, corpus, max_mb)
    if steps:
        trained = compare_by_training(tokenizers, corpus, max_mb, steps, _print_training)
        rows = [row | {"trained": each} for row, each in zip(rows, trained, strict=True)]
    if plot:
        plot_languages(rows, plot)
    if as_json:
        return say_json(rows, indent=True)
    say(f"{'':<16}" + "".join(f"{row['tokenizer'][-19:]:>20}" for row in rows))
    for head, measure, form in COMPARED:
        say(f"{head:<16}" + "".join(f"{format(row[measure], form):>20}" for row in rows))
    worst = [row["worst_language"] for row in rows]
    cells = [
        f"{name} {row['costs'][name]:.2f} × mean" if name else "unknown" for name, row in zip(worst, rows, strict=True)
    ]
    say(f"{'worst language':<16}" + "".join(f"{cell:>20}" for cell in cells))
    if steps:
        trained = [row["trained"] for row in rows]
        say(f"{'bits/byte':<16}" + "".join(f"{each['bits_per_byte']:>20.4f}" for each in trained))
        gaps = ("" if "interval" not in each else f"{each['difference']:+.4f}" for each in trained)
        say(f"{'difference':<16}" + "".join(f"{gap:>20}" for gap in gaps))
        spans = (each.get("interval") for each in trained)
        cells = (f"{span[0]:+.4f} to {span[1]:+.4f}" if span else "" for span in spans)
        say(f"{'95 % interval':<16}" + "".join(f"{cell:>20}" for cell in cells))


def _print_training(line):
    if line["step"] % 100 == 0:
        console.print(f"{line['tokenizer']}, seed {line['seed']}: step {line['step']} of {line['steps']}")
