"""``auditor ledger``: check a log, show what was signed, prove an entry, keep copies outside, change the key."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from auditor.cli.connect import tenant_of
from auditor.domain.errors import ConfigurationError, LedgerError

if TYPE_CHECKING:
    from auditor.bootstrap import Installation
    from auditor.domain.ledger import Anchor, Head
    from auditor.pipeline.recheck import Sound
    from auditor.proof.note import VerifierKey
    from auditor.store.ledger import PostgresCopy

EPILOG = """examples:
  auditor ledger verify --tenant acme
  auditor ledger verify --tenant acme --key 'auditor.example/8f…+5e2b6297+Ac3P…'
  auditor ledger verify --tiles /mnt/copy/acme --key acme.vkey
  auditor ledger checkpoint --tenant acme               the latest signed head, as text
  auditor ledger checkpoint --tenant acme --now         append what waits and sign it first
  auditor ledger checkpoint --tenant acme --token F     the latest head with a time stamp, its token into a file
  auditor ledger proof 4711 --tenant acme               an entry by its index, event or subject
  auditor ledger key --tenant acme                      the public key, for --key
  auditor ledger export /mnt/copy/acme --tenant acme    the log as tiles (C2SP tlog-tiles)
  auditor ledger anchor --tenant acme --to heads/acme.checkpoint
  auditor ledger anchor --tenant acme --to s3://locked-bucket/heads
  auditor ledger anchor --tenant acme --timestamp https://tsa.example/tsr
  auditor ledger rotate                                 a new key signs beside the old one
  auditor ledger rotate --retire                        then alone

