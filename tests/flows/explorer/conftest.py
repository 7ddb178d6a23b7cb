"""Two finished runs over documents of which some are hostile, and the explorer's view of them."""

import threading
import unicodedata
from pathlib import Path

import polars as pl
import pytest
import uvicorn
from corpora import documents, write_jsonl

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.escape import JOINERS
from gristmill.flows.explorer.app import application
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.flows.loopback import listen
from gristmill.flows.tokenize.train_tokenizer import train_tokenizer
from gristmill.pipelines.storage.files import to_path
from gristmill.tokenizers_lab.train import TokenizerSettings

RULES = """
name = "explored"

[steps.language]
min_probability = 0.0

[steps.c4]
min_sentences = 2

[steps.gopher]
max_words = "off"
min_stop_words = 1

[steps.gopher.profiles.neutral]
min_words = 20

[steps.fineweb]
min_line_punct_ratio = "off"

[steps.noise]

[steps.pii]
"""
COPIES = "\n[steps.exact]\n\n[steps.near_duplicates]\n\n[steps.repeated_passages]\nmin_copies = 4\n"
EVIL = "</title></style><script>alert('text')</script><img src=x onerror=alert(1)><svg onload=alert(2)>{{ 7 * 7 }}"
MARKS = "The mill\x00 grinds \u202eevil\u202c slowly \x1b[31m\u2066.\u2069 \u05e9\u05dc\u05d5\u05dd"


def hostile():
    """Documents that would break out of a page, or freeze it."""
    prose = "The mill by the river turns grain into flour, and of the flour people have made bread for years. " * 6
    yield {"id": f"evil-1 {EVIL}", "text": f"{prose}\n{EVIL}\n{MARKS}", "source": f"crawl {EVIL}", "note": EVIL}
    yield {"id": "evil-2", "text": "The mill is long. " + "x" * 1_000_000 + " END", "source": "crawl-1"}
    yield {"id": "evil-3", "text": "&lt;b&gt; " + prose + "\r\nWrite to jane.doe@flourmill.org or call.\r\n" + "<!--"}
    yield {"id": "evil-4 \u202egnirts", "text": "\u0000", "source": "crawl-0"}


def controls(text):
    hidden = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return {character for character in text if unicodedata.category(character) in hidden} - {*"\n\t", *JOINERS}


@pytest.fixture(scope="session")
def works(tmp_path_factory):
    """Two finished runs over the same documents: of rules alone, and with steps over the whole corpus behind them."""
    folder = tmp_path_factory.mktemp("explorer")
    write_jsonl(folder / "raw" / "0.jsonl", [*documents(240), *hostile()])
    german = "Die M\u00fchle am Fluss mahlt das Korn zu Mehl, und aus dem Mehl wird seit vielen Jahren Brot gebacken. "
    rows = [{"id": f"de-{n}", "text": german * (n % 9), "source": "crawl-2"} for n in range(40)]
    write_jsonl(folder / "raw" / "1.jsonl", rows)
    for name, steps in (("rules", RULES), ("whole", RULES + COPIES)):
        (folder / f"{name}.toml").write_text(steps)
        clean(read_recipe(str(folder / f"{name}.toml"), paths=(str(folder / "raw"),)), to_path(folder / name))
    tokenizer = to_path(folder / "whole" / "tokenizers" / "bpe")
    train_tokenizer([str(folder / "whole")], tokenizer, TokenizerSettings(vocab_size=400))
    return folder


@pytest.fixture(scope="session")
def rules(works):
    return RunIndex(to_path(works / "rules"))


@pytest.fixture(scope="session")
def whole(works):
    return RunIndex(to_path(works / "whole"))


@pytest.fixture(scope="session")
def shards(whole):
    """A folder of the whole run as one table."""
    return lambda folder: pl.concat(
        [pl.read_parquet(path) for path in sorted(Path(whole.folder / folder).glob("*.parquet"))]
    )


@pytest.fixture
def evil():
    """What one document says everywhere it can: id, source, text and a column."""
    return EVIL


@pytest.fixture(scope="module")
def address(whole):
    """The explorer as it is served, its kernels compiled: in a fresh clone that takes longer than a page may."""
    Tokenizers(whole.folder).tokens("bpe", "a mill")
    config = uvicorn.Config(application(whole, Tokenizers(whole.folder)), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    with listen(0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()
