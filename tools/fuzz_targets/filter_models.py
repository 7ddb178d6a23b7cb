"""Models of filters: fastText classifiers, n-gram models, ARPA."""

import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from upath import UPath

from gristmill.pipelines.ragged import Ragged
from tools.fuzz_mutations import Field, find_json
from tools.fuzz_targets.target import LINES, TEXTS, Target, arrays, rows


def build_fasttext(folder: Path) -> None:
    """Write a trained classifier, and models as other people publish them: quantized and pruned, with a tree."""
    from gristmill.filters.fasttext.format import write_fasttext
    from gristmill.filters.fasttext.train import FastTextSettings, train
    from tests.reference.fasttext_model import write_model

    settings = FastTextSettings(dim=3, epochs=1, buckets=20, min_n=2, max_n=3)
    trained = train([rows()], np.arange(len(TEXTS)) % 2, ["a", "b"], settings)
    (folder / "trained").mkdir()
    write_fasttext(UPath(folder / "trained" / "model.bin"), *trained)
    for name, loss, quantized in (("softmax", 3, False), ("tree", 1, True)):
        (folder / name).mkdir()
        kind: dict[str, Any] = {"loss": loss, "min_n": 2, "max_n": 4, "word_ngrams": 2, "quantized": quantized}
        write_model(folder / name / "model.bin", seed=1, **kind)


def use_fasttext(case: Path) -> None:
    """Classify documents, and ask for the probability of a label."""
    from gristmill.filters.fasttext.format import read_fasttext
    from gristmill.filters.fasttext.predict import FastTextPredictor

    predictor = FastTextPredictor(read_fasttext(case / "model.bin"))
    predictor.predict(rows())
    predictor.probability(rows(), predictor.labels[0])


def fasttext_fields(name: str, data: bytes) -> list[Field]:
    """Return the header, the counts of labels, the table of kept buckets and the sizes of matrices."""
    counts, (kept,) = struct.unpack_from("<3i", data, 64), struct.unpack_from("<q", data, 84)
    parts, at = [("header", 0, 14, "<i"), ("sizes", 64, 3, "<i"), ("tokens", 76, 2, "<q")], 92
    for _ in range(counts[0]):
        at = data.index(b"\0", at) + 10
        parts.append(("count", at - 9, 1, "<q"))
    if kept > 0:
        parts, at = [*parts, ("kept", at, 2 * kept, "<i")], at + 8 * kept
    quantized = data[at]
    parts += [("flags", at, 2, "<B"), ("matrix", at + 1 + quantized, 2, "<q")]
    at += 17 + quantized
    if quantized:
        (codes,) = struct.unpack_from("<i", data, at)
        parts += [("codes", at, 1, "<i"), ("quantizer", at + 4 + codes, 4, "<i")]
    else:
        wide, tall = struct.unpack_from("<2q", data, at - 16)
        parts.append(("output", at + 4 * wide * tall + 1, 2, "<q"))
    return arrays(parts)[:90]


def ngram_settings(**more: Any):
    """Return the settings of a small n-gram model."""
    from gristmill.filters.ngram.train import NGramSettings

    return NGramSettings(order=3, discount_fallback=[0.5, 1.0, 1.5], **more)


def build_ngram(folder: Path) -> None:
    """Write models of words, exact and quantized, and a model of token ids."""
    from gristmill.filters.core.batch import Batch
    from gristmill.filters.ngram.train import train, train_on_ids

    for name, quantize in (("exact", False), ("quantized", True)):
        train([Batch(rows())], ngram_settings(quantize=quantize)).save(UPath(folder / name / "model"))
    ids = np.array([1, 3, 4, 5, 1, 3, 4, 6, 1, 7, 3, 4, 5, 1, 8, 9], np.uint32)
    train_on_ids([ids], 10, ngram_settings(), "tokens").save(UPath(folder / "ids" / "model"))


def use_ngram(case: Path) -> None:
    """Score documents and write the model as ARPA."""
    import io

    from gristmill.filters.core.batch import Batch
    from gristmill.filters.ngram.document_scores import score_documents
    from gristmill.filters.ngram.formats.arpa import write_arpa
    from gristmill.filters.ngram.model import WORDS, NGram

    model = NGram.open(UPath(case / "model"))
    if model.metadata["units"] == WORDS:
        score_documents(model, Batch(rows()))
    model.score(np.arange(model.vocabulary.size, dtype=np.uint32)[:500])
    write_arpa(model, io.BytesIO(), str(case / "model"))


def ngram_fields(name: str, data: bytes) -> list[Field]:
    """Return the first numbers of each array."""
    layout, start = find_json(data).value["arrays"], data.index(b"\n") + 1  # type: ignore[union-attr]
    return arrays(
        [
            (array, start + at, int(np.prod(shape)), {1: "<B", 4: "<I", 8: "<Q"}[np.dtype(kind).itemsize])
            for array, (kind, shape, at) in layout.items()
        ]
    )


def build_arpa(folder: Path) -> None:
    """Write a model as ARPA."""
    from gristmill.filters.core.batch import Batch
    from gristmill.filters.ngram.formats.arpa import write_arpa
    from gristmill.filters.ngram.train import train

    (folder / "words").mkdir()
    with (folder / "words" / "model.arpa").open("wb") as file:
        write_arpa(train([Batch(Ragged.from_strings(list(LINES[:2])))], ngram_settings()), file)


def use_arpa(case: Path) -> None:
    """Convert the model to ours, and score with it."""
    from gristmill.flows.models.ngram import export

    with tempfile.TemporaryDirectory() as scratch:
        export(str(case / "model.arpa"), f"{scratch}/model")
        use_ngram(Path(scratch))


TARGETS = {
    "fasttext": Target(build_fasttext, use_fasttext, fasttext_fields),
    "ngram": Target(build_ngram, use_ngram, ngram_fields),
    "arpa": Target(build_arpa, use_arpa),
}
