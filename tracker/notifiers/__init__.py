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
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import quote

from tracker.clock import parse
from tracker.errors import TrackerError
from tracker.text import one_line

__all__ = ["Mail", "MailError", "Notifier", "Outcome", "load", "message", "messages", "slug"]

MAX_HEADER = 200  # characters of a header that a feed has a part in


@dataclass(frozen=True, slots=True)
class Mail:
    """A digest on its way. ``date`` is UTC text, ``contact`` a mail address."""

    name: str
    to: tuple[str, ...]
    sender: str
    subject: str
    text: str
    html: str
    message_id: str
    date: str
    contact: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who did not get the mail, and why in the server's words: ``refused`` for good, ``deferred`` until another attempt."""

    refused: Mapping[str, str] = field(default_factory=dict)
    deferred: Mapping[str, str] = field(default_factory=dict)


class MailError(TrackerError):
    """A digest that could not be handed over to anybody; it is kept and tried again. ``outcome``: what was said of each, if anything."""

    def __init__(self, sentence: str, outcome: Outcome | None = None) -> None:
        super().__init__(sentence)
        self.outcome = outcome


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
    letter["From"] = _address(mail, mail.sender, "tracker")
    letter["To"] = _address(mail, recipient) if recipient else "undisclosed-recipients:;"
    letter["Subject"] = one_line(mail.subject, MAX_HEADER)
    letter["Date"] = format_datetime(parse(mail.date))
    letter["Message-ID"] = mail.message_id
    letter["List-Id"] = f"<{slug(mail.name)}.tracker.{mail.sender.rpartition('@')[2]}>"
    letter["List-Unsubscribe"] = f"<mailto:{quote(mail.contact, safe='@+')}?subject={quote(f'unsubscribe {slug(mail.name)}')}>"
    letter["Auto-Submitted"] = "auto-generated"
    # Quoted-printable, not base64: filters and people can read it.
    letter.set_content(mail.text, charset="utf-8", cte="quoted-printable")
    letter.add_alternative(mail.html, subtype="html", charset="utf-8", cte="quoted-printable")
    # "=_" cannot stand in quoted-printable text, so the boundary is safe without being random.
    letter.set_boundary(f"=_{hashlib.sha256(mail.message_id.encode()).hexdigest()[:24]}")
    return letter


def messages(mail: Mail) -> tuple[dict[str, EmailMessage], dict[str, str]]:
    """Return the mail for each recipient, and those whose address cannot be used, with the reason: one wrong address stops nobody else.

    Raises:
        MailError: the sender is no address, or no recipient is.
    """
    _address(mail, mail.sender)
    letters: dict[str, EmailMessage] = {}
    wrong: dict[str, str] = {}
    for recipient in mail.to:
        try:
            letters[recipient] = message(mail, recipient)
        except MailError as error:
            wrong[recipient] = str(error)
    if wrong and not letters:
        raise MailError("; ".join(wrong.values()), Outcome(wrong))
    return letters, wrong


def _address(mail: Mail, given: str, name: str = "") -> Address:
    """An address as it may stand in a header; the standard library says in four ways that it may not."""
    try:
        if not given.isascii():
            raise ValueError("letters beyond ASCII")
        return Address(name, addr_spec=given)
    except (ValueError, LookupError, AttributeError, MessageError):
        raise MailError(
            f'"{one_line(given, 100)}" is not a mail address; correct [digests.{one_line(mail.name, 60)}] in feeds.toml'
        ) from None


def slug(name: str) -> str:
    """Return a name as it may stand in a header or a file name.

    >>> slug("Täglich / 1")
    't-glich-1'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "digest"
