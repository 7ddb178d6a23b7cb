"""SuperBPE and parity-aware BPE against BPE: bytes per token of held-out novels, and tokens of 60 languages.

    python -m benchmarks.better_tokenizers DATA [superwords] [parity] [--english-mb 40]

- *superwords*: BPE and SuperBPE of 32,000 pieces trained on seven eighths of the novels; bytes per token of the others.
- *parity*: megabytes of novels and the first half of the Universal Declaration of Human Rights in 60 languages, between
  2.5 and 60 kB each; tokens of its second half, which says the same in all of them. "Worst" and "mean" are tokens of a
  language, relative to those of English.
"""

import json
import tempfile
from pathlib import Path

import click
import numpy as np

from benchmarks.inputs import read
from benchmarks.ngram import novels
from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import to_path
from gristmill.tokenizers_lab.tokenizer import Tokenizer

VOCABULARY = 32_000
LEAST, LANGUAGES = 5000, 60  # bytes of half a declaration


def trained(folder: Path, rows: list[dict], changes: tuple[str, ...] = (), **options: str) -> Tokenizer:
    """Train a tokenizer on rows with text and language."""
    corpus = folder / "corpus.jsonl"
    corpus.write_text("".join(json.dumps({"id": str(i), **row}) + "\n" for i, row in enumerate(rows)))
    settings = tokenizer_settings({"vocab_size": VOCABULARY, **options}, changes)
    output = to_path(tempfile.mkdtemp(dir=folder))
    return Tokenizer(train_tokenizer([str(corpus)], output, settings))


def tokens(tokenizer: Tokenizer, texts: list[str]) -> int:
    return int(tokenizer(Ragged.from_strings(texts)).data.size)


def superwords(data: Path, folder: Path, english_mb: float) -> None:
    rows, held = [{"text": text} for text in novels(data, False)], novels(data, True)
    size, plain = sum(len(text.encode()) for text in held), 0.0
    for transition in (None, 0.9, 0.5):
        options = {"algorithm": "superbpe"} if transition else {}
        made = trained(folder, rows, (f"superbpe.transition={transition}",) if transition else (), **options)
        rate = size / tokens(made, held)
        plain = plain or rate
        name = f"superbpe, transition {transition}" if transition else "bpe"
        click.echo(f"{name:28} {rate:.3f} bytes per token  {rate / plain - 1:+.1%}")


def declarations(data: Path) -> dict[str, tuple[str, str]]:
    """Return two halves of the declaration for each language, English and the first by their codes with enough text."""
    texts = {row["id"].partition("/")[2]: row["text"] for row in read(data, "langid_udhr2")}
    chosen = [name for name in sorted(texts) if len(texts[name].encode()) >= 2 * LEAST and name != "eng"]
    step = len(chosen) // (LANGUAGES - 1)
    return {name: halves(texts[name]) for name in ["eng", *chosen[::step][: LANGUAGES - 1]]}


def halves(text: str) -> tuple[str, str]:
    lines = text.split("\n")
    return "\n".join(lines[: len(lines) // 2]), "\n".join(lines[len(lines) // 2 :])


def parity(data: Path, folder: Path, english_mb: float) -> None:
    found, rows, left = declarations(data), [], int(english_mb * 1e6)
    for text in novels(data, False) + novels(data, True):
        rows.append({"text": text[:left], "language": "eng"})
        left -= len(rows[-1]["text"])
    rows += [{"text": first, "language": name} for name, (first, _) in found.items()]
    plain = 0
    for share in (None, 0.9, 0.8, 0.5, 0.0):
        changes = ("parity.column=language", f"parity.global_share={share}") if share is not None else ()
        made = trained(folder, rows, changes)
        costs = np.array([tokens(made, [second]) for _, second in found.values()])
        cost, spent = costs / costs[0], tokens(made, [row["text"] for row in rows])
        plain = plain or spent
        name = "bpe" if share is None else f"parity, global share {share}"
        line = f"worst {cost.max():.2f}, mean {cost.mean():.2f}, tokens of the training text {spent / plain - 1:+.1%}"
        click.echo(f"{name:28} {line}, of the second half {costs.sum():,}")


PARTS = {"superwords": superwords, "parity": parity}


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS]))
@click.option("--english-mb", default=40.0, show_default=True)
def main(data: Path, parts: tuple[str, ...], english_mb: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in parts or PARTS:
            PARTS[name](data, Path(folder), english_mb)


if __name__ == "__main__":
    main()
