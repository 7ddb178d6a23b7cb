"""Masked models for the command line: their mask token, and the pieces that fill a mask."""

from collections.abc import Iterable

from gristmill.flows.models.pretraining import as_gpt, open_model, parse_changes, read_table
from gristmill.pretrain.evaluation.fill_mask import fill_masks
from gristmill.pretrain.model.devices import Machine
from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer
from gristmill.tokenizers_lab.tokenizer import Tokenizer

MASK = "[MASK]"


def fill_text(run: str, text: str, top: int, changes: Iterable[str]) -> list[list[dict]]:
    """Return ``piece`` and ``probability`` of the likeliest pieces for each [MASK] of a text.

    The tokenizer's tokens for the beginning and the end are put around the text, as around a document.
    """
    machine = read_table(Machine, parse_changes(changes, ("machine",)), "machine")
    model, tokenizer = as_gpt(open_model(run), run).to(machine.init_device()), open_tokenizer(run)
    role = tokenizer.model.role("mask")
    mask = model.shape.mask_id if role is None else role
    found = fill_masks(model, encode_masked(tokenizer, text, mask), mask, top)
    return [
        [{"piece": tokenizer.decode_ids([token]), "probability": chance} for token, chance in pieces]
        for pieces in found
    ]


def encode_masked(tokenizer: Tokenizer, text: str, mask: int) -> list[int]:
    """Return the ids of a text; each [MASK] takes the space before it, as a word of byte-level BPE does."""
    first, last = tokenizer.model.role("bos"), tokenizer.model.role("eos")
    *before, end = text.split(MASK)
    ids = [] if first is None else [first]
    for part in before:
        ids += [*tokenizer.encode(part.rstrip(), allowed="all"), mask]
    ids += tokenizer.encode(end, allowed="all")
    return ids if last is None else [*ids, last]
