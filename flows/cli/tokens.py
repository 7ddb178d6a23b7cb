"""gristmill tokens"""

import click

from gristmill.flows.cli.options import whole
from gristmill.flows.cli.output import say

FORMATS = ["nanogpt", "llmc", "megatron", "datatrove", "olmo", "litdata", "mds"]


@click.group()
def tokens():
    """Inspect token shards, and convert them to and from the formats of other trainers.

    \b
        gristmill tokens inspect tokens
        gristmill tokens export tokens --format megatron --output megatron
    """


@tokens.command()
@click.argument("folder", metavar="TOKENS")
@click.option("--check", is_flag=True, help="Check all data: checksums, the largest id, the ends of documents.")
@click.option("--rows", type=whole(0), default=0, metavar="N", help="Print the first N documents as tokens.")
def inspect(folder, check, rows):
    """Print the shards in TOKENS: documents, tokens, bytes per token, and the mixture of sources.

    \b
        gristmill tokens inspect tokens
        gristmill tokens inspect tokens --check --rows 2
    """
    from gristmill.pipelines.storage.files import to_path
    from gristmill.pipelines.tokens.shards import TokenShards

    shards = TokenShards(to_path(folder))
    if check:
        shards.check()
    say(f"{'shard':<20}{'documents':>12}{'tokens':>16}{'bytes of text':>16}{'bytes per token':>17}")
    for name in shards.names():
        shard = shards.shard(name)
        size, count = int(shard.bytes.sum(dtype="int64")), shard.ids.size
        ratio = f"{size / count:>17.3f}" if size and count else f"{'unknown':>17}"
        say(f"{name:<20}{shard.ends.size:>12,}{count:>16,}{size:>16,}{ratio}")
    for source in shards.about["mixture"]:
        share = f"{source['epochs']:.2f} epochs, {source['share']:.1%} of the training tokens"
        say(f"  {source['name']}: {source['tokens']:,} tokens, {share}")
    for name in shards.names()[:1]:
        show_documents(shards, shards.shard(name), rows)


def show_documents(shards, shard, count: int) -> None:
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    if not count:
        return
    opened, begin = Tokenizer.load(shards.tokenizer), 0
    for document, end in enumerate(shard.ends[:count].tolist()):
        ids = shard.read(begin, min(end, begin + 60)).tolist()
        pieces = "|".join(opened.model.pieces[id].decode("utf-8", "backslashreplace") for id in ids)
        where = shard.documents.slice(document, 1).to_pylist()[0]
        say()
        say(f"{where['id']}: {end - begin:,} tokens")
        say(pieces, lines=True)
        begin = end


@tokens.command()
@click.argument("folder", metavar="TOKENS")
@click.argument("place", metavar="SHARD:POSITION")
@click.option("--context", type=whole(0), default=20, show_default=True, help="Tokens of text on each side.")
def trace(folder, place, context):
    """Print the document, the source and the text around the token at SHARD:POSITION.

    \b
        gristmill tokens trace tokens train-00000:1000
    """
    from gristmill.pipelines.errors import RecipeError
    from gristmill.pipelines.storage.files import to_path as path
    from gristmill.pipelines.tokens.shards import TokenShards
    from gristmill.tokenizers_lab.tokenizer import Tokenizer

    shards = TokenShards(path(folder))
    name, _, position = place.partition(":")
    if not position.isdigit():
        raise RecipeError(f"expected SHARD:POSITION, such as {shards.names()[0]}:1000, found {place!r}")
    shard, at = shards.shard(name), int(position)
    found = shard.trace(at)
    rows = {
        "document": found.id,
        "source": found.source,
        "token": f"{at - found.first:,} of {found.stop - found.first:,} of document {found.document:,}",
        "id": str(int(shard.ids[at])),
    }
    if shards.about["tokenizer"]["file"]:
        decode, ids = Tokenizer.load(shards.tokenizer).decode_ids, shard.read
        before, after = ids(max(found.first, at - context), at), ids(at + 1, min(found.stop, at + 1 + context))
        rows["text"] = f"{decode(before)}⟦{decode(ids(at, at + 1))}⟧{decode(after)}"
    for name, value in rows.items():
        say(f"{name:>10}  {value}")


@tokens.command()
@click.argument("folder", metavar="TOKENS")
@click.option("--format", "kind", type=click.Choice(FORMATS), required=True, help="Trainer that reads the files.")
@click.option("--output", required=True, metavar="FOLDER", help="Empty folder to write to.")
def export(folder, kind, output):
    """Write the shards in the format of another trainer; files that it reads unchanged are linked, not copied.

    \b
        gristmill tokens export tokens --format megatron --output megatron
    """
    from gristmill.pipelines.storage.files import to_path
    from gristmill.pipelines.tokens.export_formats import export as write
    from gristmill.pipelines.tokens.shards import TokenShards

    for file in write(TokenShards(to_path(folder)), kind, to_path(output)):
        say(str(file))


@tokens.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--format", "kind", type=click.Choice(["llmc", "megatron", "datatrove"]), required=True)
@click.option("--vocab-size", type=whole(1), required=True, help="Vocabulary size of the files' tokenizer.")
@click.option("--bos", type=whole(0), default=0, show_default=True, help="Id that begins each document.")
@click.option("--output", required=True, metavar="TOKENS", help="Folder of the token shards.")
def read(files, kind, vocab_size, bos, output):
    """Convert token files of another tool to token shards; files with "val" in their names are the validation split.

    \b
        gristmill tokens import edu_fineweb_train_*.bin edu_fineweb_val_*.bin --format llmc \\
            --vocab-size 50257 --bos 50256 --output tokens
    """
    from gristmill.pipelines.steps.step import run_step
    from gristmill.pipelines.storage.files import to_path
    from gristmill.pipelines.tokens.import_formats import import_step
    from gristmill.pipelines.tokens.shards import TokenShards

    run_step(import_step([to_path(file) for file in files], kind, vocab_size, bos, to_path(output)))
    shards = TokenShards(to_path(output))
    say(f"{output}: {shards.manifest.counts['tokens']:,} tokens in {len(shards.names()):,} shards")
