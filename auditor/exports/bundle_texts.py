"""What a bundle says in words: how to check it, and what it does not show however well it checks."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.proof.bundle import TSR

FEW = 5

LIMITS = """\
WHAT THIS BUNDLE SHOWS
Which verdicts were recorded, when, on which stored answers, by which definition; that none of the period was left out, changed or
moved; that each verdict is what its definition says of its document; how far the looking reached, and where it did not.

WHAT IT DOES NOT SHOW
1. That the connected sources are all there are. Compare data/scope.json and data/inventory.json with the entity's own list of accounts,
   its invoices, and what its organisation lists (aws.organizations.account in the inventory).
2. That an account belongs to the entity. The account id stands in data/scope.json; ask for an invoice, or sign in and look.
3. That the collector was shown the real account. Whoever runs it could point it at another endpoint or forge answers. Against that:
   data/calls/ holds each call behind new evidence, with its host, the SHA-256 of the certificate that the host showed, and the
   request id that it gave; the entity's own CloudTrail has the same calls under the same ids (README.txt says how to search);
   "auditor observe" reads sampled resources again with credentials of your own.
4. That coverage was told as it was. It is under the seal, not entry by entry in the ledger: whoever holds the signing key could
   tell a kinder one. No verdict with a document depends on it.
5. Anything from before the first signed head of this bundle, beyond what that head binds. Compare heads with ones you got earlier:
   an older bundle, a message, a time stamp.
6. That a document follows from its evidence. verify/ judges documents; "auditor reperform" derives them again from the evidence.
7. That a control worked. A verdict is about one resource at one moment. Concluding is the auditor's.
8. What a value was that was seen and not kept (redactions in data/evidence/index.jsonl), nor that it looked as is told. Another
   fingerprint shows that it changed; a guess can be confirmed by nobody but the holder of the entity's key.
"""

FIND = """\
  aws cloudtrail lookup-events --region REGION --lookup-attributes AttributeKey=EventName,AttributeValue=OPERATION \\
    --start-time STARTED --end-time FINISHED --query "Events[?contains(CloudTrailEvent, 'REQUEST-ID')].CloudTrailEvent"
CloudTrail writes list_buckets as ListBuckets, and knows management events of the last 90 days; of what is older search the trail's
bucket, or its event data store: SELECT * FROM store WHERE requestid = 'REQUEST-ID'. Global services (iam, sts, organizations) stand
in us-east-1; events arrive some minutes late. In the audit log of a Kubernetes cluster the id stands as auditID.
"""
"""How a request id leads to the call in the entity's own trail."""

_README = """\
Evidence bundle: {name}
{frameworks}, {begins} to {ends}; known until {as_of}
{real}{part}
START HERE
  data/index.html      open it in a browser: requirement, control, check, finding, evidence. No script, no network.
  data/csv/            the same as tables for spreadsheets
  data/limits.txt      what this bundle does not show. Read it before you rely on the rest.

CHECK IT (in this folder; nothing but Python 3.9 or later)
  python3 -I -S -B verify/ --key '{key}'
The key printed here came with the bundle. Ask the entity for it by another way and compare; without --key the answer is
"trust not pinned". Exit 0: verified, 1: refused, 2: unusable. verify/ also came with the bundle: compare it with the release
named in data/audit.json, or install that release and run: auditor bundle verify .

CHECK IT WITH OTHER TOOLS
  sha256sum -c --quiet manifest-sha256.txt
  sha256sum -c --quiet tagmanifest-sha256.txt
  sha256sum manifest-sha256.txt
  ssh-keygen -Y verify -f keys/allowed_signers -I auditor -n evidence-bundle -s manifest-sha256.txt.sshsig < manifest-sha256.txt
  cut -d+ -f3- keys/log.vkey | base64 -d | tail -c 32 > /tmp/raw.key
  (printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; cat /tmp/raw.key) > /tmp/log.der
  sed '/^$/,$d' manifest-sha256.txt.note > /tmp/seal.txt
  sed '1,/^$/d' manifest-sha256.txt.note | head -n 1 | cut -d' ' -f3 | base64 -d | tail -c 64 > /tmp/seal.sig
  openssl pkeyutl -verify -pubin -inkey /tmp/log.der -keyform DER -rawin -in /tmp/seal.txt -sigfile /tmp/seal.sig
The third line prints this bundle's identity; it stands in the note, which the key signed.
{stamps}
DO IT AGAIN (with the installed release)
  auditor bundle verify .            the same as verify/
  auditor reperform .                documents derived again from the stored evidence, derived types included
  auditor observe . --sample FILE    sampled resources read live with credentials of your own, and compared
  auditor bundle open .              this bundle in a browser, read-only, on this machine

FIND OUR CALLS IN THE ENTITY'S OWN TRAIL
A line of data/evidence/index.jsonl names under "calls" a record in data/calls/ and the numbers of its calls in it, counted from 0.
Each has operation, parameters, region, times, host, certificate and the request ids of its answers. With access to the entity's trail:
{find}"""


