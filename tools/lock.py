"""Write requirements.lock and requirements-dev.lock: names and versions, as pyproject.toml resolves today.

Run ``python -m tools.lock``; nothing is installed. The first lock is what ``pip install gristmill`` installs. The
second lists the other packages of a development install, resolved with the versions of the first.
"""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
RUNTIME, DEVELOPMENT = REPOSITORY / "requirements.lock", REPOSITORY / "requirements-dev.lock"
EXTRAS = "dev,spacy,s3,cluster"
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def resolve(target: str, *options: str) -> dict[str, str]:
    """Return the version of each package that pip would install for ``target``, itself excluded.

    Local labels such as ``+cpu`` are cut off: another platform has other builds of the same version.
    """
    command = (*PIP, "install", "--dry-run", "--ignore-installed", "--report", "-", *options, target)
    report = json.loads(subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True).stdout)
    packages = [each["metadata"] for each in report["install"]]
    return {each["name"]: each["version"].partition("+")[0] for each in packages if each["name"] != "gristmill"}


def lines(packages: dict[str, str]) -> str:
    """Return one ``name==version`` per line, in the order of the names."""
    return "".join(f"{name}=={packages[name]}\n" for name in sorted(packages, key=str.lower))


def main() -> None:
    """Write both files."""
    runtime = resolve(".")
    RUNTIME.write_text(lines(runtime))
    everything = resolve(f".[{EXTRAS}]", "--constraint", str(RUNTIME))
    DEVELOPMENT.write_text(lines({name: version for name, version in everything.items() if name not in runtime}))


if __name__ == "__main__":
    main()
