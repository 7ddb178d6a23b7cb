"""Labeled documents as batches: one document per row, padded on the right, its class the target of its last token."""

from collections.abc import Sequence

import numpy as np

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.manifest import fingerprint
from gristmill.pretrain.data.batches import Loader
from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch, PackingStats
from gristmill.pretrain.data.shuffle import permute
from gristmill.pretrain.model.devices import ProcessGroup


class LabeledDocuments:
    """Token ids and class of each document; longer documents than the context are cropped to their beginning."""

    def __init__(self, ids: Sequence[np.ndarray], labels: np.ndarray, classes: int, context: int, name: str):
        if missing := classes - np.unique(labels).size:
            found = f"{missing:,} of {classes:,} classes have none in the split {name!r}"
            raise InputError(f"too few documents: {found}; expected one or more of each class")
        self.ids, self.labels, self.context = [each[:context] for each in ids], labels, context
        self.lengths = np.array([each.size for each in self.ids])
        cropped = sum(each.size for each in ids) - int(self.lengths.sum())
        self.stats = PackingStats(rows=len(labels), targets=len(labels), cropped=cropped, padded=0)
        self.fingerprint = fingerprint([each.tolist() for each in self.ids], labels.tolist())

    def gather(self, rows: np.ndarray, bidirectional: bool) -> Batch:
        """Return the batch of these documents; bidirectional models may not attend to the padding."""
        width = int(self.lengths[rows].max())
        inputs = np.zeros((rows.size, width), np.int64)
        targets = np.full((rows.size, width), IGNORE_INDEX, np.int64)
        padding = np.ones((rows.size, width), np.int64)
        for i, row in enumerate(rows):
            length = self.lengths[row]
            inputs[i, :length], padding[i, :length], targets[i, length - 1] = self.ids[row], 0, self.labels[row]
        return Batch(inputs, targets, padding if bidirectional else None)


class LabeledLoader(Loader):
    """Batches of a run over labeled documents; ``balance`` draws as many documents of each class."""

    def __init__(
        self,
        documents: LabeledDocuments,
        batch_size: int,
        seed: int,
        balance: bool,
        bidirectional: bool,
        world: ProcessGroup,
    ):
        self.documents, self.packing, self.bidirectional = documents, documents, bidirectional  # type: ignore[assignment]
        self.batch_size, self.seed, self.rank, self.world_size = batch_size, seed, world.rank, world.size
        self.rows, self.wait_seconds = len(documents.labels), 0.0
        classes = range(int(documents.labels.max()) + 1)
        self.classes = [np.flatnonzero(documents.labels == each) for each in classes] if balance else []

    def rows_of(self, samples: np.ndarray) -> np.ndarray:
        """Return the document of each sample; sample g of balanced data is of class g modulo their number."""
        if not self.classes:
            return super().rows_of(samples)
        rows = np.empty_like(samples)
        for i, sample in enumerate(samples):
            turn, label = divmod(int(sample), len(self.classes))
            among = self.classes[label]
            epoch, place = divmod(turn, among.size)
            rows[i] = among[permute(np.array([place]), among.size, self.seed, epoch)[0]]
        return rows

    def load(self, step: int) -> Batch:
        return self.documents.gather(self.rows_of(self.samples(step)), self.bidirectional)
