"""Documentation site: the pages of docs/, those of the repository's top and a reference, built into docs/site.

Run ``python -m tools.docs_site``. Pages are gathered in build/docs, because a link may lead from one to another only
within one folder; links to code become plain text.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools.reference import PAGES

REPOSITORY = Path(__file__).resolve().parents[1]
GATHERED = REPOSITORY / "build" / "docs"
TOP = {"README.md": "index.md", "README.zh-CN.md": "zh-CN.md"}
TOP |= {name: name.lower() for name in ("CHANGELOG.md", "CONTRIBUTING.md", "LOG.md", "LICENSE")}
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\(([^)\s#]+)(#[^)\s]*)?\)")


def place(path: Path) -> Path | None:
    """Return where a file of the repository lies in the gathered folder, or None if it is no page or picture."""
    name = path.relative_to(REPOSITORY).as_posix()
    if name in TOP:
        return Path(TOP[name])
    inside = name.startswith("docs/") and not name.startswith("docs/site/") and path.is_file()
    return Path(name.removeprefix("docs/")) if inside else None


def relinked(text: str, page: Path) -> str:
    """Return the text of a page with each link to another gathered page moved along, and none to code."""
    up = "../" * len((place(page) or Path()).parent.parts)

    def moved(link: re.Match[str]) -> str:
        shown, target, anchor = link[1], link[2], link[3] or ""
        if ":" in target:
            return link[0]
        found = place((page.parent / target).resolve())
        if found is None:
            return shown[1:-1]
        return f"{shown}({up}{found.as_posix()}{anchor})"

    return LINK.sub(moved, text)


def gather(target: Path = GATHERED) -> None:
    """Write all pages and pictures to a folder, which is emptied first."""
    shutil.rmtree(target, ignore_errors=True)
    for path in [*(REPOSITORY / name for name in TOP), *sorted((REPOSITORY / "docs").rglob("*"))]:
        if (inner := place(path)) is not None:
            (target / inner).parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".md":
                (target / inner).write_text(relinked(path.read_text("utf-8"), path), "utf-8")
            else:
                shutil.copyfile(path, target / inner)
    (target / "reference").mkdir()
    for name, page in PAGES.items():
        (target / "reference" / f"{name}.md").write_text(page(), "utf-8")


def build(config: Path = REPOSITORY / "mkdocs.yml") -> bool:
    """Build the site; False if a link is broken or a page is missing in the navigation."""
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}  # an advertisement
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(config)]
    return subprocess.run(command, cwd=REPOSITORY, env=quiet).returncode == 0


if __name__ == "__main__":
    gather()
    sys.exit(not build())
