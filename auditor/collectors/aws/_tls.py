"""The certificate authorities we trust, read once per process instead of once per connection; and who proved to be whom.

The library gives each client a TLS context of its own and reads the whole bundle into it again for every connection:
some 10 to 25 ms and, per client, 0.6 MiB. A scan opens hundreds. Clients that trust the same bundle share one context.
"""

from __future__ import annotations

import ssl
from functools import partial
from threading import Lock
from typing import Any

from botocore.awsrequest import AWSHTTPSConnection, AWSHTTPSConnectionPool
from botocore.httpsession import create_urllib3_context, get_cert_path

from auditor.collectors.hearing import ShowsItsPeer

_CONTEXTS: dict[str, ssl.SSLContext] = {}
_MAKING = Lock()


class _Connection(ShowsItsPeer, AWSHTTPSConnection):  # type: ignore[misc]  # the library has no types
    """A connection whose responses say which certificate it was made to."""


class _Pool(AWSHTTPSConnectionPool):  # type: ignore[misc]  # likewise
    """Connections that show their peer."""

    ConnectionCls = _Connection


def show_peers(client: Any) -> None:
    """Let a client's responses say which certificate the host showed, whether or not it goes through a proxy."""
    client._endpoint.http_session._pool_classes_by_scheme["https"] = _Pool  # noqa: SLF001  (the library offers no public way)


def share_roots(client: Any) -> None:
    """Let a new client use the context of its bundle. One that verifies nothing, or shows a certificate, keeps its own."""
    http = client._endpoint.http_session  # noqa: SLF001  (the library offers no public way)
    if not client.meta.endpoint_url.startswith("https:") or not http._verify or http._cert_file:  # noqa: SLF001  (likewise)
        return
    http._manager.connection_pool_kw["ssl_context"] = _context(get_cert_path(http._verify))  # noqa: SLF001  (likewise)


def _context(bundle: str) -> ssl.SSLContext:
    with _MAKING:
        if bundle not in _CONTEXTS:
            context: ssl.SSLContext = create_urllib3_context()
            context.load_verify_locations(bundle)
            # urllib3 reads its bundle again before each handshake; this one has it, any other is added as always.
            vars(context)["load_verify_locations"] = partial(_load, context, bundle)
            _CONTEXTS[bundle] = context
        return _CONTEXTS[bundle]


def _load(context: ssl.SSLContext, bundle: str, cafile: Any = None, capath: Any = None, cadata: Any = None) -> None:
    if (cafile, capath, cadata) != (bundle, None, None):
        ssl.SSLContext.load_verify_locations(context, cafile, capath, cadata)
