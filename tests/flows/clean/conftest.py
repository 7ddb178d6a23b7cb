"""A recipe with a user's code beside it."""

import polars as pl
import pytest
from corpora import write_jsonl
from upath import UPath

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.pipelines.steps.step import run_serial

SHOUTY = '''
import gristmill as gm


class Shouty(gm.Filter):
    """Drops documents that shout."""

    max_exclamations: float = gm.share(0.02)

    def measure(self, doc):
        return {"exclamations": doc.text.count("!") / max(1, len(doc.text))}

    def rules(self):
        return {"exclamations_too_high": gm.Rule("exclamations", ">", self.max_exclamations)}
'''
ROWS = [
    {"id": "loud", "text": "Stop! Now!"},
    {"id": "quiet", "text": "A quiet text. It has two sentences."},
    {"id": "empty", "text": ""},
]


@pytest.fixture
def mill(tmp_path):
    return Mill(tmp_path)


class Mill:
    """A folder with a recipe, a user's code beside it, and the work folder of both."""

    def __init__(self, folder):
        self.folder, self.work = folder, UPath(folder / "work")
        write_jsonl(folder / "raw.jsonl", ROWS)
        self.code()
        self.recipe('[steps.shouty]\nuse = "my_filters.py:Shouty"\n')

    def code(self, text=SHOUTY):
        (self.folder / "my_filters.py").write_text(text)

    def recipe(self, text):
        (self.folder / "recipe.toml").write_text(text)

    def read(self, *changes):
        return read_recipe(str(self.folder / "recipe.toml"), changes, (str(self.folder / "raw.jsonl"),))

    def run(self, *changes):
        """Clean; return the titles of the jobs that ran."""
        titles = []

        def engine(jobs):
            for job, parts in run_serial(jobs):
                titles.append(f"{job.title} {sorted({output.step for output in job.outputs if output.step})}")
                yield job, parts

        self.summary = clean(self.read(*changes), self.work, engine)
        return titles

    def reasons(self):
        ledger = pl.read_parquet(self.folder / "work" / "ledger" / "*.parquet").filter(~pl.col("kept"))
        return dict(ledger.select("id", pl.format("{}.{}", "step", "rule")).iter_rows())
