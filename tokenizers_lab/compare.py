"""Compare tokenizers on one text: a table of measures, and a plot of bytes per token by language."""

import io
from collections.abc import Sequence

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ingest.ingest import InputSettings, read_documents
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.storage.files import atomic_write, to_path
from gristmill.tokenizers_lab.evaluate import measure
from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer

LANGUAGE = "language"
MAX_LANGUAGES = 24  # in the plot
SUFFIXES = (".png", ".svg", ".pdf")


def compare_tokenizers(tokenizers: Sequence[str], corpus: Sequence[str], max_mb: float) -> list[dict]:
    """Measure each tokenizer on the same documents, up to ``max_mb`` of text; return one row per tokenizer.

    Raises InputError if the corpus holds no documents.
    """
    texts, languages = read_texts(corpus, max_mb)
    rows = Ragged.from_strings(texts)
    return [{"tokenizer": path, **measure(open_tokenizer(path), rows, languages)} for path in tokenizers]


def read_texts(corpus: Sequence[str], max_mb: float) -> tuple[list[str], list[str]]:
    """Return documents, up to ``max_mb`` of text, and their languages, "" if unknown. Raises InputError for none."""
    texts, languages, left = [], [], max_mb * 1e6
    for table in read_documents([*corpus], InputSettings()):
        names = table[LANGUAGE].to_pylist() if LANGUAGE in table.column_names else [""] * len(table)
        for text, language in zip(table[TEXT].to_pylist(), names, strict=True):
            if left > 0:
                texts.append(text)
                languages.append(language or "")
                left -= len(text.encode())
    if not texts:
        raise InputError(f"{' '.join(corpus)} holds no documents; name a corpus to compare tokenizers on")
    return texts, languages


def plot_languages(rows: list[dict], file: str) -> None:
    """Plot bytes per token by language, a bar per tokenizer; the suffix names the format (.png, .svg, .pdf)."""
    path = to_path(file)
    if path.suffix not in SUFFIXES:
        raise RecipeError(f"{file}: expected a name that ends in {', '.join(SUFFIXES)}")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = sorted({name for row in rows for name in row["languages"]})[:MAX_LANGUAGES] or ["all"]
    figure = Figure(figsize=(8, 1.2 + 0.3 * len(names) * max(1, len(rows) / 2)), dpi=120, layout="constrained")
    axes, height = FigureCanvasAgg(figure).figure.subplots(), 0.8 / len(rows)
    for i, row in enumerate(rows):
        values = [row["languages"].get(name, row["bytes_per_token"] if name == "all" else 0) for name in names]
        axes.barh([k + i * height for k in range(len(names))], values, height, label=row["tokenizer"])
    axes.set_yticks([k + 0.4 - height / 2 for k in range(len(names))], names)
    axes.invert_yaxis()
    axes.set(xlabel="bytes per token (higher is better)")
    axes.grid(alpha=0.3, axis="x")
    axes.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:])
    with atomic_write(path) as target:
        target.write(buffer.getvalue())
