"""Examples of a page: their files are written, their commands and their Python run, as printed and in order.

Blocks without a language show output, or commands that need another machine.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import zstandard
from corpora import documents, write_jsonl

REPOSITORY = Path(__file__).resolve().parents[1]
HERE = Path(sys.executable).parent
FILE = re.compile(r"\A# (\S+\.\w+)\n(.*)\Z", re.DOTALL)  # the first line of a block names the file
PLAIN = re.compile(r"""gristmill ([^|<>$&;*?~"']|'[^']*'|"[^"$`]*")*""")  # a command that needs no shell
TOGETHER = """
import shlex, sys
from gristmill.flows.cli import run
for line in sys.argv[1:]:
    if code := run(shlex.split(line)[1:]):
        sys.exit(f"{line}: exit code {code}")
"""


def blocks(name: str) -> list[tuple[str, str]]:
    """Return language and text of each block of a page."""
    return re.findall(r"^```(\w*)\n(.*?)^```", (REPOSITORY / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def shell(line: str, folder: Path, programs: Path = HERE, **env: str) -> str:
    """Run a line as a user does, with a folder of programs in front; ``make`` is planned only."""
    planned = line.startswith("make ")
    command, where = (f"make --dry-run {line[5:]}", REPOSITORY) if planned else (line, folder)
    environment = os.environ | env | {"PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", command], cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_lines(lines: list[str], folder: Path, programs: Path, **env: str) -> None:
    """Run lines in order. Commands of this environment that need no shell share a process: most of them only import."""
    for plain, each in groupby(lines, lambda line: programs == HERE and bool(PLAIN.fullmatch(line))):
        for line in [shlex.join([sys.executable, "-P", "-c", TOGETHER, *each])] if plain else each:
            shell(line, folder, programs, **env)


def run_page(name: str, folder: Path, programs: Path = HERE, **env: str) -> None:
    """Run a page in a folder: its files and commands in order, then its Python blocks as one script."""
    code, lines = "", []
    for language, text in blocks(name):
        if found := FILE.match(text):
            run_lines(lines, folder, programs, **env)
            lines = []
            (folder / found[1]).write_text(found[2], "utf-8")
        elif language == "sh":
            lines += text.splitlines()
        elif language == "python":
            code += text
    run_lines(lines, folder, programs, **env)
    if code:
        (folder / "page.py").write_text(code, "utf-8")
        shell("python page.py", folder, programs, **env)


def prepare_pages(folder: Path) -> None:
    """Write the files that the pages assume."""
    pages = [path.read_text("utf-8") for path in (REPOSITORY / "docs").glob("*.md")]
    rows = write_jsonl(folder / "corpus.jsonl", [{"text": text} for page in pages for text in page.split("\n\n")])
    (folder / "crawl.jsonl.zst").write_bytes(zstandard.compress(rows.read_bytes()))
    both = [{"text": text, "language": "en"} for page in pages for text in page.split("\n\n")]
    chinese = (REPOSITORY / "README.zh-CN.md").read_text("utf-8")
    both += [{"text": text, "language": "zh"} for text in chinese.split("\n\n")]
    mixed = write_jsonl(folder / "mixed.jsonl", both)
    (folder / "mixed.jsonl.zst").write_bytes(zstandard.compress(mixed.read_bytes()))
    mixed.unlink()
    for name in ("crawl", "wikipedia"):
        write_jsonl(folder / name / "0.jsonl", documents(300))
    messages = [{**row, "spam": i % 3 == 0} for i, row in enumerate(documents(90))]
    write_jsonl(folder / "messages.jsonl", messages)
    (folder / "README.md").write_text((REPOSITORY / "README.md").read_text("utf-8"), "utf-8")
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    theirs = Tokenizer(models.BPE())
    theirs.pre_tokenizer, theirs.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"], show_progress=False
    )
    theirs.train_from_iterator((json.loads(line)["text"] for line in rows.read_text().splitlines()), trainer)
    theirs.save(str(folder / "tokenizer.json"))
