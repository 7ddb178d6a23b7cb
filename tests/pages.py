"""Examples of a page: their files are written, their commands and their Python run, as printed and in order.

Blocks without a language show output, or commands that need another machine.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import zstandard
from corpora import documents, write_jsonl

REPOSITORY = Path(__file__).resolve().parents[1]
HERE = Path(sys.executable).parent
FILE = re.compile(r"\A# (\S+\.\w+)\n(.*)\Z", re.DOTALL)  # the first line of a block names the file
PLAIN = re.compile(r"""gristmill ([^|<>$&;*?~"']|'[^']*'|"[^"$`]*")*""")  # a command that needs no shell
TOGETHER = """
import json, runpy, shlex, subprocess, sys
from pathlib import Path
from gristmill.flows.cli import run
for kind, line, text in json.load(sys.stdin):
    code = 0
    if kind == "file":
        Path(line).write_text(text, "utf-8")
    elif kind == "plain":
        code = run(shlex.split(line, comments=True)[1:])
    elif kind == "python":
        runpy.run_path(line, run_name="__main__")
    else:
        code = subprocess.run(["sh", "-c", line], stdin=subprocess.DEVNULL).returncode
    if code:
        sys.exit(f"{line}: exit code {code}")
"""


def blocks(name: str) -> list[tuple[str, str]]:
    """Return language and text of each block of a page."""
    return blocks_of((REPOSITORY / name).read_text("utf-8"))


def blocks_of(page: str) -> list[tuple[str, str]]:
    return re.findall(r"^```(\w*)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def shell(line: str, folder: Path, **env: str) -> str:
    """Run a line as a user does."""
    return done(["sh", "-c", line], folder, **env)


def done(command: list[str], folder: Path, programs: Path = HERE, given: str = "", **env: str) -> str:
    """Return what a command prints, with a folder of programs in front."""
    environment = os.environ | env | {"PATH": f"{programs}:{os.environ['PATH']}"}
    run = subprocess.run(command, cwd=folder, env=environment, input=given, capture_output=True, text=True)
    assert run.returncode == 0, f"{command[-1]}\n{run.stdout}\n{run.stderr}"
    return run.stdout


def run_page(name: str, folder: Path, programs: Path = HERE, **env: str) -> None:
    """Run a page in a folder: its files and commands in order, then its Python blocks as one script."""
    run_blocks(blocks(name), folder, programs, **env)


def run_blocks(found: list[tuple[str, str]], folder: Path, programs: Path, **env: str) -> None:
    """Run blocks as those of a page.

    Commands that need no shell, and the script, share a process: most of them only import. ``make`` is planned only.
    """
    code, steps = "", []
    for language, text in found:
        if file := FILE.match(text):
            steps.append(("file", *file.groups()))
        elif language == "sh":
            planned = [
                re.sub("^make ", f"make --directory {REPOSITORY} --dry-run ", line) for line in text.splitlines()
            ]
            steps += [("plain" if PLAIN.fullmatch(line) else "shell", line, "") for line in planned]
        elif language == "python":
            code += text
    if code:
        steps += [("file", "page.py", code), ("python", "page.py", "")]
    done([str(programs / "python"), "-P", "-c", TOGETHER], folder, programs, json.dumps(steps), **env)


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
    messages = [{**row, "spam": i % 3 == 0} for i, row in enumerate(documents(300))]
    write_jsonl(folder / "messages.jsonl", messages)
    tasks = [{"instruction": f"Say {i} corn.", "input": "", "output": f"{i} corn"} for i in range(80)]
    write_jsonl(folder / "tasks.jsonl", tasks)
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
