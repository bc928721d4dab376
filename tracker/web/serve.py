"""``tracker serve``: Datasette with our settings.

in   the path of a database, a host, a port; out  a server, until Ctrl-C; the file is opened read-only
Datasette and uvicorn (0.4 s) are imported when it starts, not before. Without our plugin the same settings make a useful plain Datasette.
"""

from __future__ import annotations

import gc
import socket
from pathlib import Path
from typing import Any

import click

from tracker import store
from tracker.errors import TrackerError

__all__ = ["SETTINGS", "application", "serve"]

SETTINGS: dict[str, Any] = {
    "default_page_size": 50,
    "max_returned_rows": 1000,
    "sql_time_limit_ms": 1000,
    "num_sql_threads": 4,  # a query at its time limit must not keep the other readers waiting
    "suggest_facets": False,  # tries every column of every table on every view; facets are declared instead
    "facet_time_limit_ms": 500,  # an origin of 1M items is counted in 300 ms; the first visit would otherwise say "timed out"
    "allow_download": False,  # the file alone, without its -wal, may lack the newest commits
    "default_allow_sql": True,  # read-only, 1 second, 1,000 rows
    "template_debug": False,
    "trace_debug": False,
}


def application(db: Path) -> Any:
    """Return a Datasette of the database, ready to serve.

    Raises:
        StoreError: there is no such file, or it is foreign, damaged, older or newer than this release.
    """
    store.open(db).close()
    from datasette.app import Datasette

    from tracker.web.metadata import metadata

    return Datasette(files=[str(db)], metadata=metadata(db.stem), settings=SETTINGS)


def serve(db: Path, host: str, port: int) -> None:
    """Serve the database until Ctrl-C; say where on standard output.

    Raises:
        StoreError: as ``application``.
        TrackerError: the address cannot be listened on.
    """
    datasette = application(db)
    with _listen(host, port) as listener:
        import uvicorn

        gc.collect()
        gc.freeze()  # what was imported stays: not walking it cuts the slowest pages by 35 ms (62,000 objects)
        name = f"[{host}]" if ":" in host else host
        click.echo(f"Browse {db} at http://{name}:{listener.getsockname()[1]}/ (stop with Ctrl-C)")
        try:
            uvicorn.Server(uvicorn.Config(datasette.app(), log_level="warning", server_header=False)).run(sockets=[listener])
        except KeyboardInterrupt:  # uvicorn hands Ctrl-C on after it has closed the connections
            return


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OverflowError:
        raise TrackerError(f"port {port} does not exist; choose one from 1 to 65535 with --port") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise TrackerError(f"cannot listen on {host} port {port}: {reason}; choose another with --port or --host") from None
