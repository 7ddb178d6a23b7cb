"""An index to keep: the documents of a corpus and what was measured of them, for new ones to be compared with.

A folder like a work folder, with ``documents/`` and ``steps/<kind>/measures/`` and no more. The text is kept because
candidates are verified by it; in zstd it takes a quarter of what hashes of all shingles would.
"""

from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.steps.corpus_step import CorpusStep
from gristmill.pipelines.steps.step import Input
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import require_finished

REMEDY = "`gristmill dedup CORPUS --save-index DIR` makes one"


class IndexedStep(CorpusStep):
    """A step that finds duplicates within the corpus, and of documents in indices that were kept."""

    against: list[str] = []  # folders of indices; their documents stay, whatever they are like
    only_against: bool = False  # compare with them alone, not with each other

    def indices(self) -> list[tuple[UPath, UPath]]:
        """Folders of documents and of measures. Raises WorkError for what is no index, or one made otherwise."""
        folders = []
        for path in self.against:
            documents, measures = to_path(path) / "documents", measures_in(to_path(path), self.NAME)
            if (to_path(path) / "ledger").exists():
                raise WorkError(f"{path} is a work folder, not an index of what stayed in it; {REMEDY}")
            require_finished(documents, f"it is no index: {REMEDY}")
            made = require_finished(measures, f"the index has nothing of {self.NAME}: {REMEDY}").settings
            for key, value in self.measured_settings().items():
                if made.get(key) != value:
                    raise WorkError(f"{path} was made with {self.NAME}.{key} = {made.get(key)!r}, and not {value!r}")
            folders.append((documents, measures))
        return folders

    def inputs(self) -> list[Input]:
        return [Input(folder) for pair in self.indices() for folder in pair]


def measures_in(index: UPath, kind: str) -> UPath:
    return index / "steps" / kind / "measures"
