"""Documents of each run: the seeds of an arm train on disjoint parts of its documents, by the hash of the id.

Arms that share documents share them in every part.
"""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.storage.manifest import fingerprint
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
    ids, lengths, sizes = [], [], []
    for shard in shards.split(TRAIN):
        hashes = scramble(hash_rows(*Ragged.from_text(shard.documents[ID])), PART)
        mine, length = hashes % np.uint64(parts) == part, np.diff(shard.ends, prepend=0)
        ids.append(shard.ids[np.repeat(mine, length)])
        lengths.append(length[mine])
        sizes.append(shard.bytes[mine])
    return replace(
        whole,
        payloads=(np.concatenate(ids),),
        ends=np.cumsum(np.concatenate(lengths)),
        bytes=np.concatenate(sizes).astype(np.int64),
        name=f"{whole.name}, part {part + 1} of {parts}",
        fingerprint=fingerprint(whole.fingerprint, part, parts),
    )
