"""Profile files: TOML that a recipe reads, with the shares of documents that each threshold removes as comments."""

from collections.abc import Iterator

import orjson
from upath import UPath

from gristmill.flows.profile.make import LanguageProfile, Shares
from gristmill.flows.report.format import percent
from gristmill.pipelines.storage.files import atomic_write


def write_profiles(profiles: list[LanguageProfile], folder: UPath) -> list[str]:
    """Write ``LANGUAGE.toml`` for each profile; return the names of other profiles that the folder holds."""
    folder.mkdir(parents=True, exist_ok=True)
    for profile in profiles:
        with atomic_write(folder / f"{profile.language}.toml") as file:
            file.write(render(profile).encode())
    return sorted({path.stem for path in folder.glob("*.toml")} - {profile.language for profile in profiles})


def render(profile: LanguageProfile) -> str:
    """Return the file of a profile."""
    return "\n".join([*_lines(profile), ""])


def _lines(profile: LanguageProfile) -> Iterator[str]:
    yield f"# From {profile.sampled:,} documents of the {profile.source} in {profile.language}."
    yield "# A comment says which share of the documents a threshold removes alone. With the other rules of"
    yield f"# these steps, it is {removed(profile.removes)}."
    yield f"languages = {_list([profile.language])}"
    if profile.stop_words:
        yield f"stop_words = {_list(profile.stop_words)}"
    last = ""
    for each in profile.thresholds:
        if each.filter != last:
            yield ""
            yield f"[{each.filter}]"
            last = each.filter
        comment = f" # {removed(each.removes)}" if each.removes else ""
        yield f"{each.setting} = {each.value}{comment}"


def removed(shares: Shares) -> str:
    """Format the shares of the documents that are removed.

    >>> removed({"corpus": 0.02, "reference": 0.0})
    '2.0% of the corpus, 0% of the reference'
    """
    return ", ".join(f"{percent(share)} of the {kind}" for kind, share in shares.items())


def _list(values: list[str]) -> str:
    """Return strings as a list in TOML: as in JSON, except that DEL is escaped."""
    return orjson.dumps(values).decode().replace('","', '", "').replace("\x7f", "\\u007f")
