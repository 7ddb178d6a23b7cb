"""gristmill tokenizer"""

import sys

import click

from gristmill.flows.cli.options import engine_options, settings_option, shown, writable
from gristmill.flows.escape import TERMINAL

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
@click.option("--pretokenizer", help="How text is cut into words first; each algorithm has its own default.")
@click.option("--vocab-size", type=click.IntRange(1), default=32_000, show_default=True, help="Pieces in all.")
@click.option("--special", multiple=True, metavar="TOKEN", help="A special token; in place of the default ones.")
@click.option("--user-symbol", multiple=True, metavar="TEXT", help="A text that is one piece wherever it stands.")
@click.option("--normalizer", multiple=True, metavar="NAME", help="What is done to text first, in order.")
@click.option("--output", required=True, metavar="DIR", help="Folder of the tokenizer.")
@engine_options
@settings_option("bpe, unigram, wordpiece or roles")
def train(corpus, algorithm, pretokenizer, vocab_size, special, user_symbol, normalizer, output, engine, changes):
    """Train a tokenizer on CORPUS…: a work folder, Parquet, JSONL with any compression, or text.

    The counts of words stay in DIR/work, so that another vocabulary size takes only the training.

    \b
        gristmill tokenizer train work --vocab-size 32000 --output tok
        gristmill tokenizer train 'crawl/*.jsonl.zst' --pretokenizer gpt2 --set bpe.min_frequency=2 --output gpt2-like
        gristmill tokenizer train books/ --algorithm unigram --normalizer nmt_nfkc --normalizer collapse \\
            --normalizer prefix --normalizer escape --output uni
        gristmill tokenizer train chats/ --algorithm unigram --special "<unk>" --user-symbol "<user>" --output chat
    """
    from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer

    given = {
        **{"algorithm": algorithm, "pretokenizer": pretokenizer, "vocab_size": vocab_size},
        **{"special_tokens": [*special] or None, "normalizers": [*normalizer] or None},
        "user_symbols": [*user_symbol],
    }
    settings, folder = tokenizer_settings(given, changes), writable(output)
    progress = shown(writable(f"{output}/work"))
    try:
        model = train_tokenizer(corpus, folder, settings, engine, progress)
    finally:
        progress.stop()
    click.echo(
        f"{output}: {model.algorithm}, {model.size:,} pieces, {len(model.merges):,} merges, pretokenizer {model.pretokenizer}"
    )


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.argument("text", required=False)
@click.option("--allow", multiple=True, metavar="TOKEN", help='Special tokens that count in the text; "all" for all.')
@click.option("--as-tokens", is_flag=True, help="Print what the ids spell, and not the ids.")
@click.option("--dropout", type=click.FloatRange(0, 1), help="BPE: pass merges over with this probability.")
@click.option("--nbest", type=click.IntRange(1), help="Unigram: so many of the best ways, each with its score.")
@click.option("--sample", is_flag=True, help="Unigram: a way that is drawn, each by its probability ** alpha.")
@click.option("--alpha", type=click.FloatRange(0), default=0.1, show_default=True, help="0: all ways alike.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), default=0, show_default=True, help="Of what is drawn.")
def encode(tokenizer, text, allow, as_tokens, dropout, nbest, sample, alpha, seed):
    """Print the ids of TEXT, or of each line of standard input. Special tokens in it are text unless allowed.

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
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    given = {"--dropout": dropout is not None, "--nbest": nbest, "--sample": sample}
    asked = [name for name, is_given in given.items() if is_given]
    if len(asked) > 1 or (asked and allow):
        raise click.UsageError(f"{asked[0]} says how text is cut: not with {asked[1] if asked[1:] else '--allow'}")
    opened, allowed = Tokenizer.load(tokenizer), "all" if "all" in allow else allow
    for number, line in enumerate([text] if text is not None else (line.rstrip("\n") for line in sys.stdin)):
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
            shown = [repr(opened.model.pieces[id].decode("utf-8", "backslashreplace")) for id in ids]
            click.echo(score + " ".join(shown if as_tokens else map(str, ids)).translate(TERMINAL))


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.argument("ids", nargs=-1, type=int)
def decode(tokenizer, ids):
    """Print the text of IDS, or of each line of ids on standard input.

    \b
        gristmill tokenizer decode tok 464 17821 12
        gristmill tokenizer encode tok "There and back" | gristmill tokenizer decode tok
    """
    from gristmill.pipelines.errors import InputError
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

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
@click.option("--count", type=click.IntRange(0), default=10, show_default=True, help="How many of each end.")
def show(tokenizer, count):
    """Say what a tokenizer is, and show its first, middle and last pieces.

    \b
        gristmill tokenizer show tok
    """
    from gristmill.pipelines.storage.files import to_path
    from gristmill.tokenizers_lab.formats.model import read_model

    model = read_model(to_path(tokenizer))
    lengths = sorted(len(piece) for piece in model.pieces)
    rows = {
        "algorithm": model.algorithm,
        "pretokenizer": model.pretokenizer,
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


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.option("--format", "kind", type=click.Choice(["hf", "tiktoken", "sentencepiece", "bert"]), required=True)
@click.option("--output", required=True, metavar="FILE")
@click.option(
    "--corpus", "corpus", multiple=True, metavar="CORPUS", help="Text to compare ids on; some of ours without it."
)
def export(tokenizer, kind, output, corpus):
    """Write a tokenizer as another library reads it, load it there, and compare the ids on a sample.

    hf is tokenizer.json, tiktoken a .tiktoken file of ranks, sentencepiece a .model, bert a vocab.txt.

    \b
        gristmill tokenizer export tok --format hf --output tokenizer.json
        gristmill tokenizer export uni --format sentencepiece --output uni.model --corpus work
    """
    from gristmill.tokenizers_lab.verify_export import export_tokenizer

    told = export_tokenizer(tokenizer, kind, output, corpus)
    click.echo(f"{output}: {told.library} gives the same ids for {told.same:,} of {told.texts:,} texts")
    if told.same < told.texts:
        click.echo(f"the first that differs: {told.first[:200]!r}".translate(TERMINAL))
        sys.exit(1)


@tokenizer.command("import")
@click.argument("file", metavar="FILE")
@click.option("--output", required=True, metavar="DIR", help="Folder of the tokenizer.")
@click.option("--pretokenizer", help="Of a .tiktoken file, which does not say it.")
@click.option("--special", multiple=True, metavar="TOKEN=ID", help="Special tokens of a .tiktoken file.")
def read(file, output, pretokenizer, special):
    """Read a tokenizer of another library: tokenizer.json (BPE over bytes), .tiktoken, SentencePiece's .model.

    \b
        gristmill tokenizer import gpt2/tokenizer.json --output gpt2
        gristmill tokenizer import cl100k_base.tiktoken --pretokenizer cl100k-tiktoken --special "<|endoftext|>=100257" \\
            --output cl100k
    """
    from gristmill.tokenizers_lab.verify_export import import_tokenizer

    model = import_tokenizer(file, output, pretokenizer, special)
    click.echo(f"{output}: {model.algorithm}, {model.size:,} pieces, pretokenizer {model.pretokenizer}")


@tokenizer.command()
@click.argument("tokenizer", metavar="TOKENIZER")
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--vocab-size", type=click.IntRange(1), required=True, help="Pieces in all, with those there are.")
@click.option("--join-words", is_flag=True, help="Let merges cross the borders of words (SuperBPE's second phase).")
@click.option("--output", required=True, metavar="DIR", help="Folder of the larger tokenizer.")
@engine_options
def extend(tokenizer, corpus, vocab_size, join_words, output, engine):
    """Add pieces to a byte-level BPE by training on with CORPUS…; the ids that there are keep their meaning.

    \b
        gristmill tokenizer extend tok medicine/ --vocab-size 40000 --output tok-medicine
        gristmill tokenizer extend tok work --vocab-size 40000 --join-words --output super
    """
    from gristmill.flows.tokenize.train_tokenizer import extend_tokenizer

    folder = writable(output)
    progress = shown(writable(f"{output}/work"))
    try:
        model = extend_tokenizer(tokenizer, corpus, folder, vocab_size, join_words, engine, progress)
    finally:
        progress.stop()
    click.echo(f"{output}: {model.size:,} pieces, {len(model.merges):,} merges")


@tokenizer.command()
@click.argument("tokenizers", nargs=-1, required=True, metavar="TOKENIZER...")
@click.option(
    "--corpus", "corpus", multiple=True, required=True, metavar="CORPUS", help="Text that none was trained on."
)
@click.option("--max-mb", type=click.FloatRange(min=0, min_open=True), default=20, show_default=True, help="Of text.")
@click.option("--plot", metavar="FILE", help="Draw bytes a token by language into FILE (PNG).")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
def compare(tokenizers, corpus, max_mb, plot, as_json):
    """Measure tokenizers on the same text: how short it gets, for whom, and how fast.

    bytes a token; fertility: tokens a word; whole: words that are one token; the language that fares worst, where
    documents have a language; used: pieces that occur; Rényi efficiency (α = 2.5, Zouhar et al. 2023); dead: pieces
    that their own text does not give; unknown: text that is lost; exact: documents that come back byte for byte.

    \b
        gristmill tokenizer compare tok gpt2 uni --corpus held-out.jsonl.zst
        gristmill tokenizer compare tok --corpus held-out.jsonl.zst --plot languages.png --json
    """
    import orjson

    from gristmill.tokenizers_lab.compare import compare_tokenizers, plot_languages

    rows = compare_tokenizers(tokenizers, corpus, max_mb)
    if plot:
        plot_languages(rows, plot)
    if as_json:
        return click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
    heads = ("pieces", "bytes/token", "fertility", "whole", "used", "Rényi", "dead", "unknown", "exact", "MB/s")
    click.echo(f"{'':<20}" + "".join(f"{head:>12}" for head in heads) + "  worst language")
    for row in rows:
        cells = [
            f"{row['vocab_size']:,}",
            f"{row['bytes_per_token']:.3f}",
            f"{row['fertility']:.3f}",
            f"{row['single_token_words']:.1%}",
        ]
        cells += [f"{row['used']:.1%}", f"{row['renyi']:.3f}", f"{row['unreachable']:,}", f"{row['unknown']:.2%}"]
        cells += [f"{row['exact']:.1%}", f"{row['mb_per_second']:.1f}"]
        worst = row["worst_language"]
        told = f"{worst}, {row['languages'][worst]:.3f} bytes a token" if worst else "not told"
        click.echo(f"{row['tokenizer'][-19:]:<20}" + "".join(f"{cell:>12}" for cell in cells) + f"  {told}")
