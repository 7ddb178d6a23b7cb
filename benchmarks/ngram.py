"""n-gram models: perplexity, equality with KenLM, detection of noise, speed and memory.

    python -m benchmarks.ngram DATA [quality] [kenlm] [noise] [speed]

Without names all four benchmarks run:

- *quality*: perplexity of held-out novels with modified Kneser-Ney, Kneser-Ney with one discount, and add-one.
- *kenlm*: 10,000 real lines scored by the model, and by KenLM with the model's ARPA file: the largest difference, and
  both speeds.
- *noise*: area under the ROC curve, real prose against planted low quality. The scores come from a model trained on
  novels and a reference distribution of held-out novels.
- *speed*: CPU seconds and memory to train a 5-gram model on 100 MB of English, and MB/s to score the same text.
"""

import resource
import tempfile
import time
from pathlib import Path

import click
import numpy as np
from upath import UPath

from benchmarks.inputs import english, read
from gristmill.filters.classifier.roc import RocCurve
from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.document_scores import score_documents
from gristmill.filters.ngram.formats.arpa import write_arpa
from gristmill.filters.ngram.model import NGram
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.perplexity.mahalanobis import MahalanobisModel
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.ragged import Ragged

BATCH = 8 << 20  # bytes
PROSE = ("essay", "speech", "wiki")  # kinds of messy; its novels come from prose_novels
SENTENCES = 10_000
PIECE = 3000  # characters of a novel, about the length of a document of messy


def batches(texts: list[str]) -> list[Batch]:
    """Return the texts in new batches of about 8 MB, which have no words split yet."""
    groups, size = [[]], 0
    for text in texts:
        if size > BATCH:
            groups, size = [*groups, []], 0
        groups[-1].append(text)
        size += len(text)
    return [Batch(Ragged.from_strings(group)) for group in groups]


def novels(data: Path, held_out: bool) -> list[str]:
    """Return every eighth novel if ``held_out``, otherwise the other novels."""
    rows = list(read(data, "prose_novels"))
    return [row["text"] for i, row in enumerate(rows) if (i % 8 == 0) == held_out]


def perplexity(model: NGram, parts: list[Batch]) -> float:
    found = [score_documents(model, batch)[0] for batch in parts]
    return 10 ** (-sum(f.log10.sum() for f in found) / sum(f.tokens.sum() for f in found))


def add_one(model: NGram, trained: list[Batch], held: list[Batch], order: int) -> float:
    """Return the perplexity of add-one smoothing with n-grams of ``order`` words."""

    def grams(parts: list[Batch], length: int) -> np.ndarray:
        ids = np.concatenate([model.stream(batch).ids for batch in parts]).astype(np.uint64)
        key = np.zeros(ids.size, np.uint64)
        for k in range(length - 1, -1, -1):  # hash of the n-gram that ends here
            key = key * GOLDEN_RATIO + np.roll(ids, k) + np.uint64(1)
        return key, ids != BEGIN

    total = []
    for shift, length in ((0, order), (1, order - 1)):
        key, _ = grams(trained, length)
        known, counts = np.unique(key, return_counts=True)
        queries, real = grams(held, length)
        at = np.minimum(np.searchsorted(known, queries), known.size - 1)
        total.append(np.roll(np.where(known[at] == queries, counts[at], 0), shift)[real])
    gram, context = total
    return float(np.exp(-np.log((gram + 1) / (context + model.vocabulary.size - 1)).mean()))


def quality(data: Path) -> None:
    trained, held = batches(novels(data, False)[:24]), batches(novels(data, True)[:4])
    words = {"max_words": 50_000}
    modified = train(trained, NGramSettings(**words))
    single = train(trained, NGramSettings(modified_kneser_ney=False, **words))
    click.echo(f"held-out perplexity, word 5-gram: modified Kneser-Ney {perplexity(modified, held):.1f}, ", nl=False)
    click.echo(f"one discount {perplexity(single, held):.1f}, ", nl=False)
    click.echo(
        f"add-one {add_one(modified, trained, held, 5):,.0f} (2-gram {add_one(modified, trained, held, 2):,.0f})"
    )


