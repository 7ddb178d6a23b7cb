"""Documents of each run: the seeds of an arm train on disjoint parts of its documents, by the hash of the id.

Arms that share documents share them in every part. An arm too short for that is read whole. If another arm is many
times as large, other runs read as much of that, as often: a verdict must hold for these documents and for as many
others. Else short runs read parts of the arm, as often, and give only the spread that its documents cause.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.tokens.settings import TRAIN
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pipelines.tokens.shuffle import scramble

if TYPE_CHECKING:
    from gristmill.pretrain.data.batches import TokenSplit

PART = 4  # salt of the hash that chooses the part of a document
MANY_EPOCHS = 2.0  # repeated text is worth less from here on: at 4 epochs the loss is 9 to 14 sd of seeds higher
LEAST_PARTS = 3  # two give an interval of two degrees of freedom
LEAST_DOCUMENTS = 10  # of a part of a short arm


class Dealing(NamedTuple):
    """Numbers of parts of which the runs of an experiment read one each."""

    parts: int  # into which the documents of each arm are dealt; 1: there will be no verdict
    short: dict[str, tuple[str, int]] = {}  # arm that is read whole -> arm and parts of its other runs

    def parts_of(self, arm: str) -> int:
        """Return the number of parts of which a run of this arm reads one."""
        return 1 if arm in self.short else self.parts


class Size(NamedTuple):
    """Amount of text of an arm."""

    tokens: int
    trained: int  # that a run reads
    documents: int


def deal(sizes: dict[str, Size], seeds: int) -> Dealing:
    """Return how documents are dealt among up to ``seeds`` runs of each arm, by name.

    >>> deal({"raw": Size(9000, 1000, 900), "some": Size(400, 1000, 40)}, 6)
    Dealing(parts=6, short={'some': ('raw', 22)})
    >>> deal({"raw": Size(900, 1000, 90), "most": Size(600, 1000, 45)}, 6)
    Dealing(parts=4, short={'raw': ('raw', 4), 'most': ('most', 4)})
    """
    counts = {arm: count_parts([size[:2]], seeds) for arm, size in sizes.items()}
    least, largest = min(LEAST_PARTS, seeds), max(sizes, key=lambda arm: sizes[arm].tokens)
    short = [arm for arm, count in counts.items() if count < least]
    samples = {arm: sizes[largest].tokens // sizes[arm].tokens for arm in short}
    if short and min(size.documents for size in sizes.values()) < least * LEAST_DOCUMENTS:
        return Dealing(1)
    dealt = [arm for arm in short if samples[arm] < seeds]
    room = {arm: counts[arm] for arm in sizes if arm not in short}
    room |= {arm: sizes[arm].documents // LEAST_DOCUMENTS for arm in dealt}
    parts = min(seeds, *room.values())
    return Dealing(parts, {arm: (arm, parts) if arm in dealt else (largest, samples[arm]) for arm in short})


def count_parts(sizes: list[tuple[int, int]], seeds: int) -> int:
    """Return the number of parts, from the tokens of each arm and of its runs: at most ``seeds``, and 1 without room.

    >>> count_parts([(1000, 400), (700, 400)], 6)
    3
    """
    return max(1, min(seeds, *(int(MANY_EPOCHS * tokens / trained) for tokens, trained in sizes)))


def own_documents(shards: TokenShards, part: int, parts: int) -> "TokenSplit":
    """Return the documents of one part, copied into memory; all documents, mapped, if there is one part."""
    from gristmill.pretrain.data.batches import TokenSplit

    whole = TokenSplit.from_shards(shards, TRAIN)
    if parts == 1:
        return whole
    mine = scramble(document_hashes(shards), PART) % np.uint64(parts) == part
    return whole.take(np.flatnonzero(mine), f"{whole.name}, part {part + 1} of {parts}", part, parts)


def document_hashes(shards: TokenShards) -> np.ndarray:
    """Return the hash of the id of each training document, uint64 [n], in the order of the shards."""
    hashes = [hash_rows(*Ragged.from_text(shard.documents[ID])) for shard in shards.split(TRAIN)]
    return np.concatenate([np.zeros(0, np.uint64), *hashes])
