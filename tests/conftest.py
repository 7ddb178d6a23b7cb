"""What tests share: where development data lies, Hypothesis profiles, small builders."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from corpora import RECIPE, documents, write_jsonl
from hypothesis import HealthCheck, settings

from gristmill.flows import cli
from tests.undeclared import _undeclared_inputs_are_hidden  # noqa: F401, a fixture of every test

REPOSITORY = Path(__file__).resolve().parents[1]

os.environ["OMP_NUM_THREADS"] = "1"  # two threads of torch on a busy machine are 10 to 20 times slower

# A kernel's first example compiles it, so no deadline; more examples by GRISTMILL_EXAMPLES.
settings.register_profile(
    "gristmill",
    deadline=None,
    max_examples=int(os.environ.get("GRISTMILL_EXAMPLES", 100)),
    suppress_health_check=[HealthCheck.too_slow],
    print_blob=True,
)
settings.load_profile("gristmill")


def pytest_collection_modifyitems(items):
    """Begin with the files of slow tests: a worker that ends with one works alone."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real text for development; no part of the product, so its absence skips."""
    folder = Path(os.environ.get("GRISTMILL_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"development data is not at {folder}; set GRISTMILL_SHARED_DATA to where it lies")
    return folder


@pytest.fixture(scope="module")  # not the session: Playwright leaves a running event loop in the thread until it ends
def browser():
    """Headless Chromium, driven by Playwright; its absence skips."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not (chromium := shutil.which("chromium")):
        pytest.skip("chromium is not on the PATH")
    quiet = ("disable-background-networking", "disable-component-update", "disable-sync", "no-first-run")
    with playwright.sync_playwright() as started:
        arguments = ["--no-sandbox", "--disable-gpu", *(f"--{flag}" for flag in quiet)]
        opened = started.chromium.launch(executable_path=chromium, args=arguments)
        yield opened
        opened.close()


@pytest.fixture
def corpus(tmp_path):
    """A folder of three JSONL files."""
    rows = list(documents())
    for k in range(3):
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", rows[k * 100 : k * 100 + 100])
    return tmp_path / "raw"


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path / "recipe.toml"


@pytest.fixture
def gristmill():
    """Run the command in this process: a process of its own imports for 2 CPU s."""

    def run(*arguments, cwd=REPOSITORY):
        with CliRunner().isolation() as (stdout, stderr, _), contextlib.chdir(cwd):
            code = cli.run([*map(str, arguments)])
        return subprocess.CompletedProcess(arguments, code, *(each.getvalue().decode() for each in (stdout, stderr)))

    return run


@pytest.fixture
def gristmill_process():
    """Run the command in a process of its own, as a user does."""

    def run(*arguments, cwd=REPOSITORY, **options):
        env = os.environ | {"PYTHONPATH": str(REPOSITORY)} | options.pop("env", {})
        command = [sys.executable, "-m", "gristmill", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, timeout=300, **options)

    return run
