"""Documents of each run: the seeds of an arm train on disjoint parts of its documents, by the hash of the id.

Arms that share documents share them in every part.
"""

from typing import TYPE_CHECKING

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
