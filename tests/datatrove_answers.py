"""Our answers in the form of tests/oracle/datatrove_oracle.py, with datatrove's names of reasons."""

import hashlib

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Rewriter
from gristmill.filters.registry import VARIANTS
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.spans import rewrite

DATATROVE = "datatrove-0.10.1"
ALONE = {name: VARIANTS[name][DATATROVE]() for name in ("repetition", "gopher", "c4", "fineweb")}
CHAIN = {**ALONE, "c4": VARIANTS["c4"][DATATROVE](terminal_mark=False)}  # FineWeb's order
REASONS = {  # datatrove's names, in the order of our rules
    "repetition": (
        *("empty", "dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac"),
        *(f"top_{n}_gram" for n in range(2, 5)),
        *(f"duplicated_{n}_n_grams" for n in range(5, 11)),
    ),
    "gopher": (
        *("gopher_short_doc", "gopher_long_doc", "gopher_below_avg_threshold", "gopher_above_avg_threshold"),
        *("gopher_too_many_hashes", "gopher_too_many_ellipsis", "gopher_too_many_bullets"),
        *("gopher_too_many_end_ellipsis", "gopher_below_alpha_threshold", "gopher_enough_stop_words"),  # sic: too few
    ),
    "c4": ("lorem_ipsum", "curly_bracket", "too_few_sentences"),
    "fineweb": ("empty", "line_punct_ratio", "short_line_ratio", "char_dup_ratio", "list_ratio"),
}


def answers(texts: list[str], splitter: str = "spacy") -> list[dict]:
    batch = Batch(Ragged.from_strings(texts), splitter=splitter)
    rows = [{"words": words} for words in word_digests(batch)]
    for name, rule_set in ALONE.items():
        left, reasons = judge(rule_set, batch)
        for row, reason in enumerate(reasons):
            rows[row][name] = reason
            if name == "c4":
                rows[row]["c4_text"] = digest(left.text.row(row))
    for name, rule_set in CHAIN.items():
        left, reasons = judge(rule_set, batch)
        for row, reason in enumerate(reasons):
            if reason and "chain" not in rows[row]:
                rows[row].update(chain=[name, reason], chain_text=digest(batch.text.row(row)))
        batch = left
    for row, answer in enumerate(rows):
        if "chain" not in answer:
            answer.update(chain=[], chain_text=digest(batch.text.row(row)))
    return rows


def judge(rule_set, batch: Batch) -> tuple[Batch, list[str]]:
    """Return what a rule set leaves, and datatrove's name of the first rule each document breaks, "" for none."""
    if isinstance(rule_set, Rewriter):
        spans, measures = rule_set.rewrite(batch)
        left = batch.rewritten(rewrite(batch.text, spans))
    else:
        measures, left = rule_set.measure(batch), batch
    broken = decide(rule_set, measures, np.full(batch.text.rows, "", object))
    names = dict(zip(rule_set.rules(), REASONS[rule_set.NAME], strict=True))
    return left, [names.get(rule, "") for rule in broken.list.first().struct.field("rule")]


def word_digests(batch: Batch) -> list[list]:
    data, words = batch.text.data.tobytes(), batch.words
    for row in range(batch.text.rows):
        of = slice(words.offsets[row], words.offsets[row + 1])
        found = [data[a:b] for a, b in zip(words.start[of].tolist(), words.end[of].tolist(), strict=True)]
        yield [len(found), digest(b"\0".join(found))]


def digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=12).hexdigest()
