"""The bits of what a model learns follow their documents through encoding, copies and shuffling."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
from upath import UPath

from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.inputs.turns import join_turns
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS, TURN_LIST, TURNS
from gristmill.pipelines.steps.step import Input, run_step
from gristmill.pipelines.storage.shards import write_shard
from gristmill.pipelines.tokens.export_formats import export
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pipelines.tokens.steps import encode_step, gather_step
from tests.corpora import finish, tree
from tests.pipelines.tokens.test_token_shards import BOS, EOS, INFO, Bytes

SCHEMA = DOCUMENT.append(pa.field(TURNS, TURN_LIST))


@dataclass(frozen=True)
class Answers:
    """Ids are the bytes, of which the last turn is learned, or all of a document without turns."""

    version: tuple[str, ...] = ("last",)
    answers_only: bool = True

    def __call__(self, text: Ragged, turns: pa.ChunkedArray) -> tuple[Ragged, np.ndarray]:
        learned = np.ones(text.data.size, np.bool_)
        for row, spans in enumerate(turns.to_pylist()):
            if spans:
                learned[text.offsets[row] : text.offsets[row] + spans[-1]["start"]] = False
        return Ragged(text.offsets, text.data.astype(np.uint16)), learned


def chats(n=90):
    rows = []
    for i in range(n):
        text, spans = join_turns([("user", f"Question {i}" * (i % 5 + 1)), ("assistant", "é" * (i % 7 + 1))])
        rows.append({"id": f"d{i}", "text": text.decode(), "source": "s", TURNS: spans if i % 4 else None})
    return rows


def make(folder, rows, cuts=1, chat=Answers(), schema=SCHEMA, **changes):
    shards = {}
    for k in range(cuts):
        path = UPath(folder / "in" / f"{k}.parquet")
        write_shard(path, [pa.Table.from_pylist(rows[k::cuts], schema)], schema)
        shards[Input(path.parent, path.stem, DOCUMENTS)] = {"bytes": path.stat().st_size}
    finish(UPath(folder / "in"))
    (folder / "bytes.json").write_text("{}")
    coder, tokens = Bytes(UPath(folder / "bytes.json"), INFO), UPath(folder / "tokens")
    run_step(encode_step(shards, coder, tokens, chat))
    run_step(gather_step(tokens, coder, TokenSettings(**{"tokens_per_shard": 900, "validation": 0.1} | changes)))
    return TokenShards(tokens)


def test_every_copy_of_a_document_has_its_bits(tmp_path):
    tokens = make(tmp_path, chats(), add_special="both", epochs={"s": 2.0})
    expected, seen = {row["id"]: row for row in chats()}, 0
    for name in tokens.names():
        shard, first = tokens.shard(name), 0
        bits = np.unpackbits(shard.learned, count=shard.ids.size, bitorder="little").tolist()
        for row, end in zip(shard.documents.to_pylist(), shard.ends.tolist(), strict=True):
            given = expected[row["id"]]
            text, start = given["text"].encode(), given[TURNS][-1]["start"] if given[TURNS] else 0
            assert shard.ids[first:end].tolist() == [BOS, *text, EOS]
            assert bits[first:end] == [0] + [0] * start + [1] * (len(text) - start) + [1]
            first, seen = end, seen + 1
    assert seen > 90 and len(tokens.names("train")) > 3
    tokens.check()


def test_the_cut_of_the_input_changes_no_bit(tmp_path):
    for cuts in (1, 3):
        (tmp_path / str(cuts)).mkdir()
        make(tmp_path / str(cuts), chats(), cuts)
    one, three = (
        {str(name): data for name, data in tree(tmp_path / cuts, "tokens").items() if "train-" in str(name)}
        for cuts in "13"
    )
    assert one == three and any(name.endswith(".learned") for name in one)


def test_bits_that_do_not_fit_the_ids_are_damage(tmp_path):
    tokens = make(tmp_path, chats(8))
    (name,) = tokens.names("train")
    path = tmp_path / "tokens" / f"{name}.learned"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WorkError, match="bytes for"):
        tokens.shard(name)


def test_without_a_mask_all_is_learned_and_other_trainers_read_it(tmp_path):
    (tmp_path / "masked").mkdir()
    with pytest.raises(RecipeError, match="no place for what a model learns"):
        export(make(tmp_path / "masked", chats(8)), "nanogpt", UPath(tmp_path / "nanogpt"))
    tokens = make(tmp_path, chats(8), chat=Answers(answers_only=False))
    assert tokens.shard(tokens.names("train")[0]).learned is None
    assert export(tokens, "nanogpt", UPath(tmp_path / "nanogpt"))


def test_a_template_without_roles_is_one_line(tmp_path):
    rows = [{key: row[key] for key in DOCUMENT.names} for row in chats(3)]
    with pytest.raises(RecipeError, match="is for documents with roles, found none"):
        make(tmp_path, rows, schema=DOCUMENT)
