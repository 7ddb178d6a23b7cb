"""The page about scale has the tables that the script makes of the measured figures, and the script multiplies."""

import copy
import json

from benchmarks.simulate import FIGURES, PAGE, kind_of, measured, of_kind, simulated

FOUND = json.loads(FIGURES.read_text())


def cell(table, row):
    (line,) = (line for line in table.splitlines() if line.startswith(f"| {row} |"))
    return [float(each.replace(",", "")) for each in line.split(" | ")[1:] for each in [each.strip(" |")]]


def test_the_page_has_the_tables_of_the_script():
    page = PAGE.read_text()
    for name, table in (("measured", measured(FOUND)), ("simulated", simulated(FOUND))):
        assert f"<!-- {name} -->\n{table}\n<!-- /{name} -->" in page


def test_every_figure_follows_from_one_that_was_measured():
    row, kinds = FOUND["sizes"][-1], ("shards", "bounded", "corpus")
    steps = sum(step["cpu"] for step in row["steps"].values())
    assert abs(sum(of_kind(row, kind) for kind in kinds) - 1000 * steps / row["mb"]) < 0.01
    table = simulated(FOUND)
    small, large = cell(table, "jobs over one shard: CPU hours")
    assert abs(small - 1000 * of_kind(row, "shards") / 3600) < 1 and abs(large - 100 * small) < 100
    twice = copy.deepcopy(FOUND)
    for step in twice["sizes"][-1]["steps"].values():
        step["read"] *= 2
    for before, after in zip(
        cell(table, "read by these, TB"), cell(simulated(twice), "read by these, TB"), strict=True
    ):
        assert abs(after - 2 * before) < 0.02


def test_a_step_over_the_corpus_is_told_from_jobs_over_shards():
    assert kind_of("decide near_duplicates") == kind_of("link duplicates") == "corpus"
    assert kind_of("decide pii") == kind_of("decide language, code, c4") == kind_of("apply") == "shards"
    assert kind_of("cross_fit_perplexity models") == "bounded"
