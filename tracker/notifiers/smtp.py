"""SMTP: a digest handed to a mail server, one message for each recipient over one connection.

in   ``TRACKER_SMTP_URL`` and ``TRACKER_SMTP_PASSWORD`` (or ``TRACKER_SMTP_PASSWORD_FILE``, readable by its owner only)
out  who refused; every failure is one sentence that never holds the password
The connection is encrypted and the certificate verified, or nothing is sent: there is no downgrade. ``smtp+plain`` exists for a relay on
this machine only and never logs in.
"""

from __future__ import annotations

import ipaddress
import os
import smtplib
import ssl
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tracker.notifiers import Mail, MailError, Outcome, messages
from tracker.text import one_line

__all__ = ["Relay", "relay", "send"]

TIMEOUT_S = 30.0  # for each step; a server that hangs in DATA costs a run half a minute
_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_FORMS = "smtp://you@host:587 (STARTTLS), smtps://you@host:465 (TLS) or, for a relay on this machine, smtp+plain://localhost:25"


@dataclass(frozen=True, slots=True)
class Relay:
    """The mail server that takes our mail. ``how``: smtp (STARTTLS), smtps (TLS), smtp+plain (loopback only)."""

    how: str
    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def send(mail: Mail, options: Mapping[str, object]) -> Outcome:
    """Hand the mail to the server of ``TRACKER_SMTP_URL``. ``options`` are not used: what is secret is not in feeds.toml.

    Raises:
        MailError: the server cannot be reached, trusted or logged in to, or took the mail for nobody.
    """
    if not mail.to:  # those whom an earlier attempt left over no longer want it
        return Outcome()
    server = relay(os.environ)
    letters, refused = messages(mail)
    deferred: dict[str, str] = {}
    with _session(server) as smtp:
        for recipient, letter in letters.items():
            lasting, why = _hand_over(smtp, mail.sender, recipient, letter)
            if why:
                (refused if lasting else deferred)[recipient] = why
    if len(refused) + len(deferred) == len(mail.to):
        said = "; ".join(f"{who}: {why}" for who, why in (refused | deferred).items())
        raise MailError(f"{server} took the mail for nobody: {said}", Outcome(refused, deferred))
    return Outcome(refused, deferred)


def _hand_over(smtp: smtplib.SMTP, sender: str, recipient: str, letter: EmailMessage) -> tuple[bool, str]:
    """Return whether a refusal is for good, and the reason; "" when the server took the mail."""
    try:
        smtp.send_message(letter, sender, [recipient])
    except smtplib.SMTPRecipientsRefused as error:
        return _reply(*error.recipients[recipient])
    except smtplib.SMTPResponseException as error:
        return _reply(error.smtp_code, error.smtp_error)
    except (smtplib.SMTPException, OSError) as error:
        return False, f"the connection broke ({_cause(error)})"
    return False, ""


def _reply(code: int, text: bytes | str) -> tuple[bool, str]:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return 500 <= code < 600, one_line(f"{code} {said}", 200)


# -- settings ---------------------------------------------------------------------------------------


