"""gristmill compare-rules"""

import click


@click.command(name="compare-rules")
@click.option("--variants", required=True, metavar="A,B", help="Two variants; each may name its words: A:spacy.")
@click.option("--words", default="unicode", show_default=True, help="The words that variants count, unicode or spacy.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a rule set.")
@click.argument("corpora", nargs=-1, required=True, metavar="CORPUS...")
def compare_rules(variants, words, as_json, corpora):
    """Compare what two variants of Gopher, C4 and FineWeb make of the documents in CORPUS…

    Each rule set judges every document by itself, without a language profile. Shown are the share of documents that
    both keep or both remove, and those that only one removes, by the first rule they break there: how many, and of a
    few the id, the value on both sides and the threshold.

    \b
        gristmill compare-rules --variants gristmill,datatrove-0.10.1 crawl.jsonl.zst
        gristmill compare-rules --variants datatrove-0.10.1,datatrove-0.10.1:spacy crawl.jsonl.zst
    """
    import json
    from dataclasses import asdict

    from gristmill.filters.compare_variants import compare_rules, parse_variants

    one, other = parse_variants(variants, words)
    comparisons = compare_rules(one, other, corpora)
    if as_json:
        for comparison in comparisons:
            differences = [asdict(difference) for difference in comparison.differences.values()]
            click.echo(json.dumps({**asdict(comparison), "differences": differences}))
        return
    click.echo(f"{comparisons[0].documents:,} documents; a: {one}, b: {other}")
    for comparison in comparisons:
        click.echo("\n".join(_lines(comparison, str(one), str(other))))


def _lines(comparison, one: str, other: str):
    documents = max(comparison.documents, 1)
    removed = " ".join(f"{side} {comparison.removed[name]:,}" for side, name in (("a", one), ("b", other)))
    agree, same = comparison.agree / documents, comparison.same_reason / documents
    yield f"\n{comparison.rule_set}: {agree:.2%} decided alike, {same:.2%} for the same reason; removed by {removed}"
    for found in sorted(comparison.differences.values(), key=lambda found: -found.documents):
        yield f"{found.documents:>10,}  only {'a' if found.removed_by == one else 'b'}  {found.rule}"
        for sample in found.samples:
            yield f"{'':18}{sample['id']}  a {_shown(sample[one])}  b {_shown(sample[other])}"


def _shown(value: dict | None) -> str:
    if value is None:
        return "-"
    threshold = "off" if value["threshold"] is None else f"{value['breaks']} {value['threshold']:g}"
    return f"{value['value']:.4g} ({threshold})"
