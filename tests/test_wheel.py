"""The wheel: built, installed alone, used from a folder that has packages named as our rooms."""

import os
import re
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path
from zipfile import ZipFile

import pytest
from corpora import documents, write_jsonl
from pages import blocks_of, run_blocks, run_page

from tools.dist import PIP, build_sdist, build_wheel
from tools.tree import ROOMS, copy_files, listed_files

REPOSITORY = Path(__file__).resolve().parents[1]

MAIN = """\
gristmill clean clean-corpus --input raw.jsonl --output work --workers 2
gristmill dedup raw.jsonl --output deduplicated --workers 1
gristmill pii scan raw.jsonl
gristmill tokenizer train work --vocab-size 300 --output work/tokenizers/bpe --workers 1
gristmill tokenize work --tokenizer work/tokenizers/bpe --output work/tokens/bpe --workers 1
gristmill pretrain work/tokens/bpe --preset nano --steps 5 --output work/runs/nano
gristmill report work
"""

pytestmark = pytest.mark.slow


def done(*command, cwd, **env):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | env
    run = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, f"{command}\n{run.stdout}\n{run.stderr}"
    return run.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A clean copy of the working tree: setuptools leaves a build folder, and packs what lies in it."""
    copy = tmp_path_factory.mktemp("tree")
    copy_files(REPOSITORY, listed_files(REPOSITORY), copy)
    return copy


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    """The wheel that GRISTMILL_WHEEL names, or one built here."""
    given = os.environ.get("GRISTMILL_WHEEL")
    return Path(given).resolve() if given else build_wheel(tree, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def command(wheel, tmp_path_factory):
    """``gristmill`` of a fresh environment that holds the wheel and sees this environment's other packages.

    A path of a .pth file is searched, but its own .pth files are not read: the editable install stays unknown there.
    """
    home = tmp_path_factory.mktemp("environment")
    done(sys.executable, "-m", "venv", "--without-pip", home, cwd=home)
    python = home / "bin/python"
    done(*PIP, "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=home)
    (site,) = home.glob("lib/python*/site-packages")
    others = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (site / "others.pth").write_text("".join(f"{path}\n" for path in others))
    found = done(python, "-c", "import gristmill.flows; print(gristmill.flows.__file__)", cwd=home)
    assert Path(found.strip()).is_relative_to(site)
    return home / "bin/gristmill"


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A user's folder, whose own packages are named as our rooms and must not be imported."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for room in ROOMS:
        (folder / room).mkdir()
        (folder / room / "__init__.py").write_text(f"raise ImportError('{room} is not of gristmill')\n")
    write_jsonl(folder / "raw.jsonl", documents())
    return folder


def names(wheel):
    return {name for name in ZipFile(wheel).namelist() if not name.endswith("/")}


def test_the_wheel_holds_one_package_and_all_of_it(wheel, tree):
    packed = {name for name in names(wheel) if not name.startswith("gristmill-")}
    (top_level,) = (name for name in names(wheel) if name.endswith("top_level.txt"))
    assert ZipFile(wheel).read(top_level).decode().split() == ["gristmill"]
    files = listed_files(REPOSITORY)
    front = {name for name in files if name.startswith("gristmill/")}
    inner = {f"gristmill/{name}" for name in files if Path(name).parts[0] in (*ROOMS, "recipes")}
    assert packed == front | inner


def test_the_source_distribution_makes_the_same_wheel(wheel, tree, tmp_path):
    with tarfile.open(build_sdist(tree, tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (tmp_path / "wheel").mkdir()
    assert names(build_wheel(source, tmp_path / "wheel")) == names(wheel)


def test_every_main_command_works_elsewhere(command, elsewhere):
    assert "clean-corpus" in done(command, "recipes", cwd=elsewhere, PYTHONPATH=".")
    run_blocks([("sh", MAIN)], elsewhere, command.parent, PYTHONPATH=".")
    for made in ("clean/manifest.json", "tokenizers/bpe/gristmill.json", "runs/nano/loss.png", "report/index.html"):
        assert (elsewhere / "work" / made).stat().st_size
    assert (elsewhere / "deduplicated/clean/manifest.json").is_file()


def test_the_library_works_elsewhere(command, elsewhere):
    """Workers are started for the jobs of several shards, from code without a file."""
    code = (
        "import gristmill as gm; small = {'input.work_unit_bytes': 10_000};"
        "run = gm.clean({'steps': {'gopher': {}}}, 'raw.jsonl', 'library', settings=small, workers=2);"
        "print(len(run.clean) + len(run.removed), run.sql('select count(*) from ledger').item())"
    )
    printed = done(command.parent / "python", "-c", code, cwd=elsewhere, PYTHONPATH=".")
    assert printed.split() == ["300", "300"]


def test_the_readme_works_in_an_empty_folder(command, tmp_path):
    run_page("README.md", tmp_path, command.parent)


def test_the_first_run_of_the_tutorial_works_in_an_empty_folder(command, tmp_path):
    page = (REPOSITORY / "docs" / "tutorial.md").read_text("utf-8").split("## The job\n")[0]
    page, explore = re.fullmatch(r"(.*)^(gristmill explore first)$(.*)", page, re.MULTILINE | re.DOTALL).group(1, 2)
    run_blocks(blocks_of(f"{page}```"), tmp_path, command.parent)
    path = f"{command.parent}:{os.environ['PATH']}"
    assert "shouty" in (tmp_path / "first.html").read_text()
    assert {"clean", "tokenizers", "tokens", "report"} <= {path.name for path in (tmp_path / "first").iterdir()}
    with subprocess.Popen(
        ["sh", "-c", f"exec {explore} --port 0"], cwd=tmp_path, env=os.environ | {"PATH": path}, stdout=-1, text=True
    ) as server:
        try:
            address = re.search(r"http://\S+", server.stdout.readline())[0]  # with a token, exchanged for a cookie
            browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            with browser.open(address) as answer:
                assert b"shouty" in answer.read()
        finally:
            server.terminate()
