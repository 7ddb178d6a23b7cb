"""Certificate of a work folder, ``WORK/certificate.json``: inputs, recipe, code, and the checksum of every file.

certificate.json
  version, python, packages, code   of Gristmill and what computes in it; ``code`` is a digest of all its sources
  kernels {file: digest}            of the sources that each file with kernels compiles
  recipe                            as it ran
  inputs [name, url, bytes, sha256] the checksum is "" for a dataset
  folders {name: manifest}          fingerprint, counts and settings of each finished folder, tokens and models too
  files {name: [bytes, sha256]}     of every finished file, manifests included
"""

import hashlib
import platform
import re
from importlib.metadata import version

from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import RECIPE, REMEDY
from gristmill.flows.runs.verify import verify, walk
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.inputs.inputs import InputSettings, find_inputs, is_dataset
from gristmill.pipelines.sources import ROOT, state
from gristmill.pipelines.storage.files import TEMPORARY, checksum, to_path
from gristmill.pipelines.storage.manifest import PROGRESS, VERSION, Manifest
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed

CERTIFICATE = "certificate.json"
PACKAGES = "numpy", "numba", "pyarrow", "polars", "torch", "tokenizers"
KERNEL = re.compile(r"^@(allocating_|inline_)?kernel$", re.MULTILINE)
FOLDERS = "pipelines", "filters", "dedup", "tokenizers_lab", "pretrain", "flows", "gristmill"


def certify(work: UPath) -> dict:
    """Verify a work folder, write its certificate and return it. Raises WorkError for the first damage."""
    if problems := verify(work).problems:
        raise WorkError(f"cannot certify {work}: {problems[0]}")
    try:
        recipe = read_sealed(work / RECIPE, REMEDY)
    except FileNotFoundError:
        raise WorkError(f"{work / RECIPE} is missing; {REMEDY}") from None
    folders, files = contents(work)
    kernels, code = code_digests()
    certificate = {
        "version": VERSION,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "code": code,
        "kernels": kernels,
        "recipe": recipe,
        "inputs": inputs_of(parse_recipe(recipe, str(work / RECIPE)).input),
        "folders": folders,
        "files": files,
    }
    write_sealed(work / CERTIFICATE, certificate)
    return certificate


def contents(work: UPath) -> tuple[dict[str, dict], dict[str, list]]:
    """Return the finished folders and the size and checksum of each of their files, by name relative to ``work``."""
    folders: dict[str, dict] = {}
    files: dict[str, list] = {}
    unchecked = set(verify(work).unchecked)
    for folder, names in walk(work):
        manifest = Manifest.read(folder)
        known = manifest.files if manifest else {}
        place = str(folder)[len(str(work)) :].lstrip("/")
        if manifest:
            about = {"fingerprint": manifest.fingerprint, "counts": manifest.counts, "settings": manifest.settings}
            folders[place] = about
        for name in names:
            path, full = folder / name, f"{place}/{name}".lstrip("/")
            if full in unchecked or name in (PROGRESS, CERTIFICATE) or TEMPORARY in name or path.is_dir():
                continue
            sha256 = known[name]["sha256"] if name in known else checksum(path)
            files[full] = [path.stat().st_size, sha256]
    return folders, files


def inputs_of(inputs: tuple[InputSettings, ...]) -> list[dict]:
    """Return name, URL, size and checksum of each input file."""
    found = []
    for file in (each for files in find_inputs(inputs) for each in files):
        sha256 = "" if is_dataset(file.url) or file.format == "hf" else checksum(to_path(file.url))
        found.append({"name": file.name, "url": file.url, "bytes": file.size, "sha256": sha256})
    return found


def code_digests() -> tuple[dict[str, str], str]:
    """Return the digest of the sources of each file with kernels, and one of all sources."""
    whole, kernels = hashlib.sha256(), {}
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        name, text = path.relative_to(ROOT).as_posix(), path.read_bytes()
        whole.update(name.encode() + b"\0" + hashlib.sha256(text).digest())
        if KERNEL.search(text.decode()):
            kernels[name] = state(str(path))
    return kernels, whole.hexdigest()