--key names the public key that must have signed, as text or file; without it the key file of this installation is taken.
Whoever holds the key can rewrite what nobody else has seen: keep heads where this installation cannot write over them.
"""
_RAW: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "epilog": EPILOG}


def add(commands: Any) -> None:
    """``ledger verify|checkpoint|proof|key|export|anchor|rotate``."""
    ledger = commands.add_parser("ledger", help="what proves that nothing was changed afterwards", **_RAW)
    verbs = ledger.add_subparsers(metavar="VERB", required=True)
    told: dict[str, tuple[Any, str]] = {
        "verify": (run_verify, "hash every entry again and hold it against what was signed"),
        "checkpoint": (run_checkpoint, "print the latest signed head"),
        "proof": (run_proof, "print that an entry lies under the latest signed head"),
        "key": (run_key, "print the public keys that sign, the newest last"),
        "export": (run_export, "write the log as tiles into a folder"),
        "anchor": (run_anchor, "keep a copy of the latest signed head outside"),
    }
    made = {}
    for name, (function, help_) in told.items():
        made[name] = verbs.add_parser(name, help=help_, **_RAW)
        made[name].add_argument("--tenant", default="default", metavar="SLUG", help="organisation (default: default)")
        made[name].set_defaults(run=function)
    made["verify"].add_argument("--tiles", type=Path, metavar="DIR", help="a folder of tiles instead of the database")
    made["verify"].add_argument("--key", action="append", default=[], help="a public key that signed; repeatable")
    made["checkpoint"].add_argument("--now", action="store_true", help="append what waits and sign it first")
    made["proof"].add_argument("entry", metavar="ENTRY_OR_EVENT", help="an index, the id of an event, or a subject")
    made["export"].add_argument("folder", type=Path, metavar="DIR")
    made["checkpoint"].add_argument(
        "--token",
        type=Path,
        metavar="FILE",
        help="print the latest head that has a time stamp, and write its token there",
    )
    place = made["anchor"].add_mutually_exclusive_group(required=True)
    place.add_argument("--to", metavar="FILE|s3://…", help="where the copy goes")
    place.add_argument("--timestamp", metavar="URL", help="an authority (RFC 3161) that says when it saw the head")
    rotate = verbs.add_parser("rotate", help="let a new key follow the one that signs", **_RAW)
    rotate.add_argument("--retire", action="store_true", help="end the rotation: the old key signs no more")
    rotate.set_defaults(run=run_rotate)


@contextmanager
def _open() -> Iterator[Installation]:
    from auditor.bootstrap import Installation  # noqa: PLC0415  (the command pays for what it uses)
    from auditor.settings import configured  # noqa: PLC0415

    with Installation.open(configured()) as here:
        yield here


@contextmanager
def _copy(here: Installation, slug: str) -> Iterator[tuple[UUID, PostgresCopy]]:
    from auditor.store.ledger import PostgresCopy  # noqa: PLC0415  (likewise)

    tenant = tenant_of(here, slug)
    with PostgresCopy.reading(here.app, tenant) as copy:
        yield tenant, copy


def run_verify(arguments: argparse.Namespace) -> int:
    """Go through a log; 0 if nothing is wrong."""
    from auditor.pipeline.recheck import recheck  # noqa: PLC0415  (likewise)
    from auditor.trust.signing import open_head  # noqa: PLC0415

    given = [_key(one) for one in arguments.key]
    if arguments.tiles is not None:
        from auditor.store.tiles_folder import TilesFolder  # noqa: PLC0415

        if not given:
            raise ConfigurationError("a folder is checked against a key", advice="Give it: --key, as text or file")
        _tell(recheck(TilesFolder(arguments.tiles), partial(open_head, keys=given)))
        return 0
    with _open() as here, _copy(here, arguments.tenant) as (_, copy):
        log = copy.log()
        keys = given or ([] if log is None else _known(here, log.origin))
        _tell(recheck(copy, partial(open_head, keys=keys)))
    return 0


def run_checkpoint(arguments: argparse.Namespace) -> int:
    """Print the latest signed head."""
    with _open() as here:
        if arguments.now:
            with here.notary() as notary, redirect_stdout(sys.stderr):  # what is wrong with other logs is no head
                notary.round()
        with _copy(here, arguments.tenant) as (_, copy):
            head, stamped = _head(copy), copy.last_head(stamped=True)
        if arguments.token is not None:
            if stamped is None or stamped.token is None:
                raise LedgerError("no head has a time stamp yet", advice="Set AUDITOR_TIMESTAMP_URL, or see: anchor")
            head = stamped
            arguments.token.write_bytes(stamped.token)
        sys.stdout.write(head.note)
        if stamped is not None:
            print(_stamped(here, stamped), file=sys.stderr)
    return 0


def run_proof(arguments: argparse.Namespace) -> int:
    """Print a C2SP tlog-proof; the entry itself is its extra line."""
    from auditor.domain.ledger import nodes  # noqa: PLC0415  (likewise)
    from auditor.proof.merkle import inclusion_proof  # noqa: PLC0415
    from auditor.proof.note import InclusionProof  # noqa: PLC0415

    with _open() as here, _copy(here, arguments.tenant) as (_, copy):
        head, found = _head(copy), copy.find(arguments.entry)
        if found is None:
            raise LedgerError(
                f"the ledger has no entry {arguments.entry}",
                advice="Give an index, an event or a subject; what was just noted is appended within seconds",
            )
        if found.index >= head.size:
            raise LedgerError(f"entry {found.index} is not signed yet", advice="Try again in a few seconds")
        tree = nodes(head.size, lambda level, number: copy.tile(level, number) or b"", copy.leaves)
        path = inclusion_proof(found.index, head.size, tree)
        sys.stdout.write(str(InclusionProof(found.index, tuple(path), head.note, found.entry)))
    return 0


def run_key(arguments: argparse.Namespace) -> int:
    """Print verifier keys, one a line."""
    with _open() as here, _copy(here, arguments.tenant) as (tenant, copy):
        log = copy.log()
        for key in _known(here, here.origin(tenant) if log is None else log.origin):
            print(key)
    return 0


def run_export(arguments: argparse.Namespace) -> int:
    """Write tiles."""
    from auditor.store.tiles_folder import write  # noqa: PLC0415  (likewise)

    with _open() as here, _copy(here, arguments.tenant) as (_, copy):
        head = write(copy, arguments.folder)
    print(f"{head.size} entries in {arguments.folder}")
    return 0


def run_anchor(arguments: argparse.Namespace) -> int:
    """Put the latest head somewhere else or have it stamped, and remember that."""
    from auditor.pipeline.anchor import anchor  # noqa: PLC0415  (likewise)

    with _open() as here:
        with _copy(here, arguments.tenant) as (tenant, copy):
            head = _head(copy)
        if arguments.timestamp and head.token is not None:
            print(_stamped(here, head))
            return 0
        place = _place(here, arguments)
        # A token is kept in the ledger's own row; of a copy that lies elsewhere no row need tell.
        if arguments.timestamp or here.urls.ledger:
            with here.ledger() as ledger:
                token = anchor(ledger, tenant, head, place, clock=here.clock)
        else:
            token = place.keep(tenant, head)
        lies = f"the head of size {head.size} lies at {arguments.to}"
        print(lies if token is None else _stamped(here, replace(head, token=token)))
    return 0


def run_rotate(arguments: argparse.Namespace) -> int:
    """Begin a rotation, or end it once every log was signed by both keys."""
    from auditor.trust.signing import LogKeys, fingerprint, retire, rotate  # noqa: PLC0415  (likewise)

    with _open() as here:
        path = here.settings.ledger_key
        if not arguments.retire:
            key = rotate(path)
            print(f"a new key follows (SHA-256 {fingerprint(key.public)}); both sign from the next head on")
            print("Tell whoever checks: auditor ledger key. When they have it: auditor ledger rotate --retire")
            return 0
        _refuse_early(here, LogKeys(path))
        print(f"one key signs (SHA-256 {fingerprint(retire(path).public)})")
    return 0


def _refuse_early(here: Installation, keys: Any) -> None:
    """A key may go once each log has a head that the key after it signed too."""
    from auditor.proof.note import parse_note  # noqa: PLC0415  (likewise)
    from auditor.store.ledger import PostgresCopy  # noqa: PLC0415

    newest = keys.keys()[-1]
    with here.ledger() as ledger:
        for tenant in ledger.tenants():
            with PostgresCopy.reading(here.app, tenant) as copy:
                log, head = copy.log(), copy.last_head()
            if log is None or head is None:
                continue
            key = newest.verifier(log.origin)
            if not any(one.key_hash == key.hash for one in parse_note(head.note).signatures):
                raise LedgerError(
                    f"the log {log.origin} has no head yet that the new key signed",
                    advice="Let auditor checkpoint do a round first",
                )


def _place(here: Installation, arguments: argparse.Namespace) -> Anchor:
    from auditor.store.anchors import BucketAnchor, FileAnchor  # noqa: PLC0415  (likewise)
    from auditor.store.objects.s3 import S3Blobs  # noqa: PLC0415

    authority = here.authority(arguments.timestamp) if arguments.timestamp else None
    if authority is not None:
        return authority
    if not arguments.to.startswith("s3://"):
        return FileAnchor(Path(arguments.to))
    settings = here.settings
    bucket = S3Blobs(arguments.to, mode=settings.object_lock, endpoint_url=settings.objects_endpoint_url)
    return BucketAnchor(bucket, here.clock() + settings.retention if bucket.locks else None)


def _stamped(here: Installation, head: Head) -> str:
    """What the time stamp over a head says, read and verified again now."""
    from auditor.trust.timestamps import read, roots_in  # noqa: PLC0415  (likewise)

    file = here.settings.timestamp_roots
    digest, roots = hashlib.sha256(head.note.encode()).digest(), [] if file is None else roots_in(file)
    try:
        said = read(head.token or b"", digest, roots=roots)
    except LedgerError as error:
        return f"the time stamp over the head of size {head.size}: {error}"
    how = f"verified under {file}" if said.verified else "not verified: AUDITOR_TIMESTAMP_ROOTS names no roots"
    return f"the head of size {head.size} was stamped at {said.at:%Y-%m-%d %H:%M:%S} UTC (number {said.serial}), {how}"


def _head(copy: PostgresCopy) -> Any:
    head = copy.last_head()
    if head is None:
        raise LedgerError("nothing is signed yet", advice="Run auditor checkpoint, or auditor ledger checkpoint --now")
    return head


def _known(here: Installation, origin: str) -> list[VerifierKey]:
    from auditor.trust.signing import LogKeys  # noqa: PLC0415  (likewise)

    path = here.settings.ledger_key
    if not path.is_file():
        raise ConfigurationError(
            f"the key that signs is not here ({path})",
            advice="Give the public key with --key, or run this where auditor checkpoint runs",
        )
    return LogKeys(path).known(origin)


def _key(given: str) -> VerifierKey:
    from auditor.proof.note import NoteError, VerifierKey  # noqa: PLC0415  (likewise)

    try:
        path = Path(given)
        return VerifierKey.parse(path.read_text("utf-8") if "\n" not in given and path.is_file() else given)
    except NoteError as error:
        raise ConfigurationError(f"--key: {error}", advice="Print it with: auditor ledger key") from error


def _tell(sound: Sound) -> None:
    if not sound.size:
        print("the ledger is empty")
        return
    print(f"{sound.origin}: {sound.size} entries, {sound.heads} signed heads; nothing is wrong")
    if sound.signed_at is not None:
        print(
            f"signed up to {sound.signed_size}, last at {sound.signed_at:%Y-%m-%d %H:%M} UTC; root {sound.root.hex()}"
        )
