"""Finished run: its summary, its tables, and why each document was kept or removed."""

from typing import TYPE_CHECKING, Any, Literal

import polars as pl
from upath import UPath

from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.engine.engines import engine as open_engine
from gristmill.flows.publish.export import ExportSettings, export_corpus
from gristmill.flows.runs.explain import explain
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.tables import collect, query, scan_step, scan_table
from gristmill.flows.runs.what_if import Recount, what_if
from gristmill.options import Path, Settings, changes_of, path_of
from gristmill.pipelines.schema import MEASURES
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.storage.files import to_path
from gristmill.tables import Table

if TYPE_CHECKING:
    from gristmill.flows.report.notebook import Drawing


class WhatIf(Recount):
    """Summary of a run (``before``), and its summary under other thresholds (``after``).

    >>> gm.open_run("work").what_if({"gopher.min_words": 13})
    WhatIf(clean 2 -> 1)
    """

    def __repr__(self) -> str:
        return f"WhatIf(clean {self.before['clean']:,} -> {self.after['clean']:,})"

    def _repr_html_(self) -> str:
        from gristmill.flows.report.notebook import changes_html

        return changes_html(self.rows())


class Run:
    """Finished run in a work folder. Its tables are lazy, and its path is the folder's.

    >>> run = gm.open_run("work")
    >>> run
    Run('work'): 3 documents in, 2 clean
    >>> run.summary["steps"]["gopher"]["rules"]
    {'words_too_low': {'removed': 1, 'violations': 1}}
    """

    def __init__(self, folder: Path):
        """Open a work folder. Raises WorkError if it has no finished run."""
        self._run = FinishedRun(to_path(path_of(folder)))
        self.folder = self._run.folder

    @property
    def recipe(self) -> Recipe:
        """Recipe as it ran, all defaults written out, without the name of a key file.

        >>> gm.open_run("work").recipe.steps["gopher"].min_words
        5
        """
        return self._run.recipe

    @property
    def summary(self) -> dict[str, Any]:
        """Counts of the funnel, as in ``summary.json``.

        >>> gm.open_run("work").summary["documents_in"]
        3
        """
        return self._run.summary

    @property
    def documents(self) -> Table:
        """All documents as read.

        >>> gm.open_run("work").documents.to_polars()["id"].to_list()
        ['long', 'short', 'other']
        """
        return self._table("documents")

    @property
    def clean(self) -> Table:
        """Documents that were kept, with rewritten text.

        >>> gm.open_run("work").clean.to_polars()["id"].to_list()
        ['long', 'other']
        """
        return self._table("clean")

    @property
    def removed(self) -> Table:
        """Documents that were removed, as read, with ``reason``, ``value``, ``threshold`` and ``duplicate_of``.

        >>> gm.open_run("work").removed.to_polars().select("reason", "value", "threshold").row(0)
        ('gopher.words_too_low', 2.0, 5.0)
        """
        return self._table("removed")

    @property
    def ledger(self) -> Table:
        """Every document that was read: kept or removed, and by which rule.

        >>> gm.open_run("work").ledger.scan().filter("kept").select(pl.len()).collect().item()
        2
        """
        return self._table("ledger")

    def measures(self, step: str) -> Table:
        """Return the measures of a step: one row per document, with its id. Raises RecipeError for an unknown step.

        >>> gm.open_run("work").measures("gopher").to_polars().select("id", "words").rows()
        [('long', 13), ('short', 2), ('other', 12)]
        """
        return self.table(step, MEASURES)

    def table(self, step: str, name: str) -> Table:
        """Return any table of a step: decisions, spans, ``clusters`` of near_duplicates, ``items`` of decontaminate.

        Raises WorkError for a table that the step has not made.

        >>> gm.open_run("work").table("gopher", "decisions").columns[:2]
        ['id', 'violations']
        """
        return Table(f"{self.folder}/steps/{step}/{name}", scan_step(self._run, step, name))

    def why(self, id: str) -> dict[str, Any]:
        """Return a document's history: its row of the ledger, and its measures by step.

        Raises WorkError if the run has no document of this id.

        >>> why = gm.open_run("work").why("short")
        >>> why["rule"], why["value"], why["threshold"]
        ('words_too_low', 2.0, 5.0)
        """
        return explain(self.folder, id)

    def what_if(self, settings: Settings) -> WhatIf:
        """Recount the run under other thresholds, from its measures: seconds, whatever the size of the corpus.

        Raises RecipeError for a setting that needs new measures.

        >>> print(gm.open_run("work").what_if({"gopher.min_words": 13}))
                                                 now        then      change
        clean                                      2           1          -1
        removed                                    1           2          +1
          gopher.words_too_low                     1           2          +1
        """
        return WhatIf(*what_if(self.folder, changes_of(settings)))

    def sql(self, query: str) -> pl.DataFrame:
        """Return the result of a query over clean, removed, ledger, documents, and the measures of each step by name.

        Raises RecipeError for a statement that is not a query or reads another file.

        >>> gm.open_run("work").sql("select reason, count(*) as n from removed group by 1").rows()
        [('gopher.words_too_low', 1)]
        >>> gm.open_run("work").sql("select max(words) from gopher join clean using (id)").item()
        13
        """
        return collect(_query(self._run, query), "sql")

    def histogram(self, measure: str) -> "Drawing":
        """Return the histogram of a measure (``step.measure``) with the thresholds of its rules, for a notebook.

        Raises RecipeError for a measure that is unknown or has no numbers.

        >>> gm.open_run("work").histogram("gopher.words")
        Drawing: gopher.words < 5, > 100,000
        """
        from gristmill.flows.report.notebook import histogram

        return histogram(self._run, measure)

    def report(self, path: Path | None = None) -> UPath:
        """Write the report as one HTML page, by default ``report/index.html`` in the work folder; return its path.

        >>> gm.open_run("work").report().name
        'index.html'
        """
        from gristmill.flows.report.html import PAGE, report

        target = to_path(path) if path else self.folder / PAGE
        report(self.folder, target)
        return target

    def export(
        self,
        output: Path,
        format: Literal["jsonl.zst", "datasets"] = "jsonl.zst",
        *,
        license: str = "unknown",
        name: str | None = None,
        workers: int | None = None,
    ) -> UPath:
        """Write the clean documents to a folder, as JSON lines or for `datasets.load_dataset`; return its path.

        ``license`` and ``name`` are for the card of a dataset. Raises WorkError for a folder with other files.

        >>> [path.name for path in gm.open_run("work").export("jsonl").iterdir() if path.suffix == ".zst"]
        ['part-00000-000.jsonl.zst']
        """
        settings = read_settings(ExportSettings, {"format": format, "license": license, "name": name}, "export")
        target = to_path(path_of(output))
        with open_engine("processes", workers) as engine:
            export_corpus(self.folder, target, settings, engine)
        return target

    def push(
        self,
        repo: str,
        *,
        private: bool = False,
        revision: str | None = None,
        license: str = "unknown",
        name: str | None = None,
    ) -> str:
        """Upload the clean documents and their card to a dataset repository of the Hub; return its URL.

        The token is that of ``HF_TOKEN`` or of `hf auth login`. Raises GristmillError, in one line, without a token,
        for a refusal, and for a connection that fails; the same call continues.

        >>> gm.open_run("work").push("ada/mill-corpus", private=True)  # doctest: +SKIP
        'https://huggingface.co/datasets/ada/mill-corpus'
        """
        from gristmill.flows.publish.push import push_corpus

        return push_corpus(self.folder, repo, private=private, revision=revision, license=license, name=name)

    def _table(self, name: str) -> Table:
        return Table(f"{self.folder}/{name}", scan_table(self._run, name))

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        read, clean = self.summary["documents_in"], self.summary["clean"]
        return f"Run({str(self.folder)!r}): {read:,} documents in, {clean:,} clean"

    def _repr_html_(self) -> str:
        from gristmill.flows.report.notebook import funnel_html

        return funnel_html(str(self.folder), self.summary)


_query = query  # the method has an argument of that name


def open_run(folder: Path) -> Run:
    """Open the finished run in a work folder. Raises WorkError if there is none.

    >>> gm.open_run("work").clean.columns
    ['id', 'text', 'source']
    """
    return Run(folder)
