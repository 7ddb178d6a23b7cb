"""Verification of a certificate: checksums of all inputs and files, and a random part of the files made again.

A copy of the work folder without the files of some parts is run again, from the inputs: a run makes missing files.
The new files must have the bytes of the certificate. Tokens, models and reports are compared by their checksums and not
made again.
"""

import math
import os
import random
import shutil
import tempfile
from typing import NamedTuple

from upath import UPath

from gristmill.flows.certify.certificate import code_digests, inputs_of
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import RECIPE, SUMMARY, clean
from gristmill.pipelines.errors import GristmillError
from gristmill.pipelines.ingest.input_versions import INPUTS
from gristmill.pipelines.steps.step import Engine, NullProgress, Progress, run_serial
from gristmill.pipelines.storage.files import checksum
from gristmill.pipelines.storage.manifest import MANIFEST, Manifest
from gristmill.pipelines.storage.sealed import read_sealed

CLEANING = "documents", "rejects", "steps", "clean", "removed", "ledger"  # folders that a run of the recipe makes
OF_THIS_MACHINE = RECIPE, INPUTS  # files with paths and times


class CertificateCheck(NamedTuple):
    """Result of the verification of a certificate."""

    problems: list[str]
    files: int  # with the certified checksum
    made_again: list[str]  # names of files that were made again, with the certified bytes or not
    notes: list[str]


def verify_certificate(
    path: UPath,
    work: UPath,
    sample: float = 0.01,
    salt: str = "",
    engine: Engine = run_serial,
    progress: Progress | None = None,
) -> CertificateCheck:
    """Verify a certificate against its inputs and ``work``; ``sample`` is the share of the parts to make again.

    Parts are drawn by ``salt``, or at random. Nothing is made again if a checksum is wrong. Raises WorkError if the
    certificate is damaged, InputError if no input is found.
    """
    certificate = read_sealed(path, "fetch the certificate again")
    recipe, notes = parse_recipe(certificate["recipe"], str(path)), list[str]()
    if code_digests()[1] != certificate["code"]:
        notes.append(f"the code differs from that of the certificate, version {certificate['version']}")
    problems = _input_problems(certificate["inputs"], inputs_of(recipe.input))
    checked = {name: _problem(work / name, *about) for name, about in certificate["files"].items()}
    problems += filter(None, checked.values())
    if problems:
        return CertificateCheck(problems, sum(not each for each in checked.values()), [], notes)
    with tempfile.TemporaryDirectory(dir=str(work.parent), prefix=".verify-") as scratch:
        copy, dropped = UPath(scratch) / "work", _drawn(work, sample, salt or os.urandom(8).hex())
        wanted = [name for name in certificate["files"] if name.split("/")[0] in (*CLEANING, SUMMARY, INPUTS)]
        for name in wanted:
            if name not in dropped:
                _link(work / name, copy / name)
        try:
            clean(recipe, copy, engine, progress or NullProgress())
        except GristmillError as error:
            problems.append(f"the recipe cannot be run again: {error}")
        else:
            again = {name for name in wanted if name not in OF_THIS_MACHINE}
            problems += filter(None, (_problem(copy / name, *certificate["files"][name]) for name in sorted(again)))
            problems = [problem.replace(str(copy), "made again, ") for problem in problems]
    return CertificateCheck(problems, len(checked), sorted(dropped), notes)


def _input_problems(certified: list[dict], found: list[dict]) -> list[str]:
    now, before = ({each["name"]: each for each in inputs} for inputs in (found, certified))
    problems = [f"input {name} is missing" for name in before if name not in now]
    problems += [f"input {name} is not in the certificate" for name in now if name not in before]
    for name in before.keys() & now.keys():
        if any(before[name][key] != now[name][key] for key in ("bytes", "sha256")):
            problems.append(f"input {name} differs from the certificate")
    return sorted(problems)


def _problem(path: UPath, size: int, sha256: str) -> str:
    """Return how a file differs from the certificate, "" if it does not."""
    try:
        same = path.stat().st_size == size and checksum(path) == sha256
    except OSError as error:
        return f"{path} cannot be read ({error.strerror or error})"
    return "" if same else f"{path} differs from the certificate"


def _drawn(work: UPath, share: float, salt: str) -> set[str]:
    """Return the names of the files of the drawn parts: of each folder of the cleaning, one part or more."""
    names: set[str] = set()
    for manifest in sorted(path for top in CLEANING for path in (work / top).rglob(MANIFEST)):
        folder = manifest.parent
        parts = (Manifest.read(folder) or Manifest("", {}, {})).parts
        place = str(folder)[len(str(work)) :].lstrip("/")
        for part in random.Random(salt).sample(sorted(parts), math.ceil(share * len(parts))):
            names |= {f"{place}/{name}" for name in parts[part].files}
    return names


def _link(path: UPath, copy: UPath) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(str(path), str(copy))  # a run replaces files and never writes into them
    except OSError:
        shutil.copyfile(str(path), str(copy))