def relay(environ: Mapping[str, str]) -> Relay:
    """Return the mail server that the environment names.

    Raises:
        MailError: none, or one that would need a downgrade; the sentence never repeats the URL, which may hold a secret.
    """
    given = environ.get("TRACKER_SMTP_URL", "").strip()
    if not given:
        raise MailError(f"TRACKER_SMTP_URL is not set; set it to {_FORMS}")
    try:
        parts = urlsplit(given)
        how, host, port, user, secret = parts.scheme, parts.hostname, parts.port, parts.username, parts.password
    except ValueError:
        how, host, port, user, secret = "", None, None, None, None
    if how not in _PORTS or not host:
        raise MailError(f"TRACKER_SMTP_URL is not the address of a mail server; write {_FORMS}")
    if secret is not None:
        raise MailError("TRACKER_SMTP_URL carries a password; put it into TRACKER_SMTP_PASSWORD instead")
    if how == "smtp+plain":
        if user:
            raise MailError("TRACKER_SMTP_URL asks for a login over smtp+plain; a password never travels in clear, use smtp:// or smtps://")
        if not _is_loopback(host):
            raise MailError(f"smtp+plain is for a relay on this machine, and {host} is not; use smtp://{host}:587")
        return Relay(how, host, port or _PORTS[how])
    name = unquote(user) if user else None
    return Relay(how, host, port or _PORTS[how], name, _password(environ) if name else None)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _password(environ: Mapping[str, str]) -> str:
    if password := environ.get("TRACKER_SMTP_PASSWORD"):
        return password
    path = environ.get("TRACKER_SMTP_PASSWORD_FILE")
    if not path:
        raise MailError(
            "TRACKER_SMTP_URL names a user; set TRACKER_SMTP_PASSWORD, or TRACKER_SMTP_PASSWORD_FILE to a file only you can read"
        )
    try:
        if os.name == "posix" and stat.S_IMODE(Path(path).stat().st_mode) & 0o077:
            raise MailError(f"{path} can be read by others; run `chmod 600 {path}`")
        return Path(path).read_text(encoding="utf-8").strip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "not text"
        raise MailError(f"{path}, named in TRACKER_SMTP_PASSWORD_FILE, cannot be read ({cause})") from None


# -- the connection ---------------------------------------------------------------------------------


@contextmanager
def _session(server: Relay) -> Iterator[smtplib.SMTP]:
    """A connection, encrypted and logged in. What fails on the way out does not matter: the mail was taken before."""
    smtp = _connect(server)
    try:
        _log_in(smtp, server)
        yield smtp
    finally:
        with suppress(smtplib.SMTPException, OSError):
            smtp.quit()
        smtp.close()


def _connect(server: Relay) -> smtplib.SMTP:
    context = ssl.create_default_context()
    try:
        if server.how == "smtps":
            return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
        smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
        if server.how == "smtp":
            _start_tls(smtp, server, context)
        return smtp
    except ssl.SSLCertVerificationError as error:
        raise MailError(f"the certificate of {server} cannot be trusted ({error.verify_message}); nothing was sent") from None
    except ssl.SSLError as error:
        raise MailError(f"{server} does not speak TLS as it should ({_cause(error)}); nothing was sent") from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:  # UnicodeError: a host like "mail..example" is no name at all
        cause = "no name of a host" if isinstance(error, UnicodeError) else _cause(error)
        raise MailError(f"{server} cannot be reached ({cause}); is TRACKER_SMTP_URL right?") from None


def _start_tls(smtp: smtplib.SMTP, server: Relay, context: ssl.SSLContext) -> None:
    try:
        smtp.starttls(context=context)
    except smtplib.SMTPNotSupportedError:
        smtp.close()
        raise MailError(f"{server} offers no STARTTLS; nothing was sent, mail never travels in clear") from None
    except (smtplib.SMTPException, OSError):
        smtp.close()
        raise


def _log_in(smtp: smtplib.SMTP, server: Relay) -> None:
    if server.user is None:
        return
    try:
        smtp.login(server.user, server.password or "")
    except smtplib.SMTPAuthenticationError as error:  # without the server's words: some repeat what they were given
        raise MailError(f"{server} refuses the login of {server.user} ({error.smtp_code}); check user and password") from None
    except smtplib.SMTPNotSupportedError:
        raise MailError(f"{server} offers no way to log in; take the user out of TRACKER_SMTP_URL if it needs none") from None
    except UnicodeEncodeError:  # smtplib speaks ASCII only
        raise MailError(
            f"{server} cannot be logged in to: user or password has letters beyond ASCII; set a password of plain ones"
        ) from None
    except (smtplib.SMTPException, OSError) as error:
        raise MailError(f"{server} broke off during the login ({type(error).__name__})") from None


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError) or str(error).endswith("timed out"):  # smtplib tells only in words why it was disconnected
        return f"no answer for {TIMEOUT_S:g} seconds"
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)[1]
    return one_line(str(getattr(error, "strerror", None) or error), 160) or type(error).__name__
