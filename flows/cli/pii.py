"""gristmill pii"""

import click

from gristmill.flows.cli.options import whole, work_options, writable
from gristmill.flows.cli.output import console, say, say_json, say_table

changes = click.option("--set", "changes", multiple=True, metavar="pii.SETTING=VALUE", help="Change a setting.")
types = click.option(
    "--types", metavar="TYPES", help="Types to find, such as email,phone; +person,-phone changes the default."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON lines.")
values = click.option(
    "--values", metavar="FILE", help="Write the detected values, in clear, to FILE; only its owner can read it."
)
HOW = ("tag", "surrogate", "hash", "mask", "remove")
CONTEXT = 60  # bytes of text shown on each side


def with_types(types: str | None, changes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the changes of settings with those of --types.

    >>> with_types("+person,-phone", ("pii.address_scope=all",))
    ('pii.types=["+person", "-phone"]', 'pii.address_scope=all')
    """
    import json

    return changes if types is None else (f"pii.types={json.dumps(types.replace(' ', '').split(','))}", *changes)


@click.group()
def pii():
    """Find personal data: e-mail and network addresses, phones, cards, accounts, national IDs, keys, wallets.

    No value is written anywhere without --values or --show.

    \b
        gristmill pii scan crawl.jsonl.zst
        gristmill pii redact crawl.jsonl.zst --output work
        gristmill pii score labeled.jsonl
    """


@pii.command()
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option("--show", type=whole(1), metavar="N", help="Show the first N values of each type, in clear.")
@values
@types
@changes
@as_json
def scan(corpus, show, values, types, changes, as_json):
    """Count the personal data in CORPUS…, by type. Nothing is changed.

    \b
        gristmill pii scan crawl.jsonl.zst --show 5
        gristmill pii scan crawl.jsonl.zst --json --types phone --set 'pii.phone_regions=["DE"]'
    """
    from collections import Counter, defaultdict
    from contextlib import ExitStack

    from gristmill.flows.clean.pii import pii_recipe, scan, values_file, with_values

    spans: Counter[str] = Counter()
    shown: Counter[str] = Counter()
    documents, count = defaultdict(set), 0
    with ExitStack() as files:
        write = files.enter_context(values_file(values)) if values else None
        for table, found in scan(pii_recipe(corpus, with_types(types, changes))):
            for each in found:
                spans[each["type"]] += 1
                documents[each["type"]].add(count + each["row"])
                if as_json:
                    say_json({key: each[key] for key in ("id", "type", "start", "end")})
            for each in with_values(table, found, CONTEXT) if write or show else ():
                if write:
                    write(each)
                if show and shown[each["type"]] < show:
                    shown[each["type"]] += 1
                    say(f"{each['type']:<16}{each['before']}", nl=False)
                    say(f"⟦{each['value']}⟧", nl=False, bold=True)
                    say(each["after"])
            count += len(table)
    if not as_json:
        for type, number in spans.most_common():
            say(f"{number:>12,}  in {len(documents[type]):>9,} documents  {type}")
    console.print(f"of {count:,} documents")


@pii.command()
@click.option("--replacement", type=click.Choice(HOW), help="Replacement for all types. [tag]")
@values
@types
@work_options
def redact(corpus, replacement, values, types, work, engine, changes):
    """Replace personal data in CORPUS…, and drop documents with too much of it (pii.max_spans_per_kb).

    \b
        gristmill pii redact crawl.jsonl.zst --output work
        gristmill pii redact crawl.jsonl.zst --replacement surrogate --set pii.key_file=pii.key
        gristmill pii redact crawl.jsonl.zst --set 'pii.replacements={phone = "mask"}' --values found.jsonl
    """
    from gristmill.flows.clean.pii import pii_recipe, values_file, values_of
    from gristmill.flows.cli.clean import report, run

    chosen = (f"pii.replacement={replacement}",) if replacement else ()
    folder = writable(work)
    summary = run(pii_recipe(corpus, (*chosen, *with_types(types, changes))), folder, engine)
    report(summary, work)
    if values:
        with values_file(values) as write:
            for each in values_of(folder):
                write(each)


@pii.command()
@click.argument("labeled", metavar="LABELED")
@click.option("--spans", "tools", multiple=True, metavar="FILE", help="Spans of another tool, to score too.")
@click.option("--lines", is_flag=True, help="Count only lines with a label or a decoy.")
@click.option("--show", type=whole(1), metavar="N", help="Show N false and missed spans per type, in clear.")
@types
@changes
@as_json
def score(labeled, tools, lines, show, types, changes, as_json):
    """Print precision, recall and F1 by type on LABELED: JSON lines with text and pii: [{start, end, type}].

    Positions are in characters. A span is correct if both ends and the type are. The FILE of --spans holds JSON lines
    of id, start, end and type, such as Presidio's results.

    \b
        gristmill pii score labeled.jsonl --set pii.address_scope=all --show 10
        gristmill pii score labeled.jsonl --spans presidio.jsonl --json
    """
    from typing import cast

    from gristmill.filters.pii.evaluate import pii_detector, read_labeled, score
    from gristmill.filters.pii.filter import PiiFilter
    from gristmill.flows.clean.pii import finder_of, pii_recipe

    documents, settings = (
        read_labeled(labeled),
        cast(PiiFilter, pii_recipe([], with_types(types, changes)).steps["pii"]),
    )
    finders = {"gristmill": pii_detector(settings)}
    finders |= {path: finder_of(path, [each.id for each in documents]) for path in tools}
    for name, finder in finders.items():
        scores = score(documents, finder, settings.types, lines)
        if as_json:
            for type, each in scores.types.items():
                row = {"finder": name, "type": type, **each._asdict()}
                row |= {key: round(getattr(each, key), 4) for key in ("precision", "recall", "f1")}
                say_json(row)
            continue
        say_table(table(name, scores))
        others = ", ".join(f"{count:,} {type}" for type, count in scores.unlabeled.items()) or "nothing"
        say(f"{scores.decoys_hit} of {scores.decoys} decoys touched; detected of unlabeled types: {others}")
        say()
        for type in [*scores.types, *scores.unlabeled] if show else ():
            for miss in [miss for miss in scores.mismatches if miss.type == type][:show]:
                say(f"{miss.kind:<7}{type:<16}{miss.text!s:<32} {miss.context}")


def table(name: str, scores):
    """Return a table with one row per type."""
    from rich.table import Table

    head = Table(name, "correct", "false", "missed", "precision", "recall", "F1", box=None, pad_edge=False)
    for column in head.columns[1:]:
        column.justify = "right"
    for type, each in scores.types.items():
        shares = (f"{share:.4f}" for share in (each.precision, each.recall, each.f1))
        head.add_row(type, *(f"{number:,}" for number in each), *shares)
    return head