def stand_ins(audit: Mapping[str, Any]) -> str:
    """Which sources no real provider answered for, in a sentence; empty where all were real."""
    named = ", ".join(f"{one['name']} ({one['host']})" for one in audit.get("not_a_real_provider", ()))
    return f"NOT A REAL PROVIDER: another host than the provider's own answered for {named}." if named else ""


_STAMPS = """
CHECK THE TIME STAMPS (RFC 3161)
{lines}
Each shows that its file existed when the authority says so; the first output line of each pair says "Verification: OK", the rest
tells the time. roots.pem holds the authority's root certificates: ask for them by another way, best the authority itself.
"""
_STAMP = """\
  openssl ts -verify -data {of} -in {of}{token} -CAfile /tmp/roots.pem
  openssl ts -reply -in {of}{token} -text"""


def readme(audit: Mapping[str, Any], key: str, stamped: Sequence[str] = ()) -> str:
    """How to check the bundle, in one page; ``stamped`` are the files with a time stamp beside them."""
    lines = "\n".join(_STAMP.format(of=of, token=TSR) for of in stamped)
    period = audit["period"]
    partial = audit.get("partial")
    part = ""
    if partial:
        named = "; ".join(f"{noun} {_few(of)}" for noun, of in sorted(partial.items()) if of)
        part = (
            f"\nTHIS IS A PART: {named}.\nEach finding in it is proved to lie in the ledger. That nothing was left out is not shown,"
            "\nnor that the last span told of a finding was its last; only the whole bundle of the period shows that.\n"
        )
    return _README.format(
        name=audit["name"],
        frameworks=", ".join(audit["frameworks"]) or "every framework",
        begins=period["from"],
        ends=period["to"],
        as_of=audit["as_of"],
        real=f"\n{stand_ins(audit)}\n" if stand_ins(audit) else "",
        part=part,
        find=FIND,
        key=key,
        stamps=_STAMPS.format(lines=lines) if stamped else "",
    )


def _few(named: Sequence[str]) -> str:
    """Names as far as they fit into a sentence; all of them stand in ``data/audit.json``."""
    shown = ", ".join(named[:FEW])
    return f"{shown} and {len(named) - FEW} more, see data/audit.json" if len(named) > FEW else shown


def bag_info(audit: Mapping[str, Any], size: int) -> str:
    """What BagIt readers show; no clock but the time the bundle speaks as of."""
    lines = (
        ("Bag-Software-Agent", audit["product"]),
        ("Bagging-Date", audit["as_of"][:10]),
        ("External-Description", f"Evidence {audit['period']['from']} to {audit['period']['to']}"),
        ("Bag-Size", f"{size} bytes"),
    )
    return "".join(f"{name}: {_plain(value)}\n" for name, value in lines)


def _plain(value: str) -> str:
    return textwrap.shorten(value, 70)
