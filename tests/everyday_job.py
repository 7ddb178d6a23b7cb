"""Raw files of the everyday job of docs/tutorial.md, small: pages in a column, books, German notes, a test set."""

import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

ENGLISH = (
    "The miller|The old farmer|A young baker|My neighbor|The teacher|Every merchant|The river|That ship|Our doctor",
    "carried|found|remembered|painted|sold|repaired|described|watched|never forgot|wanted to see",
    "the heavy sacks|a wooden bridge|the long letters|two white horses|the garden|a map of the valley|warm bread",
    "before the winter came|because it was late|with the help of a friend|and it was enough for the whole year",
    "although nobody had asked|while the children were in school|that he had seen in the town|on the way home",
)
GERMAN = (
    "Der Müller|Die alte Bäuerin|Ein junger Bäcker|Unser Nachbar|Die Lehrerin|Jeder Händler|Der Arzt|Mein Bruder",
    "brachte|fand|verkaufte|beschrieb|reparierte|malte|suchte|vergaß|bewachte|wollte auch",
    "die schweren Säcke|eine Brücke aus Holz|die langen Briefe|zwei weiße Pferde|den Garten|eine Karte des Tals",
    "bevor der Winter kam|weil es schon spät war|mit der Hilfe von einem Freund|und das war genug für das ganze Jahr",
    "obwohl niemand gefragt hatte|während die Kinder in der Schule waren|auf dem Weg nach Hause|am Ufer von dem Fluss",
)
QUESTION = "Which farmer of the valley brought nine sacks of barley to the flooded mill in April?"


def text(rng, parts, paragraphs=4):
    """Paragraphs of sentences, each from one phrase of each part."""
    every = [part.split("|") for part in parts]

    def sentence():
        first, verb, what, *rest = (rng.choice(phrases) for phrases in every)
        return f"{first} {verb} {what} {' '.join(rng.sample(rest, rng.randint(1, 2)))}."

    return "\n\n".join(" ".join(sentence() for _ in range(rng.randint(4, 7))) for _ in range(paragraphs))


def page(rng, number):
    """A page with a menu around its article."""
    paragraphs = text(rng, ENGLISH).split("\n\n")
    paragraphs[0] += f" Write to miller{number}@mill.org."
    paragraphs[-1] += f" {QUESTION}" if number == 3 else ""
    article = "".join(f"<p>{each}</p>" for each in paragraphs)
    return (
        f"<html><body><nav><a href='/'>Home</a><a href='/b'>Bread</a></nav><article>{article}</article></body></html>"
    )


def write_job(folder, documents=40, seed=11):
    """Write the files that the recipe of the tutorial reads."""
    rng = random.Random(seed)
    pages = [{"url": f"https://mill.org/{k}", "html": page(rng, k), "labels": [k]} for k in range(documents)]
    pages.append({"url": "https://mill.org/again", "html": pages[5]["html"], "labels": []})
    (folder / "crawl").mkdir()
    with pa.CompressedOutputStream(str(folder / "crawl" / "pages.jsonl.zst"), "zstd") as file:
        file.write("".join(json.dumps(row) + "\n" for row in pages).encode())
    books = [{"id": f"book-{k}", "body": text(rng, ENGLISH, 8), "year": 1900 + k} for k in range(documents // 2)]
    (folder / "books").mkdir()
    pq.write_table(pa.Table.from_pylist(books), folder / "books" / "old.parquet")
    for k in range(documents // 2):
        (folder / "zeitung").mkdir(exist_ok=True)
        (folder / "zeitung" / f"{k}.txt").write_text(text(rng, GERMAN), "utf-8")
    (folder / "eval.jsonl").write_text(json.dumps({"question": QUESTION, "answer": "the one with the cart"}) + "\n")
    write_tokenizer(folder / "gpt2" / "tokenizer.json", [text(rng, ENGLISH) for _ in range(20)])


def write_tokenizer(path, texts, pieces=400):
    """Write a byte-level BPE of the library tokenizers, in the form of GPT-2's file."""
    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer, theirs.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=pieces, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet)
    theirs.train_from_iterator(texts, trainer)
    path.parent.mkdir(exist_ok=True)
    theirs.save(str(path))
