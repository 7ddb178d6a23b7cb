"""A recipe with code of a user, a reader, a rewriter and a filter, and with joined scores; and documents for it."""

import polars as pl
from corpora import documents, write_jsonl

CODE = """
import json

import gristmill as gm


class Shouty(gm.Filter):
    max_capitals: float = gm.share(0.1)

    def measure(self, doc):
        return {"capitals": sum(letter.isupper() for letter in doc.text) / len(doc.text)}

    def rules(self):
        return {"capitals_too_high": gm.Rule("capitals", ">", self.max_capitals)}


class Rivers(gm.Rewriter):
    def rewrite(self, doc):
        return doc.text.replace("river", "stream")


def read(path):
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)
"""
RECIPE = """
[input]
reader = "mine.py:read"

[steps.edu]
use = "join"
join = "{folder}/scores.parquet"
columns = ["score"]
min = {{ score = 10.0 }}

[steps.calm]
use = "mine.py:Rivers"

[steps.shouty]
use = "mine.py:Shouty"
on_error = "reject"

[steps.exact]
"""


def write_own_recipe(folder):
    """Write the code, the scores and the recipe; return the path of the recipe."""
    (folder / "mine.py").write_text(CODE)
    ids = [f"{k}-{row['id']}" for k in range(4) for row in documents(seed=k)]
    scores = pl.DataFrame({"id": ids[::2], "score": [i % 100 for i in range(len(ids[::2]))]})
    scores.write_parquet(folder / "scores.parquet")
    (folder / "recipe.toml").write_text(RECIPE.format(folder=folder))
    return folder / "recipe.toml"


def write_raw(folder):
    """Write four files of documents, whose ids begin with the number of the file."""
    for k in range(4):
        write_jsonl(folder / f"{k}.jsonl", [{**row, "id": f"{k}-{row['id']}"} for row in documents(seed=k)])
    return folder