def kenlm(data: Path) -> None:
    import kenlm

    model = train(batches(novels(data, False)[:12]), NGramSettings())
    lines = [line for text in novels(data, True) for line in text.splitlines() if line.strip()][:SENTENCES]
    (batch,) = batches(["\n\n".join(lines)])
    stream = model.stream(batch)
    words = [model.vocabulary.words.row(i).decode() for i in range(model.vocabulary.size)]
    places = [(a, b) for a, b in zip(stream.lines, stream.lines[1:], strict=False) if b > a]
    sentences = [" ".join([words[i] for i in stream.ids[a + 1 : b - 1]]) for a, b in places]
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/m.arpa", "wb") as file:
            write_arpa(model, file)
        theirs = kenlm.Model(f"{folder}/m.arpa")
    model.score(stream.ids[:100])
    began = time.process_time()
    scores = model.score(stream.ids)
    ours, began = time.process_time() - began, time.process_time()
    for sentence in sentences:
        theirs.score(sentence)
    peer = time.process_time() - began
    found = np.array([scores[a:b].sum(dtype=np.float64) for a, b in places])
    # KenLM sums in single precision, with an error of 8e-4 on a long paragraph.
    expected = np.array([sum(p for p, _, _ in theirs.full_scores(sentence)) for sentence in sentences])
    worst = np.abs(found - expected).max()
    click.echo(f"{len(sentences):,} lines: largest difference from KenLM {worst:.1e}; ", nl=False)
    rate = stream.ids.size / 1e6
    click.echo(f"gristmill {rate / ours:.1f}, KenLM {rate / peer:.1f} million ids per second: {peer / ours:.1f} times")


def noise(data: Path) -> None:
    """Print ROC areas of Mahalanobis distance, distance from the median log perplexity, log perplexity."""
    model = train(batches(novels(data, False)), NGramSettings())
    pieces = [text[at : at + PIECE] for text in novels(data, True) for at in range(0, len(text), PIECE)]
    sample = measured(model, pieces)
    typical, usual = MahalanobisModel.from_measures(*sample), np.median(np.log(sample[0]))
    groups, texts = [], []
    for row in read(data, "messy"):
        labels = row["labels"]
        if "low_quality" in labels["issues"]:
            groups.append(labels["low_quality"])
            texts.append(row["text"])
        elif labels["kind"] in PROSE and labels["language"] == "en" and not labels["issues"]:
            groups.append("prose")
            texts.append(row["text"])
    found, groups = measured(model, texts), np.array(groups)
    distance, surprise = typical.distance(*found), np.log(np.maximum(found[0], 1))
    columns = {"distance": distance, "two-sided": np.abs(surprise - usual), "perplexity": surprise}
    click.echo(f"{'area under the ROC curve':<24}{'documents':>10}" + "".join(f"{name:>12}" for name in columns))
    good = groups == "prose"
    for name in ["all", *np.unique(groups[~good])]:
        bad = ~good if name == "all" else groups == name
        areas = "".join(
            f"{RocCurve.from_scores(values[bad], values[good]).auc():>12.3f}" for values in columns.values()
        )
        click.echo(f"{name:<24}{bad.sum():>10}{areas}")


def measured(model: NGram, texts: list[str]) -> list[np.ndarray]:
    """Return the perplexity, bits per byte and context gain of each text."""
    rows = []
    for batch in batches(texts):
        found, _ = score_documents(model, batch)
        rows.append((found.perplexity(), found.bits_per_byte(np.diff(batch.text.offsets)), found.context_gain()))
    return [np.concatenate(column) for column in zip(*rows, strict=True)]


def released_batches(texts: list[str]):
    """Yield batches without keeping a reference, so that their words are freed after use."""
    parts = batches(texts)[::-1]
    while parts:
        yield parts.pop()


def speed(data: Path) -> None:
    parts = [text for _, text in english(data)]
    size = sum(len(text.encode()) for text in parts) / 1e6
    train(batches(parts[:50]), NGramSettings(discount_fallback=[0.5, 1, 1.5]))  # compiles
    work = released_batches(parts)
    began = time.process_time()
    model = train(work, NGramSettings())
    spent = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    with tempfile.TemporaryDirectory() as folder:
        model.save(UPath(folder) / "m")
        model = NGram.open(UPath(folder) / "m")
        size_on_disk = (UPath(folder) / "m").stat().st_size
        score_documents(model, batches(parts[:50])[0])
        work = list(released_batches(parts))  # new batches, with no words split yet
        began = time.process_time()
        tokens = sum(int(score_documents(model, batch)[0].tokens.sum()) for batch in work)
        scored = time.process_time() - began
    click.echo(
        f"5-gram on {size:.0f} MB: {spent:.1f} CPU s, {peak:.2f} GB peak, {size_on_disk / 1e6:,.0f} MB file; ",
        nl=False,
    )
    click.echo(
        f"scoring, with word splitting: {size / scored:.1f} MB/s, {tokens / scored / 1e6:.2f} million tokens per second"
    )


BENCHMARKS = {"quality": quality, "kenlm": kenlm, "noise": noise, "speed": speed}


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.argument("which", nargs=-1, type=click.Choice(BENCHMARKS))
def main(data, which):
    """Run the n-gram benchmarks WHICH (default all) on the development data in DATA."""
    for name in which or BENCHMARKS:
        BENCHMARKS[name](data)


if __name__ == "__main__":
    main()
