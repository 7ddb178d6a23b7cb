"""Records with roles: their turns, their place in a rewritten text, and their prompts."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingesting import ingest

from gristmill.dedup.exact.exact import Exact
from gristmill.filters.core.batch import Batch
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.publish.export import json_lines
from gristmill.pipelines.ingest.ingest import InputSettings, read_documents
from gristmill.pipelines.inputs.turns import join_turns, split_turns
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, SPAN, TEXT, TURN_LIST, TURNS
from gristmill.pipelines.steps.spans import apply_spans, move_turns, spans_table
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.shards import read_shard

CHAT = [{"role": "user", "content": "Why é?"}, {"role": "assistant", "content": "So."}]
SHARE = [{"from": "human", "value": "Why é?"}, {"from": "gpt", "value": "So."}]
PARTS = [{**turn, "content": [{"type": "text", "text": turn["content"]}]} for turn in CHAT]
KIND = ("system", "Be kind.")
ADDED = [("user", "Add."), ("input", "1 1"), ("assistant", "2")]
READ = [("user", "Why é?"), ("assistant", "So.")]


@pytest.mark.parametrize(
    ("records", "record", "expected"),
    [
        ("messages", {"messages": CHAT}, READ),
        ("messages", {"messages": PARTS, "text": "kept beside"}, READ),
        ("messages", {"messages": json.dumps(CHAT)}, READ),
        ("messages", {"messages": [{"role": "developer", "content": "Be kind."}, *CHAT]}, [KIND, *READ]),
        ("conversations", {"conversations": SHARE, "system": "Be kind."}, [KIND, *READ]),
        ("alpaca", {"instruction": "Add.", "input": "1 1", "output": "2"}, ADDED),
        ("alpaca", {"instruction": "Hi.", "input": "", "output": "Yo"}, [("user", "Hi."), ("assistant", "Yo")]),
        ("prompt", {"prompt": "Why é?", "completion": "So."}, READ),
        ("prompt", {"prompt": CHAT[:1], "completion": CHAT[1:]}, READ),
        ("prompt", {"prompt": "Why?", "score": 1}, "no turns: none of completion, response, answer, output is there"),
        ("messages", {"messages": []}, "no turns: there is none"),
        ("messages", {"messages": "Why?"}, "no turns: 'messages' is text and no list of messages"),
        ("messages", {"messages": [{"role": "wizard", "content": "?"}]}, "no turns: unknown role 'wizard' in"),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "no turns: a content in"),
    ],
)
def test_records_have_turns_or_are_rejected(records, record, expected, tmp_path, caplog):
    lines, table = tmp_path / "a.jsonl", tmp_path / "a.parquet"
    lines.write_text(json.dumps(record))
    pq.write_table(pa.Table.from_pylist([record]), table)
    for path in (lines, table):
        caplog.clear()
        rows = [row for part in read_documents([str(path)], InputSettings(records=records)) for row in part.to_pylist()]
        if isinstance(expected, str):
            assert not rows and expected in caplog.text
        else:
            (row,) = rows
            assert split_turns(row[TEXT].encode(), row[TURNS]) == expected
            assert row[TEXT] == "\n\n".join(content for _, content in expected)
            assert row.get("input.text") == record.get("text")


def test_prompts_of_several_types_are_the_strings_that_they_were(tmp_path):
    rows = [{"prompt": 'Say "So."', "completion": "So."}, {"prompt": CHAT[:1], "completion": CHAT[1:]}]
    rows += [{"prompt": "Add.", "output": 2}, {"prompt": "Add.", "output": "3"}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    made = ingest(tmp_path / "work", tmp_path / "a.jsonl", records="prompt")
    assert made.texts == ['Say "So."\n\nSo.', "Why é?\n\nSo.", "Add.\n\n3"]
    assert made.places == [("a.jsonl", 3, "no turns")]  # a number is no text


def test_a_csv_has_turns_by_the_names_of_its_columns(tmp_path):
    (tmp_path / "a.csv").write_text("question,answer\nWhy é?,So.\n")
    settings = InputSettings(records="prompt", text="question")
    (table,) = read_documents([str(tmp_path / "a.csv")], settings)
    assert split_turns(table[TEXT][0].as_py().encode(), table[TURNS][0].as_py()) == READ


@st.composite
def turns_and_spans(draw):
    """Documents with turns, some without, and the spans of two steps, each in the text that the step before left."""
    contents = st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=3)
    documents = [join_turns([("user", each) for each in draw(contents)]) for _ in range(draw(st.integers(0, 3)))]
    documents = [(text, turns if draw(st.booleans()) else None) for text, turns in documents]
    # The slow twin: each byte with the number of its turn, -1 between turns.
    labeled = [[*zip(text, _labels(text, turns), strict=True)] for text, turns in documents]
    steps = []
    for _ in range(2):
        spans = []
        for row, each in enumerate(labeled):
            cuts = sorted(draw(st.lists(st.integers(0, len(each)), max_size=4)))
            for begin, end in zip(cuts[::2], cuts[1::2], strict=False):
                spans.append((row, begin, end - begin, "because", draw(st.sampled_from(["", "x", "yz"]))))
        labels = [[label for _, label in each] + [-1] for each in labeled]
        for row, offset, length, _, replacement in reversed(spans):
            label = labels[row][offset]
            labeled[row][offset : offset + length] = [(byte, label) for byte in replacement.encode()]
        steps.append(spans_table(*zip(*spans, strict=True)) if spans else SPAN.empty_table())
    return documents, steps, labeled


def _labels(text: bytes, turns: list[dict] | None) -> list[int]:
    found = [-1] * len(text)
    for number, turn in enumerate(turns or ()):
        found[turn["start"] : turn["end"]] = [number] * (turn["end"] - turn["start"])
    return found


@given(turns_and_spans(), st.integers(0, 2))
def test_turns_move_with_the_text(case, first):
    documents, steps, labeled = case
    text = Ragged.from_strings([text for text, _ in documents])
    turns = pa.chunked_array([pa.array([turns for _, turns in documents], TURN_LIST)])
    steps = [spans.set_column(0, SPAN.field(0), pa.array(spans["row"].to_numpy() + first)) for spans in steps]
    others = [spans_table([row], [0], [1], ["because"], ["xyz"]) for row in (0, first + len(documents))]
    steps = [pa.concat_tables([*others[: min(first, 1)], spans, others[1]]) for spans in steps]  # of other batches
    moved = move_turns(turns, text.offsets, steps, first).to_pylist()
    clean = apply_spans(text, steps, first)
    for row, (_, given_turns) in enumerate(documents):
        assert clean.row(row) == bytes(byte for byte, _ in labeled[row])
        if given_turns is None:
            assert moved[row] is None
            continue
        for number, turn in enumerate(moved[row]):
            mine = bytes(byte for byte, label in labeled[row] if label == number)
            assert clean.row(row)[turn["start"] : turn["end"]] == mine


def test_clean_documents_keep_their_turns_and_are_deduplicated_by_prompt(tmp_path):
    turns = [(("human", f"Who is miller {n % 2}?"), ("gpt", f"Ask a{n}@mill-house.org.")) for n in range(4)]
    rows = [{"messages": [{"from": role, "value": content} for role, content in each]} for each in turns]
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, rows)))
    table = {
        "input": [{"paths": [str(tmp_path / "chat.jsonl")], "records": "messages"}],
        "steps": {"exact": {"by": "prompt"}, "pii": {}},
    }
    work = to_path(tmp_path / "work")
    assert clean(parse_recipe(table, "chat"), work)["clean"] == 2
    (shard,) = (work / "clean").glob("*.parquet")
    for n, row in enumerate(read_shard(shard).to_pylist()):
        turns = split_turns(row[TEXT].encode(), row[TURNS])
        assert turns == [("user", f"Who is miller {n}?"), ("assistant", "Ask <EMAIL>.")]
    table = read_shard(shard)
    exported = json.loads(json_lines(table.slice(0, 1)))
    assert exported.keys() == {*table.column_names, "messages"} - {TURNS} and exported["messages"][0]["role"] == "user"
    assert json.loads(json_lines(table.slice(0, 1).set_column(3, TURNS, pa.nulls(1, TURN_LIST))))["messages"] is None
    (again,) = read_documents([str(work)], InputSettings())  # a work folder as input keeps them
    assert again.schema.field(TURNS).type == TURN_LIST


def test_a_turn_that_many_conversations_share_stays(tmp_path):
    shared = "Thank you very much, and what else does the miller say?"
    rows = [f"What does miller {n} say of mill {n * 7}?\n{shared}" for n in range(6)]
    turns = [[("user", row), ("assistant", "It turns."), ("user", shared)] for row in rows]
    chats = [{"messages": [{"role": role, "content": text} for role, text in each]} for each in turns]
    (tmp_path / "chat.jsonl").write_text("\n".join(map(json.dumps, chats)))
    steps = {"c4": {"min_sentences": "off"}, "repeated_passages": {"min_copies": 2, "window": 1}}
    table = {"input": [{"paths": [str(tmp_path / "chat.jsonl")], "records": "messages"}], "steps": steps}
    work = to_path(tmp_path / "work")
    assert clean(parse_recipe(table, "chat"), work)["clean"] == 6
    (shard,) = (work / "clean").glob("*.parquet")
    found = [split_turns(row[TEXT].encode(), row[TURNS]) for row in read_shard(shard).to_pylist()]
    assert found == turns


@pytest.mark.parametrize(
    ("turn", "read"),
    [({}, TURNS), ({"end": 5}, "input.turns"), ({"start": -1}, "input.turns"), ({"start": None}, "input.turns")],
)
def test_turns_outside_their_text_are_none(turn, read, tmp_path):
    turns = pa.array([None, [{"role": "user", "start": 0, "end": 4} | turn]], TURN_LIST)
    pq.write_table(pa.table({TEXT: ["", "Why?"], TURNS: turns}), tmp_path / "a.parquet")
    (table,) = read_documents([str(tmp_path / "a.parquet")], InputSettings())
    assert {name for name in table.column_names if name.endswith(TURNS)} == {read}


def test_prompts_are_hashed_as_they_were_read():
    texts = [join_turns([("user", "Why?"), ("assistant", answer)]) for answer in ("So.", "Or so.")]
    table = pa.table(
        {ID: ["a", "b", "c"], TEXT: [*(text.decode() for text, _ in texts), "Why?"]}
        | {TURNS: pa.array([*(turns for _, turns in texts), None], TURN_LIST)}
    )
    batch = Batch.of(table, "unicode").rewritten(Ragged.from_strings(["", "", ""]))
    assert np.unique(Exact(by="prompt").measure(batch)["low"]).size == 1
    assert Exact(by="prompt").measure(batch.part(1, 3))["low"].n_unique() == 1
    assert Exact().measure(Batch.of(table, "unicode"))["low"].n_unique() == 3
