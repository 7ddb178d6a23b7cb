"""Arms that are chosen documents: of a source, of a list of ids, by the hash of the id, or of another corpus.

IMPACT/corpora/NAME/  documents of another corpus
IMPACT/chosen/NAME/   the documents of such an arm, with id, text and source only
"""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.flows.clean.plan import bytes_of
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS, ID, SOURCE, TEXT
from gristmill.pipelines.steps.step import Input, Output, RawInput, Step, Written, by_shard, input_of
from gristmill.pipelines.storage.files import checksum, to_path
from gristmill.pipelines.storage.shards import read_batches, shards_of, write_shard
from gristmill.pipelines.tokens.shuffle import scramble

CHOICE = 5  # salt of the hash that an arm's share compares


class Choice(NamedTuple):
    """Documents of an arm without steps; every setting that is given must hold."""

    paths: tuple[str, ...] = ()  # of another corpus, instead of the experiment's
    sources: tuple[str, ...] = ()
    ids: str = ""  # file with an id per line
    share: tuple[float, float] = (0.0, 1.0)  # of the hashes of ids, from and up to

    def table(self) -> dict:
        return {key: value for key, value in self._asdict().items() if value != Choice._field_defaults[key]}


def choose_step(documents: UPath, folder: UPath, choice: Choice) -> Step:
    """Return the step that writes the chosen documents; raise RecipeError for a list of ids that does not exist."""
    listed: tuple[RawInput, ...] = ()
    if choice.ids:
        listed = (RawInput(choice.ids, checksum(_id_list(choice.ids))),)
    output = Output(folder, "", (Input(documents, kind=DOCUMENTS), *listed), choice.table())
    jobs = by_shard(choose_shard, (choice,), [output], bytes_of(shards_of(documents)))
    return Step(f"choose {folder.name}", {folder: choice.table()}, jobs)


def choose_shard(choice: Choice, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the chosen documents of one shard."""
    wanted = None
    if choice.ids:
        wanted = pa.array(_id_list(choice.ids).read_text("utf-8").splitlines(), DOCUMENT.field(ID).type)
    low, high = (min(int(end * 2**64), 2**64 - 1) for end in choice.share)
    tables = []
    for table in read_batches(input_of(outputs, DOCUMENTS).path, DOCUMENT.names):
        hashes = scramble(hash_rows(*Ragged.from_text(table[ID])), CHOICE)
        kept = (hashes >= np.uint64(low)) & ((hashes < np.uint64(high)) | (choice.share[1] == 1))
        for column, values in ((SOURCE, pa.array(choice.sources) if choice.sources else None), (ID, wanted)):
            if values is not None:
                kept &= pc.is_in(table[column], values.cast(table[column].type)).to_numpy()
        tables.append(table.filter(pa.array(kept)))
    rows = write_shard(outputs[0].path, tables, DOCUMENT)
    size = sum(int(Ragged.from_text(table[TEXT]).data.size) for table in tables)
    return [Written([outputs[0].path.name], {"documents": rows, "bytes": size})]


def _id_list(path: str) -> UPath:
    if not (file := to_path(path)).is_file():
        raise RecipeError(f"[arms.ids] names the file {path}, which does not exist; write one id per line into it")
    return file
