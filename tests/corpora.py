"""A corpus small enough to read and noisy enough to break rules; a recipe that measures, rewrites and dedups."""

import json
import random

from gristmill.pipelines.storage.manifest import Manifest, Part

WORDS = "the mill by a river turns grain into flour and of bread people have made for years with water to be told"
# An expression for a child's peak memory in MB. (ru_maxrss of a child begins at its parent's.)
PEAK_MB = "int(next(s for s in open('/proc/self/status') if s.startswith('VmHWM')).split()[1]) >> 10"
RECIPE = """
name = "test"

[steps.c4]
min_sentences = 2

[steps.fineweb]

[steps.exact]
"""

# An experiment of two models on that recipe, in a folder where it is "recipe.toml".
IMPACT = """
name = "tiny"
recipe = "recipe.toml"
[arms]
full = true
[heldout]
fraction = 0.2
bytes = 5_000
piece_bytes = 200
[budget]
seeds = 2
[tokenizer]
vocab_size = 300
[model]
d_model = 16
n_heads = 1
n_layers = 1
context = 16
[train]
steps = 4
batch_size = 2
warmup = 1
[scaling]
arms = ["raw", "full"]
models = [{}, { d_model = 32 }]
steps = [2, 3, 6]
"""


def paragraph(random, words):
    sentence = " ".join(random.choice(WORDS.split()) for _ in range(words))
    return sentence.capitalize() + "."


def documents(count=300, seed=7):
    """Ids and texts: prose, prose again, notices to be cut, lists, one line, nothing."""
    rng = random.Random(seed)
    prose = ["\n\n".join(paragraph(rng, rng.randint(9, 25)) for _ in range(rng.randint(3, 9))) for _ in range(count)]
    for i, text in enumerate(prose):
        text = [text, text, text + "\n\nRead our privacy policy here.", "\n".join(text.split()), text[:30], ""][i % 6]
        text = prose[rng.randrange(i)] + " " * (i % 3) if i % 7 == 3 else text
        yield {"id": f"doc-{i:04d}", "text": text, "source": f"crawl-{i % 2}", "stars": i % 5, "tags": [i, str(i)]}


def write_jsonl(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def finish(folder):
    """Write the manifest of a folder of shards, as the step that made it would: jobs read no other."""
    parts = {path.stem: Part.from_files(folder, "", [path.name], {}) for path in folder.glob("*.parquet")}
    Manifest("", {}, parts).write(folder)


def tree(work, *folders):
    """Every file below the folders of a work folder, by relative path."""
    found = (path for folder in folders for path in sorted((work / folder).rglob("*")) if path.is_file())
    return {str(path.relative_to(work)): path.read_bytes() for path in found}
