"""Notifiers: how a digest reaches people. One file each; each has ``send(mail, options) -> Outcome``.

in   a ``Mail``, composed and stored before, and the options of its ``[digests.<name>]`` table
out  who refused it for good, who could not take it now; ``MailError`` when nobody got it
refuses to know the database and what a mail says. Every recipient gets a message of his own, so none sees another; the Message-ID is the
same in all of them and on every attempt. Nothing here is random: one mail is always the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import quote

from tracker.clock import parse
from tracker.errors import TrackerError
from tracker.text import one_line

__all__ = ["Mail", "MailError", "Notifier", "Outcome", "load", "message", "slug"]

MAX_HEADER = 200  # characters of a header that a feed has a part in


class MailError(TrackerError):
    """A digest that could not be handed over to anybody; it is kept and tried again."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A digest on its way. ``date`` is UTC text, ``contact`` a mail address, ``one_click`` an https address that takes RFC 8058's POST."""

    name: str
    to: tuple[str, ...]
    sender: str
    subject: str
    text: str
    html: str
    message_id: str
    date: str
    contact: str
    one_click: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who did not get the mail, and why in the server's words: ``refused`` for good, ``deferred`` until another attempt."""

    refused: Mapping[str, str] = field(default_factory=dict)
    deferred: Mapping[str, str] = field(default_factory=dict)


class Notifier(Protocol):
    """A module of this folder."""

    def send(self, mail: Mail, options: Mapping[str, object]) -> Outcome:
        """Hand the mail over.

        Raises:
            MailError: nobody got it.
        """


def load(via: str) -> Notifier:
    """Return a notifier by its name in feeds.toml."""
    if via == "file":
        from tracker.notifiers import file

        return file
    from tracker.notifiers import smtp

    return smtp


def message(mail: Mail, recipient: str | None) -> EmailMessage:
    """Return the mail for one recipient (None: nobody in particular), ready for the wire.

    Raises:
        MailError: an address that cannot stand in a header.
    """
    letter = EmailMessage(policy=policy.SMTP)
    try:
        letter["From"] = Address("tracker", addr_spec=mail.sender)
        letter["To"] = Address(addr_spec=recipient) if recipient else "undisclosed-recipients:;"
    except (ValueError, IndexError) as error:
        raise MailError(f"{mail.sender} or {recipient} is not a mail address ({error})") from None
    letter["Subject"] = one_line(mail.subject, MAX_HEADER)
    letter["Date"] = format_datetime(parse(mail.date))
    letter["Message-ID"] = mail.message_id
    letter["List-Id"] = f"<{slug(mail.name)}.tracker.{mail.sender.rpartition('@')[2]}>"
    for name, value in _unsubscribe(mail).items():
        letter[name] = value
    letter["Auto-Submitted"] = "auto-generated"
    # Quoted-printable, not base64: filters and people can read it.
    letter.set_content(mail.text, charset="utf-8", cte="quoted-printable")
    letter.add_alternative(mail.html, subtype="html", charset="utf-8", cte="quoted-printable")
    # "=_" cannot stand in quoted-printable text, so the boundary is safe without being random.
    letter.set_boundary(f"=_{hashlib.sha256(mail.message_id.encode()).hexdigest()[:24]}")
    return letter


def _unsubscribe(mail: Mail) -> dict[str, str]:
    subject = quote(f"unsubscribe {slug(mail.name)}")
    ways = [f"<{mail.one_click}>"] if mail.one_click else []
    headers = {"List-Unsubscribe": ", ".join([*ways, f"<mailto:{mail.contact}?subject={subject}>"])}
    return headers | ({"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if mail.one_click else {})


def slug(name: str) -> str:
    """Return a name as it may stand in a header or a file name.

    >>> slug("Täglich / 1")
    't-glich-1'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "digest"
