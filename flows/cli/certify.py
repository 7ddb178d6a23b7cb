"""gristmill certify"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import console, say


@click.command()
@work_argument
@click.option(
    "--sign", "key", metavar="KEY", help="Sign with this minisign key without password; a missing one is made."
)
def certify(work, key):
    """Write the certificate of a finished WORK: its inputs, recipe and code, and the checksum of every file.

    `gristmill verify WORK/certificate.json` compares them and makes a random part again from the inputs.

    \b
        gristmill certify work
        gristmill certify work --sign mill.key
        gristmill verify work/certificate.json --sample 1% --key mill.key.pub
    """
    from gristmill.flows.certify.certificate import CERTIFICATE
    from gristmill.flows.certify.certificate import certify as write_certificate
    from gristmill.flows.certify.minisign import make_key, sign
    from gristmill.pipelines.storage.files import to_path

    folder = to_path(work)
    found = write_certificate(folder)
    say(f"{len(found['inputs']):,} inputs, {len(found['folders']):,} folders, {len(found['files']):,} files")
    console.print(f"  {folder / CERTIFICATE}", soft_wrap=True)
    if key:
        secret = to_path(key)
        if not secret.exists():
            say(f"  {make_key(secret)} is the public key of the new {secret}")
        console.print(f"  {sign(folder / CERTIFICATE, secret)}", soft_wrap=True)
