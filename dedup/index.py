"""Indices: documents of an earlier corpus and their measures, kept to compare new documents with them.

An index is a folder like a work folder, with ``documents/`` and ``steps/<kind>/measures/`` only. It holds the text
because candidates are verified by it; zstd text takes a quarter of the space of all shingle hashes.
"""

from typing import Literal

from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.steps.corpus_step import CorpusStep
from gristmill.pipelines.steps.step import Input
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import require_finished

REMEDY = "`gristmill dedup CORPUS --save-index DIR` makes one"


class IndexedStep(CorpusStep):
    """Step that finds duplicates within the corpus, and duplicates of documents in saved indices.

    A group is a kept document and its copies. With ``drop = "all"`` none of it stays: each member is named a duplicate
    of the one that would have been kept, which is named one of itself.
    """

    against: list[str] = []  # folders of indices; their documents are never dropped
    only_against: bool = False  # compare with the indices only, not within the corpus
    drop: Literal["copies", "all"] = "copies"  # "all": the documents that have copies in the corpus go, too

    def indices(self) -> list[tuple[UPath, UPath]]:
        """Return each index's folders of documents and of measures.

        Raises WorkError if a path is no index, or its measures were made with other settings.
        """
        folders = []
        for path in self.against:
            documents, measures = to_path(path) / "documents", measures_in(to_path(path), self.NAME)
            if (to_path(path) / "ledger").exists():
                raise WorkError(f"{path} is a work folder, not an index; {REMEDY}")
            require_finished(documents, f"it is not an index: {REMEDY}")
            made = require_finished(measures, f"the index has no measures of {self.NAME}: {REMEDY}").settings
            for key, value in self.measured_settings().items():
                if made.get(key) != value:
                    raise WorkError(f"{path} was made with {self.NAME}.{key} = {made.get(key)!r}, not with {value!r}")
            folders.append((documents, measures))
        return folders

    def inputs(self) -> list[Input]:
        return [Input(folder) for pair in self.indices() for folder in pair]


def measures_in(index: UPath, kind: str) -> UPath:
    """Return the folder of an index that holds the measures of steps of one kind."""
    return index / "steps" / kind / "measures"
