"""The locks hold what pyproject.toml asks for: names and versions, no hosts, no paths, no package twice."""

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.lock import DEVELOPMENT, EXTRAS, REPOSITORY, RUNTIME, lines

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]


def locked(file):
    rows = file.read_text("utf-8").splitlines()
    assert rows == sorted(rows, key=lambda row: row.partition("==")[0].lower())
    assert all(re.fullmatch(r"[\w.-]+==[\w.!]+", row) for row in rows)
    return {canonicalize_name(name): version for name, _, version in (row.partition("==") for row in rows)}


def wanted(requirements):
    return {canonicalize_name(each.name): each.specifier for each in map(Requirement, requirements)}


def test_each_lock_holds_its_direct_dependencies():
    runtime, development = locked(RUNTIME), locked(DEVELOPMENT)
    assert not runtime.keys() & development.keys()
    extras = [row for name in EXTRAS.split(",") for row in PROJECT["optional-dependencies"][name]]
    for requirements, packages in ((PROJECT["dependencies"], runtime), (extras, runtime | development)):
        for name, allowed in wanted(requirements).items():
            assert allowed.contains(packages[name]), name


def test_the_runtime_lock_holds_the_nine_packages_of_the_design():
    tables, text = {"datasets", "pyarrow", "polars", "datasketch"}, {"tokenizers", "sentencepiece", "fasttext"}
    nine = tables | text | {"torch", "prefect"}
    assert nine <= locked(RUNTIME).keys()
    assert not locked(RUNTIME).keys() & {"pytest", "transformers", "playwright", "spacy", "moto"}


def test_a_lock_is_sorted_whatever_the_case():
    assert lines({"b": "2", "C": "3", "a": "1"}) == "a==1\nb==2\nC==3\n"
