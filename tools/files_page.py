"""Write docs/files.md: every module, under its folder, with the first sentence of its docstring.

python -m tools.files_page
"""

import ast
import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PAGE = REPOSITORY / "docs" / "files.md"
FOLDERS = ("gristmill", "pipelines", "filters", "dedup", "tokenizers_lab", "pretrain", "flows", "benchmarks", "tools")
HEAD = """# Files

Every module with the first sentence of its docstring. `python -m tools.files_page` writes this page; edit the
docstrings, not the page. [architecture.md](architecture.md) says how the rooms work together.
"""
END_OF_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")


def page() -> str:
    """Return the page as it should be now."""
    lines = [HEAD]
    for top in FOLDERS:
        for folder in sorted({path.parent for path in (REPOSITORY / top).rglob("*.py")}):
            name = folder.relative_to(REPOSITORY).as_posix()
            level = "##" if name == top else "###"
            lines += [f"{level} {name}/", ""]
            if about := first_sentence(folder / "__init__.py"):
                lines += [f"{about}.", ""]
            modules = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
            lines += [f"- [`{path.name}`](../{name}/{path.name}): {first_sentence(path)}" for path in modules]
            lines += [""] if modules else []
    return "\n".join(lines)


def first_sentence(path: Path) -> str:
    """Return the first sentence of a module's docstring, without its full stop; "" without a module or a docstring."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) if path.exists() else None
    paragraph = " ".join((text or "").partition("\n\n")[0].split())
    return END_OF_SENTENCE.split(paragraph)[0].replace("``", "`").rstrip(".")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
