"""gristmill verify"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import console, say, say_json

STYLES = {"intact": "green", "damaged": "red", "unfinished": "yellow"}


class Share(click.ParamType):
    """Share as ``1%`` or ``0.01``."""

    name = "share"

    def convert(self, value, param, context):
        """Return a share from 0 to 1."""
        try:
            share = float(value[:-1]) / 100 if str(value).endswith("%") else float(value)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"{value!r} is no share; expected 1% or 0.01", param, context)
        return share


SHARE = Share()


@click.command()
@work_argument
@click.option("--json", "as_json", is_flag=True, help="Print folders, problems and unchecked files as JSON.")
@click.option(
    "--sample", type=SHARE, default="1%", show_default=True, help="Share of a certificate's parts to make again."
)
@click.option("--key", metavar="PUBLIC", help="Verify the signature of a certificate by this minisign public key.")
@click.pass_context
def verify(context, work, as_json, sample, key):
    """Verify everything finished in WORK: each file's size and checksum, each manifest, files that no manifest lists.

    WORK is a work folder, or a folder of tokens, tokenizers, models or an index. Nothing is changed. The exit code is
    1 if anything is damaged. The next run makes a removed file again, with the same bytes.

    WORK may also be the certificate of a work folder. Its inputs and all files are compared with their checksums, and a
    random share of the parts of each folder of the cleaning is made again from the inputs and compared byte for byte.

    \b
        gristmill verify work
        gristmill verify work --json | jq -r .problems[]
        gristmill verify work/certificate.json --sample 1% --key mill.key.pub
    """
    from rich.progress import Progress

    from gristmill.flows.runs.verify import verify as verify_folder
    from gristmill.pipelines.storage.files import to_path

    if to_path(work).is_file():
        return _verify_certificate(context, to_path(work), sample, to_path(key) if key else None, as_json)
    if key:
        raise click.UsageError("--key is for a certificate; name WORK/certificate.json")
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("verify", total=None)
        found = verify_folder(to_path(work), lambda size, total: bar.update(task, total=total, advance=size))
    if as_json:
        folders = [folder._asdict() for folder in found.folders]
        body = {"folders": folders, "problems": found.problems, "unchecked": found.unchecked}
        say_json(body, indent=True)
    else:
        for problem in found.problems:
            say(problem)
        for folder in found.folders:
            say(f"  {folder.state:<12}", nl=False, fg=STYLES[folder.state])
            say(f"{folder.name:<34}{folder.files:>7,} files  {folder.bytes / 1e6:>10,.1f} MB")
        if found.unchecked:
            names = ", ".join(found.unchecked[:5]) + (", …" if len(found.unchecked) > 5 else "")
            say(f"{len(found.unchecked):,} files have no checksum: {names}")
    context.exit(1 if found.problems else 0)


def _verify_certificate(context, path, sample, key, as_json):
    """Print how a certificate fits its inputs and its folder."""
    from gristmill.flows.certify.minisign import SUFFIX, signature_problem
    from gristmill.flows.certify.recompute import verify_certificate

    found = verify_certificate(path, path.parent, sample)
    problems, notes = found.problems, found.notes
    if key and (problem := signature_problem(path, key)):
        problems.insert(0, problem)
    if not key and path.with_name(path.name + SUFFIX).exists():
        notes.append("the signature is not verified; name the public key with --key")
    if as_json:
        say_json(found._asdict(), indent=True)
    else:
        for line in (*problems, *(f"Note: {note}" for note in notes)):
            say(line)
        again = f"{len(found.made_again):,} made again from the inputs"
        say(f"{found.files:,} files have the certified checksums, {again}")
    context.exit(1 if problems else 0)
