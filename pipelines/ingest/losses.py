"""Losses of ingestion: records and files that could not be read, and the limit at which they stop the run.

A broken file counts by its bytes. As one record, a file of 20,000 rows would weigh less than 200 good rows beside it.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import orjson
from upath import UPath

from gristmill.pipelines.errors import TooManyRejects
from gristmill.pipelines.storage.manifest import Manifest


class LostFile(NamedTuple):
    """File that was not read to its end."""

    file: str
    bytes: int  # of the stored file
    lost_bytes: int
    reason: str

    def __str__(self) -> str:
        """Return one line with the lost bytes and their percentage."""
        percent = 100 * self.lost_bytes / max(self.bytes, 1)
        lost = f"{self.lost_bytes:,} of {self.bytes:,} bytes ({percent:.1f} %) count as lost"
        return f"{self.file} was not read to its end, {lost}: {self.reason}"


def lost_files(folder: UPath, manifest: Manifest) -> list[LostFile]:
    """Return the files that were not read to their end, those with most lost bytes first.

    ``folder`` holds the rejects. Only parts with lost bytes are read.
    """
    lost: dict[str, LostFile] = {}
    for part in manifest.parts.values():
        for reject in _rejects(folder, part.files) if part.counts.get("lost_bytes") else ():
            if reject["lost_bytes"]:
                name, size = reject["file"], reject["file_bytes"]
                found = lost.setdefault(name, LostFile(name, size, 0, reject["reason"]))
                lost[name] = found._replace(lost_bytes=min(found.lost_bytes + reject["lost_bytes"], size))
    return sorted(lost.values(), key=lambda file: (-file.lost_bytes, file.file))


def check_losses(folder: UPath, manifests: dict[UPath, Manifest], all_bytes: int, max_fraction: float) -> None:
    """Raise TooManyRejects if more than a fraction of all records or of ``all_bytes`` of the input was lost.

    The message names the most frequent reasons with an example of each, or the files with most lost bytes.
    """
    lost = lost_files(folder, manifests[folder])
    lost_bytes = sum(file.lost_bytes for file in lost)
    counts = sum((manifest.counts for manifest in manifests.values()), Counter())
    rejects, total = counts["rejects"], counts["rejects"] + counts["documents"]
    if rejects > max_fraction * total:
        problem, why = f"{rejects:,} of {total:,} records could not be read", _reasons(folder, manifests[folder])
    elif lost_bytes > max_fraction * all_bytes:
        problem = f"{lost_bytes:,} of {all_bytes:,} bytes count as lost, in {len(lost):,} broken files"
        why = "; ".join(map(str, lost[:3]))
    else:
        return
    limit = f"more than input.max_reject_fraction = {max_fraction:g}"
    raise TooManyRejects(f"{problem}, {limit}: {why}; all are in {folder}")


def _reasons(folder: UPath, manifest: Manifest) -> str:
    reasons: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for reject in _rejects(folder, manifest.files):
        reason = reject["reason"].partition(":")[0]
        reasons[reason] += 1
        examples.setdefault(reason, f"{reject['file']}:{reject['position']}")
    return "; ".join(f"{count:,} {reason} ({examples[reason]})" for reason, count in islice(reasons.most_common(), 3))


def _rejects(folder: UPath, names) -> Iterator[dict]:
    for name in names:
        with (folder / name).open("rb") as file:
            yield from map(orjson.loads, file)
