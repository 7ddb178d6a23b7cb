"""gristmill tokenizer"""

import sys

import click

from flows.cli.escape import TERMINAL
from flows.cli.options import engine_options, settings_option, shown, writable

ALGORITHMS = ["bpe", "wordpiece", "unigram", "words", "chars"]


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
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="bpe", show_default=True)
@click.option("--split", help="How text is cut into words first; each algorithm has its own default.")
@click.option("--vocab-size", type=click.IntRange(1), default=32_000, show_default=True, help="Pieces in all.")
@click.option("--special", multiple=True, metavar="TOKEN", help="A special token; in place of the default ones.")
@click.option("--normalizer", multiple=True, metavar="NAME", help="What is done to text first, in order.")
@click.option("--output", required=True, metavar="DIR", help="Folder of the tokenizer.")
@engine_options
@settings_option("bpe, unigram or roles")
def train(corpus, algorithm, split, vocab_size, special, normalizer, output, engine, changes):
    """Train a tokenizer on CORPUS…: a work folder, Parquet, JSONL with any compression, or text.

    The counts of words stay in DIR/work, so that another vocabulary size takes only the training.

    \b
        gristmill tokenizer train work --vocab-size 32000 --output tok
        gristmill tokenizer train 'crawl/*.jsonl.zst' --split gpt2 --set bpe.min_frequency=2 --output gpt2-like
        gristmill tokenizer train books/ --algorithm unigram --normalizer nmt_nfkc --normalizer collapse \\
            --normalizer prefix --normalizer escape --output uni
    """
    from flows.train_tokenizer import tokenizer_settings, train_tokenizer

    given = {
        **{"algorithm": algorithm, "split": split, "vocab_size": vocab_size},
        **{"special_tokens": [*special] or None, "normalizers": [*normalizer] or None},
    }
    settings, folder = tokenizer_settings(given, changes), writable(output)
    progress = shown(writable(f"{output}/work"))
    try:
        model = train_tokenizer(corpus, folder, settings, engine, progress)
    finally:
        progress.stop()
    click.echo(f"{output}: {model.algorithm}, {model.size:,} pieces, {len(model.merges):,} merges, split {model.split}")


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.argument("text", required=False)
@click.option("--allow", multiple=True, metavar="TOKEN", help='Special tokens that count in the text; "all" for all.')
@click.option("--pieces", is_flag=True, help="Print what the ids spell, and not the ids.")
def encode(tokenizer, text, allow, pieces):
    """Print the ids of TEXT, or of each line of standard input. Special tokens in it are text unless allowed.

    \b
        gristmill tokenizer encode tok "The mill grinds slowly."
        gristmill tokenizer encode tok --pieces < README.md
        gristmill tokenizer encode tok "<|endoftext|>One more" --allow "<|endoftext|>"
    """
    from tokenizers_lab.tokenizer import Tokenizer

    opened, allowed = Tokenizer.load(tokenizer), "all" if "all" in allow else allow
    for line in [text] if text is not None else (line.rstrip("\n") for line in sys.stdin):
        ids = opened.encode(line, allowed)
        if pieces:
            shown = [repr(opened.model.pieces[id].decode("utf-8", "backslashreplace")) for id in ids]
            click.echo(" ".join(shown).translate(TERMINAL))
        else:
            click.echo(" ".join(map(str, ids)))


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.argument("ids", nargs=-1, type=int)
def decode(tokenizer, ids):
    """Print the text of IDS, or of each line of ids on standard input.

    \b
        gristmill tokenizer decode tok 464 17821 12
        gristmill tokenizer encode tok "There and back" | gristmill tokenizer decode tok
    """
    from pipelines.errors import InputError
    from tokenizers_lab.tokenizer import Tokenizer

    opened = Tokenizer.load(tokenizer)
    for line in [ids] if ids else sys.stdin:
        try:
            numbers = [*map(int, line.split() if isinstance(line, str) else line)]
        except ValueError:
            raise InputError(f"expected ids with spaces between them, found {line.strip()[:60]!r}") from None
        if min(numbers, default=0) < 0:
            raise InputError(f"ids count from 0, found {min(numbers)}")
        click.echo(opened.decode_ids(numbers).translate(TERMINAL))


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.option("--pieces", "count", type=click.IntRange(0), default=10, show_default=True, help="How many of each end.")
def show(tokenizer, count):
    """Say what a tokenizer is, and show its first, middle and last pieces.

    \b
        gristmill tokenizer show tok
    """
    from pipelines.files import place
    from tokenizers_lab.model import read_model

    model = read_model(place(tokenizer))
    lengths = sorted(len(piece) for piece in model.pieces)
    rows = {
        "algorithm": model.algorithm,
        "split": model.split,
        "normalizers": ", ".join(model.normalizers) or "none: text comes back byte for byte",
        "pieces": f"{model.size:,} ({len(model.merges):,} merges), {model.dtype.itemsize} bytes an id",
        "special": ", ".join(f"{token} = {id}" for token, id in model.special.items()) or "none",
        "roles": ", ".join(f"{role}: {token}" for role, token in model.roles.items()) or "none",
        "lengths": f"{lengths[len(lengths) // 2]} bytes in the middle, {lengths[-1]:,} at most",
    }
    for what, value in rows.items():
        click.echo(f"{what:>12}  {value}".translate(TERMINAL))
    middle = range(model.size // 2, min(model.size, model.size // 2 + count))
    for name, ids in (
        ("first", range(min(count, model.size))),
        ("middle", middle),
        ("last", range(max(0, model.size - count), model.size)),
    ):
        shown = " ".join(repr(model.pieces[id].decode("utf-8", "backslashreplace")) for id in ids)
        click.echo(f"{name:>12}  {shown}".translate(TERMINAL))
