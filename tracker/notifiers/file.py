"""File: a digest as .eml files in a folder, one for each recipient; the folder ``-`` is stdout.

The name is made from the day, the digest's name and the Message-ID, never from a title, so the same mail written twice is one file.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tracker.notifiers import Mail, MailError, Outcome, message, messages, slug

__all__ = ["send"]


def send(mail: Mail, options: Mapping[str, object]) -> Outcome:
    """Write the mail to ``options["folder"]``.

    Raises:
        MailError: the folder cannot be written, or no address can stand in a header.
    """
    folder = str(options.get("folder") or "")
    if not folder:
        raise MailError(f'digest "{mail.name}" is to be written to files, but names no folder; set folder in [digests.{mail.name}]')
    letters, wrong = messages(mail)
    try:
        for number, letter in enumerate(letters.values() if mail.to else [message(mail, None)]):
            _write(folder, _name(mail, number), letter.as_bytes())
    except OSError as error:
        raise MailError(f"{folder} cannot be written ({error.strerror or error}); the digest is kept and written at a later run") from None
    return Outcome(wrong)


def _name(mail: Mail, number: int) -> str:
    mark = hashlib.sha256(mail.message_id.encode()).hexdigest()[:8]
    return f"{mail.date[:10]}-{slug(mail.name)}-{mark}{f'-{number + 1}' if number else ''}.eml"


def _write(folder: str, name: str, data: bytes) -> None:
    if folder == "-":
        sys.stdout.write(data.decode("utf-8", "replace").replace("\r\n", "\n"))
        sys.stdout.flush()
        return
    target = Path(folder) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(target)
