"""Quantization for the command line: a quantized run from a run, and what it costs."""

from collections.abc import Iterable
from time import process_time
from typing import Any

from upath import UPath

from gristmill.flows.models.pretraining import open_model, open_splits, parse_changes, read_table
from gristmill.pipelines.errors import InputError, WorkError
from gristmill.pipelines.storage.figures import new_figure, write_png
from gristmill.pipelines.storage.files import atomic_write, checksum, to_path
from gristmill.pipelines.storage.manifest import Manifest, Part, fingerprint
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.evaluation.perplexity import score_documents
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.quantize.layers import quantize_model
from gristmill.pretrain.quantize.scheme import QuantizeSettings
from gristmill.pretrain.training.checkpoint import MODEL, SHAPE, describe, save_model, weights, write_json
from gristmill.pretrain.training.run import SUMMARY
from gristmill.tokenizers_lab.chat.template import FILE as TEMPLATE_FILE
from gristmill.tokenizers_lab.formats.detect import CONFIG, find_file

PICTURE = "quantization.png"


def quantize_run(
    run: str, output: str, bits: int, group: int | None, tokens: str | None, changes: Iterable[str]
) -> dict[str, Any]:
    """Write the quantized model of a run for ``gristmill quantize``; return sizes, errors and, on tokens, perplexities.

    Raises WorkError if the output holds other files, or the tokens no validation split.
    """
    per = {"per": "group", "group": group} if group else {}
    settings = read_table(
        QuantizeSettings, parse_changes(changes, ["quantize"], quantize={"bits": bits, **per}), "quantize"
    )
    model, folder, source = open_model(run), to_path(output), to_path(run)
    if folder.is_dir() and any(folder.iterdir()) and not (folder / PICTURE).exists():
        raise WorkError(f"{output} holds files that are not of a quantized run; choose another --output or empty it")
    held_out = _validation(tokens) if tokens else None
    before = {"bytes": model_bytes(model)} | (_scores(model, held_out) if held_out else {})
    errors = quantize_model(model, settings)
    deviations = {name: error.sqrt().item() for name, error in errors.items()}
    after = {"bytes": model_bytes(model)} | (_scores(model, held_out) if held_out else {})
    summary = {"layers": len(errors), "error": deviations, "before": before, "after": after}
    save_model(folder, model)
    stable = [{name: value for name, value in part.items() if name != "tokens_per_second"} for part in (before, after)]
    write_json(folder / SUMMARY, {**summary, "before": stable[0], "after": stable[1]})
    _draw(folder / PICTURE, deviations, f"{bits} bits per weight, per {settings.per}")
    files = [MODEL, SHAPE, SUMMARY]
    for name in _tokenizer_files(source):
        with atomic_write(folder / name) as file:
            file.write((source / name).read_bytes())
    about = {**describe(model), "weights": checksum(folder / MODEL)}
    Manifest(fingerprint(about), about, {"run": Part.from_files(folder, fingerprint(about), files, {})}).write(folder)
    return summary


def _tokenizer_files(folder: UPath) -> list[str]:
    """Return the names of the tokenizer in a folder, ours or another library's, and of the files that belong to it."""
    try:
        found = [find_file(folder).name]
    except InputError:
        return []
    return [*found, *(name for name in (CONFIG, TEMPLATE_FILE) if (folder / name).is_file())]


def model_bytes(model: LanguageModel) -> int:
    """Return the bytes of all weights."""
    return sum(each.numel() * each.element_size() for each in weights(model).values())


def _validation(tokens: str) -> TokenSplit:
    _, held_out, _ = open_splits(tokens)
    if not held_out:
        raise WorkError(f"{tokens} has no validation split; tokenize again with tokens.validation above 0")
    return held_out


def _scores(model: LanguageModel, tokens: TokenSplit) -> dict[str, float]:
    """Score documents; return perplexity, and tokens per second of CPU time."""
    started = process_time()
    scores = score_documents(model, tokens, model.shape.context)
    speed = float(scores.tokens.sum() / max(1e-9, process_time() - started))
    return {"perplexity": scores.perplexity, "tokens_per_second": round(speed, 1)}


def _draw(path: UPath, errors: dict[str, float], title: str) -> None:
    """Write a bar per layer, the root mean squared error of its weights, as a PNG."""
    figure = new_figure(8, 1.5 + 0.22 * len(errors))
    axes = figure.subplots()
    axes.barh(list(errors), list(errors.values()), color="#1f5fa8")
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=7)
    axes.set(xlabel="root mean squared error of the weights", title=title)
    write_png(figure, path)
