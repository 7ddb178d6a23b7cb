"""gristmill compare-rules"""

import click

from gristmill.flows.cli.output import say, say_json


@click.command(name="compare-rules")
@click.option("--variants", required=True, metavar="A,B", help="Variants to compare; A:spacy sets the words of one.")
@click.option("--words", default="unicode", show_default=True, help="Word splitter of the variants: unicode or spacy.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per rule set.")
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...")
def compare_rules(variants, words, as_json, corpora):
    """Compare the decisions of two variants of Gopher, C4 and FineWeb on the documents in CORPUS…

    Each rule set is applied on its own, without a language profile. For each, the command prints the share of
    documents with equal decisions. Documents that only one variant removes are listed by their first violation there:
    their number, and for a few samples the id, and value and threshold in both variants.

    \b
        gristmill compare-rules --variants gristmill,datatrove-0.10.1 crawl.jsonl.zst
        gristmill compare-rules --variants datatrove-0.10.1,datatrove-0.10.1:spacy crawl.jsonl.zst
    """
    from dataclasses import asdict

    from gristmill.filters.compare_variants import compare_rules, parse_variants

    one, other = parse_variants(variants, words)
    comparisons = compare_rules(one, other, corpora)
    if as_json:
        for comparison in comparisons:
            differences = [asdict(difference) for difference in comparison.differences.values()]
            say_json({**asdict(comparison), "differences": differences})
        return
    say(f"{comparisons[0].documents:,} documents; a: {one}, b: {other}")
    for comparison in comparisons:
        say()
        for line in _lines(comparison, str(one), str(other)):
            say(line)


def _lines(comparison, one: str, other: str):
    documents = max(comparison.documents, 1)
    removed = " ".join(f"{side} {comparison.removed[name]:,}" for side, name in (("a", one), ("b", other)))
    agree, same = comparison.agree / documents, comparison.same_reason / documents
    yield f"{comparison.rule_set}: {agree:.2%} equal decisions, {same:.2%} equal reasons; removed by {removed}"
    for difference in sorted(comparison.differences.values(), key=lambda each: -each.documents):
        yield f"{difference.documents:>10,}  only {'a' if difference.removed_by == one else 'b'}  {difference.rule}"
        for sample in difference.samples:
            yield f"{'':18}{sample['id']}  a {_format(sample[one])}  b {_format(sample[other])}"


def _format(value: dict | None) -> str:
    if value is None:
        return "-"
    threshold = "off" if value["threshold"] is None else f"{value['breaks']} {value['threshold']:g}"
    return f"{value['value']:.4g} ({threshold})"
