"""Signatures that minisign reads and writes: Ed25519 over BLAKE2b, with a trusted comment.

The format is that of https://jedisct1.github.io/minisign. Secret keys have no password, like those of
``minisign -G -W``.
"""

import base64
import hashlib
import os
import secrets

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import atomic_write

SUFFIX = ".minisig"
PLAIN, HASHED, NO_PASSWORD, BLAKE = b"Ed", b"ED", b"\0\0", b"B2"
EMPTY = bytes(48)  # salt and limits of the password's hash


def make_key(path: UPath) -> UPath:
    """Write a new secret key, readable by its owner alone, and ``path.pub``, its public key; return the latter.

    Raises InputError for a place that cannot be written.
    """
    key, number = Ed25519PrivateKey.generate(), secrets.token_bytes(8)
    public = key.public_key().public_bytes_raw()
    secret = key.private_bytes_raw() + public
    check = hashlib.blake2b(PLAIN + number + secret, digest_size=32).digest()
    body = PLAIN + NO_PASSWORD + BLAKE + EMPTY + number + secret + check
    try:
        with open(os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_lines("untrusted comment: minisign secret key", body))
    except OSError as error:
        raise InputError(f"cannot write the key {path}: {error.strerror or error}") from None
    with atomic_write(public_path := path.with_name(f"{path.name}.pub")) as file:
        file.write(_lines("untrusted comment: minisign public key", PLAIN + number + public))
    return public_path


def sign(path: UPath, key: UPath) -> UPath:
    """Write the signature of a file beside it; return its path. Raises InputError for a key that cannot sign."""
    body = _decoded(key, 158)
    if body[2:4] != NO_PASSWORD:
        raise InputError(f"{key} has a password; make a key without one by `minisign -G -W`")
    number, secret, check = body[54:62], body[62:126], body[126:]
    if hashlib.blake2b(PLAIN + number + secret, digest_size=32).digest() != check:
        raise InputError(f"{key} is damaged: its checksum is wrong")
    signer = Ed25519PrivateKey.from_private_bytes(secret[:32])
    signature = signer.sign(_hash(path))
    comment = f"file:{path.name}\thashed"
    written = path.with_name(path.name + SUFFIX)
    with atomic_write(written) as file:
        file.write(_lines("untrusted comment: signature by gristmill certify", HASHED + number + signature))
        file.write(_lines(f"trusted comment: {comment}", signer.sign(signature + comment.encode())))
    return written


def signature_problem(path: UPath, key: UPath) -> str:
    """Return why the signature beside a file is not one by the owner of a public key, "" if it is."""
    beside, body = path.with_name(path.name + SUFFIX), _decoded(key, 42)
    number, public = body[2:10], Ed25519PublicKey.from_public_bytes(body[10:])
    try:
        _, signed, comment, whole = beside.read_text("utf-8").splitlines()
        signature = base64.b64decode(signed, validate=True)
        kind, of_key, rest = signature[:2], signature[2:10], signature[10:]
        if of_key != number:
            return f"{beside} is by another key"
        public.verify(rest, _hash(path) if kind == HASHED else path.read_bytes())
        public.verify(base64.b64decode(whole, validate=True), rest + comment.removeprefix("trusted comment: ").encode())
    except FileNotFoundError:
        return f"{beside} is missing; `gristmill certify --sign KEY` writes it"
    except (ValueError, InvalidSignature):
        return f"{beside} is no signature of {path.name} by this key"
    return ""


def _hash(path: UPath) -> bytes:
    return hashlib.blake2b(path.read_bytes()).digest()


def _lines(comment: str, body: bytes) -> bytes:
    return f"{comment}\n{base64.b64encode(body).decode()}\n".encode()


def _decoded(path: UPath, size: int) -> bytes:
    """Return the bytes of a key; raise InputError if it is none of ``size`` bytes."""
    try:
        body = base64.b64decode(path.read_text("utf-8").splitlines()[1], validate=True)
    except (OSError, ValueError, IndexError):
        body = b""
    if len(body) != size or body[:2] != PLAIN:
        kind = "secret" if size == 158 else "public"
        raise InputError(f"{path} is no {kind} key of minisign; expected a comment and {size} bytes in base64")
    return body
