"""Upload of clean documents and their card to a dataset repository of the Hugging Face Hub.

The client is huggingface_hub, with its token (``HF_TOKEN`` or `hf auth login`) and its endpoint (``HF_ENDPOINT``).
Files are uploaded first and appear by one commit at the end, so a repository never has half a corpus. A repeated push
asks the Hub which files it has, and uploads the others.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from upath import UPath

from gristmill.flows.publish.export import CARD, DATA
from gristmill.flows.report.card import write as write_card
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import GristmillError, RecipeError
from gristmill.pipelines.storage.files import is_local
from gristmill.pipelines.storage.manifest import require_finished

AT_ONCE = 50  # files to upload before the next line of progress
NO_TOKEN = "the Hub needs a token: set HF_TOKEN, or log in with `hf auth login`"


def push_corpus(
    work: UPath,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    license: str = "unknown",
    name: str | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """Upload a finished run to the dataset repository ``repo``, which is made if it does not exist; return its URL.

    Shards of an earlier push that the corpus lacks are deleted. ``report(files, total)`` is called after each batch.
    Raises GristmillError, in one line, for a missing token, a refusal of the Hub and a connection that fails.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token

    run, clean = FinishedRun(work), require_finished(work / "clean", "run again")
    if not is_local(work):
        raise RecipeError(f"{work} is not a local folder; copy it, or push from a machine that holds it")
    if not get_token():
        raise GristmillError(NO_TOKEN)
    clean.verify(work / "clean")
    card = write_card(run, license, name, DATA).encode()
    adds: list[Any] = [CommitOperationAdd(f"{DATA}/{file}", str(work / "clean" / file)) for file in clean.files]
    adds.append(CommitOperationAdd(CARD, card))
    with hub_errors(repo, revision):
        api = HfApi()
        url = api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        repo = url.repo_id
        if revision:
            api.create_branch(repo, repo_type="dataset", branch=revision, exist_ok=True)
        there = {*api.list_repo_files(repo, repo_type="dataset", revision=revision)}
        files = iter(adds)
        for first in range(0, len(adds), AT_ONCE):
            batch = list(islice(files, AT_ONCE))
            api.preupload_lfs_files(repo, batch, repo_type="dataset", revision=revision, free_memory=False)
            report(first + len(batch), len(adds))
        stale = sorted(file for file in there - {add.path_in_repo for add in adds} if file.startswith(f"{DATA}/"))
        deletes = [CommitOperationDelete(file) for file in stale if file.endswith(".parquet")]
        message = f"{run.summary['clean']:,} documents, made by Gristmill {run.version}"
        api.create_commit(repo, [*adds, *deletes], commit_message=message, repo_type="dataset", revision=revision)
    return str(url)


@contextmanager
def hub_errors(repo: str, revision: str | None) -> Iterator[None]:
    """Turn the errors of the client into one line that says what to do."""
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    place = f"{repo} at {revision}" if revision else repo
    again = "run the same command again: files that have arrived are not uploaded twice"
    try:
        yield
    except HFValidationError as error:
        raise RecipeError(f"{repo!r} is no name of a repository: {_line(error)}; expected OWNER/NAME") from None
    except OfflineModeIsEnabled:
        raise GristmillError("HF_HUB_OFFLINE is set, so nothing is uploaded; unset it") from None
    except HfHubHTTPError as error:
        code = error.response.status_code
        what = {
            401: f"the Hub does not accept the token for {place}; {NO_TOKEN.partition(': ')[2]}",
            403: f"the token may not write to {place}; make one with write permission",
            404: f"the Hub has no {place}, or the token may not see it",
        }
        raise GristmillError(what.get(code, f"the Hub answered {code} for {place} ({_line(error)}); {again}")) from None
    except Exception as error:
        if not isinstance(error, (RuntimeError, *HfHubHTTPError.__bases__)):  # of threads; of the HTTP library, OSError
            raise
        cause = error.__cause__ or error
        raise GristmillError(f"the upload to {place} stopped ({_line(cause)}); {again}") from None


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]
