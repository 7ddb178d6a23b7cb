"""Masked models for the command line: their mask token, and the pieces that fill a mask."""

from collections.abc import Iterable
from itertools import repeat

from gristmill.flows.models.pretraining import as_transformer, find_sentinels, open_model, parse_changes, read_table
from gristmill.pipelines.errors import RecipeError
from gristmill.pretrain.evaluation.fill_mask import fill_masks, fill_spans
from gristmill.pretrain.model.devices import Machine
from gristmill.pretrain.model.encoder_decoder import EncoderDecoder
from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer
from gristmill.tokenizers_lab.tokenizer import Tokenizer

MASK = "[MASK]"


def fill_text(run: str, text: str, top: int, changes: Iterable[str]) -> list[list[dict]]:
    """Return ``piece`` and ``probability`` of the likeliest pieces for each [MASK] of a text.

    An encoder-decoder writes one text of any length for each. The tokenizer's tokens for the beginning and the end are
    put around the text, as around a document.
    """
    machine = read_table(Machine, parse_changes(changes, ("machine",)), "machine")
    model, tokenizer = as_transformer(open_model(run), run).to(machine.init_device()), open_tokenizer(run)
    if isinstance(model, EncoderDecoder):
        found = [[each] for each in _fill_spans(model, tokenizer, text)]
    else:
        role = tokenizer.model.role("mask")
        mask = model.shape.mask_id if role is None else role
        filled = fill_masks(model, encode_masked(tokenizer, text, repeat(mask)), mask, top)
        found = [[([token], chance) for token, chance in pieces] for pieces in filled]
    return [
        [{"piece": tokenizer.decode_ids(tokens), "probability": chance} for tokens, chance in pieces]
        for pieces in found
    ]


def _fill_spans(model: EncoderDecoder, tokenizer: Tokenizer, text: str) -> list[tuple[list[int], float]]:
    """Return ids and their probability for each [MASK]. Raise RecipeError if sentinels are too few."""
    sentinels, masks = find_sentinels(tokenizer.model), text.count(MASK)
    if not 0 < masks < len(sentinels):
        raise RecipeError(f"the text hides {masks} spans by {MASK}; expected 1 to {max(1, len(sentinels) - 1)}")
    last = tokenizer.model.role("eos")
    ends = sentinels if last is None else (*sentinels, last)
    return fill_spans(model, encode_masked(tokenizer, text, sentinels), sentinels[:masks], ends)


def encode_masked(tokenizer: Tokenizer, text: str, masks: Iterable[int]) -> list[int]:
    """Return the ids of a text, each [MASK] the next of ``masks``; it takes the space before, as a word of BPE does."""
    first, last = tokenizer.model.role("bos"), tokenizer.model.role("eos")
    *before, end = text.split(MASK)
    ids = [] if first is None else [first]
    for part, mask in zip(before, masks, strict=False):
        ids += [*tokenizer.encode(part.rstrip(), allowed="all"), mask]
    ids += tokenizer.encode(end, allowed="all")
    return ids if last is None else [*ids, last]
