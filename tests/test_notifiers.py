"""Notifiers: a real SMTP server on loopback that takes, refuses, hangs and lies as told; a folder; what never travels in clear."""

from __future__ import annotations

import email
import email.policy
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tracker import notifiers
from tracker.notifiers import Mail, MailError, Outcome, file, smtp

MAIL = Mail(
    "daily", ("one@example.org",), "tracker@example.org", "Self-improving agents, Fri 12 Jun: News", "Plain – text\n",
    "<p>HTML – text</p>\n", "<abc.daily@example.org>", "2026-06-12T06:00:00Z", "you@example.org",
)  # fmt: skip
SECRET = "canary-7Qx-pass:word/@"


# -- the server -----------------------------------------------------------------------------------------


@dataclass
class Handler:
    """What the server answers, and what it has taken: (recipient, message)."""

    rcpt: dict[str, str] = field(default_factory=dict)
    data: str = "250 OK"
    hang_s: float = 0.0
    drop_after_yes: bool = False
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:
        if address in self.rcpt:
            return self.rcpt[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        import asyncio

        await asyncio.sleep(self.hang_s)
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            letter = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(letter, EmailMessage)
            self.taken += [(to, letter) for to in envelope.rcpt_tos]
        if self.drop_after_yes and server.transport:
            server.transport.close()
        return self.data

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password.decode() == SECRET, handled=False)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Handler]]:
    """Start a server and point TRACKER_SMTP_URL at it."""
    running: list[Controller] = []
    for name in ("TRACKER_SMTP_URL", "TRACKER_SMTP_PASSWORD", "TRACKER_SMTP_PASSWORD_FILE"):
        monkeypatch.delenv(name, raising=False)

    def start(url: str = "smtp+plain://127.0.0.1:{}", handler: Handler | None = None, **options: Any) -> Handler:
        handler = handler or Handler()
        controller = Controller(handler, hostname="127.0.0.1", port=_free_port(), **options)
        controller.start()
        running.append(controller)
        monkeypatch.setenv("TRACKER_SMTP_URL", url.format(controller.port))
        return handler

    yield start
    for controller in running:
        controller.stop()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for localhost signed by nobody, and a server context that shows it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(start).not_valid_after(start + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    public, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return public, context


def send(mail: Mail = MAIL) -> Outcome:
    return smtp.send(mail, {})


# -- what arrives ---------------------------------------------------------------------------------------


def test_a_mail_arrives_whole(serve: Callable[..., Handler]) -> None:
    sink = serve()
    assert send() == Outcome()
    ((to, letter),) = sink.taken
    assert to == letter["To"] == "one@example.org"
    assert letter["Message-ID"] == MAIL.message_id
    assert letter["Subject"] == MAIL.subject
    assert [part.get_content().replace("\r\n", "\n") for part in letter.iter_parts()] == [MAIL.text, MAIL.html]


def test_recipients_never_see_each_other_and_get_the_same_id(serve: Callable[..., Handler]) -> None:
    sink = serve()
    send(replace(MAIL, to=("one@example.org", "two@example.org")))
    assert [to for to, _ in sink.taken] == ["one@example.org", "two@example.org"]
    for (to, letter), other in zip(sink.taken, ("two@example.org", "one@example.org"), strict=True):
        assert letter["To"] == to
        assert other not in letter.as_string()
        assert letter["Message-ID"] == MAIL.message_id


def test_a_mail_is_always_the_same_bytes() -> None:
    assert notifiers.message(MAIL, "one@example.org").as_bytes() == notifiers.message(MAIL, "one@example.org").as_bytes()


def test_a_mail_is_stopped_by_writing_to_the_contact() -> None:
    letter = notifiers.message(replace(MAIL, contact="you+news@example.org"), "one@example.org")
    assert letter["List-Unsubscribe"] == "<mailto:you+news@example.org?subject=unsubscribe%20daily>"
    assert letter["List-Unsubscribe-Post"] is None


# What the pattern of the configuration once let pass, and the standard library does not: by errors of four kinds.
WRONG = (
    "foo@", "@x", "a..b@x.org", "a@x..org", "a@x.org.", "jürgen@example.org", "a@münchen.de",
    "a:b@x", "a[b@x", "a\\b@x.org", "a@[x", "(x)@y",
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("field", ["sender", "to"])
def test_a_wrong_address_is_told_in_a_sentence(wrong: str, field: str) -> None:
    mail = replace(MAIL, sender=wrong) if field == "sender" else MAIL
    with pytest.raises(MailError) as caught:
        notifiers.message(mail, wrong if field == "to" else "one@example.org")
    assert str(caught.value) == f'"{wrong}" is not a mail address; correct [digests.daily] in feeds.toml'


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_address_stops_nobody_else(serve: Callable[..., Handler], wrong: str, tmp_path: Path) -> None:
    sink, mail = serve(), replace(MAIL, to=(wrong, "one@example.org"))
    refused = {wrong: f'"{wrong}" is not a mail address; correct [digests.daily] in feeds.toml'}
    assert send(mail) == file.send(mail, {"folder": str(tmp_path / "out")}) == Outcome(refused)
    assert [to for to, _ in sink.taken] == ["one@example.org"]
    assert len(list((tmp_path / "out").iterdir())) == 1
    with pytest.raises(MailError, match="is not a mail address"):
        send(replace(MAIL, to=(wrong,)))
    with pytest.raises(MailError, match="is not a mail address"):
        send(replace(MAIL, sender=wrong))


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@example.org", "a\nb\x00c\u2028d", "ü" * 900, "=?utf-8?q?a=0D=0AB:?="], ids=ascii)
def test_a_hostile_subject_is_one_line(subject: str) -> None:
    raw = notifiers.message(replace(MAIL, subject=subject), "one@example.org").as_bytes()
    letter = email.message_from_bytes(raw, policy=email.policy.default)
    assert letter["Bcc"] is None
    assert len(letter["Subject"]) <= 200
    assert max(map(len, raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("name", ["daily\r\nBcc: x@example.org", "Wöchentlich & mehr", "", "../../etc"], ids=ascii)
def test_a_hostile_name_is_harmless(name: str, tmp_path: Path) -> None:
    letter = notifiers.message(replace(MAIL, name=name), "one@example.org")
    assert letter["Bcc"] is None
    assert letter["List-Id"].count("<") == letter["List-Id"].count(">") == 1
    file.send(replace(MAIL, name=name), {"folder": str(tmp_path / "out")})
    assert len(list((tmp_path / "out").iterdir())) == 1


# -- faults ---------------------------------------------------------------------------------------------


def test_a_recipient_refused_for_good_is_told_by_name_and_the_others_get_theirs(serve: Callable[..., Handler]) -> None:
    sink = serve(handler=Handler(rcpt={"two@example.org": "550 no such user", "three@example.org": "450 greylisted"}))
    outcome = send(replace(MAIL, to=("one@example.org", "two@example.org", "three@example.org")))
    assert outcome == Outcome({"two@example.org": "550 no such user"}, {"three@example.org": "450 greylisted"})
    assert [to for to, _ in sink.taken] == ["one@example.org"]


REFUSALS = {
    "every recipient for good": (Handler(rcpt={"one@example.org": "550 no such user"}), "550 no such user"),
    "greylisting": (Handler(rcpt={"one@example.org": "451 try later"}), "451 try later"),
    "4xx at the end of DATA": (Handler(data="452 disk full"), "452 disk full"),
    "5xx at the end of DATA": (Handler(data="554 spam"), "554 spam"),
    "421 in the middle": (Handler(rcpt={"one@example.org": "421 closing"}), "421 closing"),
    "a connection that breaks after DATA": (Handler(drop_after_yes=True), "connection broke"),
}


@pytest.mark.parametrize(("handler", "words"), REFUSALS.values(), ids=REFUSALS)
def test_when_nobody_gets_it_the_error_is_one_sentence(serve: Callable[..., Handler], handler: Handler, words: str) -> None:
    serve(handler=handler)
    with pytest.raises(MailError, match=words) as caught:
        send()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("127.0.0.1:")
    assert caught.value.outcome
    assert {*caught.value.outcome.refused, *caught.value.outcome.deferred} == {"one@example.org"}


def test_a_server_that_hangs_in_data_costs_no_more_than_the_timeout(serve: Callable[..., Handler], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT_S", 0.5)
    serve(handler=Handler(hang_s=4.0))
    start = time.monotonic()
    with pytest.raises(MailError, match=r"no answer for 0\.5 seconds"):
        send()
    assert time.monotonic() - start < 3


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("TRACKER_SMTP_URL", f"smtp+plain://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(MailError, match=r"cannot be reached \(no answer for 0\.5 seconds\)"):
            send()


def test_a_server_that_is_down_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    port = _free_port()
    monkeypatch.setenv("TRACKER_SMTP_URL", f"smtp+plain://127.0.0.1:{port}")
    with pytest.raises(MailError, match=f"127.0.0.1:{port} cannot be reached"):
        send()


def test_a_server_that_talks_nonsense_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nonsense() -> None:
        connection, _ = listening.accept()
        connection.sendall(b"\x16\x03\x01 not SMTP\r\n")
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=nonsense)
        thread.start()
        monkeypatch.setenv("TRACKER_SMTP_URL", f"smtp+plain://127.0.0.1:{listening.getsockname()[1]}")
        with pytest.raises(MailError):
            send()
        thread.join()


# -- encryption -----------------------------------------------------------------------------------------


def trusted(monkeypatch: pytest.MonkeyPatch, certificate: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_a_login_over_verified_starttls_works(
    serve: Callable[..., Handler], certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Handler()
    serve(
        "smtp://you%40example.org@localhost:{}",
        handler,
        tls_context=certificate[1],
        require_starttls=True,
        authenticator=handler.authenticate,
    )
    trusted(monkeypatch, certificate[0])
    monkeypatch.setenv("TRACKER_SMTP_PASSWORD", SECRET)
    assert send() == Outcome()
    assert handler.logins[-1] == (b"you@example.org", SECRET.encode())
    assert len(handler.taken) == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(
    serve: Callable[..., Handler], certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Handler()
    serve("smtp://you@localhost:{}", handler, tls_context=certificate[1], authenticator=handler.authenticate)
    monkeypatch.setenv("TRACKER_SMTP_PASSWORD", SECRET)
    with pytest.raises(MailError, match=r"cannot be trusted .*; nothing was sent"):
        send()
    assert not handler.logins
    assert not handler.taken


def test_a_certificate_for_another_name_is_refused(
    serve: Callable[..., Handler], certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = serve("smtp://127.0.0.1:{}", tls_context=certificate[1])
    trusted(monkeypatch, certificate[0])
    with pytest.raises(MailError, match="cannot be trusted"):
        send()
    assert not handler.taken


def test_without_starttls_nothing_is_sent(serve: Callable[..., Handler], monkeypatch: pytest.MonkeyPatch) -> None:
    handler = Handler()
    serve("smtp://you@localhost:{}", handler, authenticator=handler.authenticate, auth_require_tls=False)
    monkeypatch.setenv("TRACKER_SMTP_PASSWORD", SECRET)
    with pytest.raises(MailError, match="offers no STARTTLS; nothing was sent"):
        send()
    assert not handler.logins
    assert not handler.taken


def test_tls_is_expected_where_the_url_says_so(serve: Callable[..., Handler], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT_S", 2.0)
    handler = serve("smtps://localhost:{}")
    with pytest.raises(MailError):
        send()
    assert not handler.taken


def test_a_wrong_password_is_told_without_it(
    serve: Callable[..., Handler], certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler = Handler()
    serve("smtp://you@localhost:{}", handler, tls_context=certificate[1], authenticator=handler.authenticate)
    trusted(monkeypatch, certificate[0])
    monkeypatch.setenv("TRACKER_SMTP_PASSWORD", SECRET + "x")
    with pytest.raises(MailError, match=r"refuses the login of you \(535\)") as caught:
        send()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("user", "password"), [("you", "pässword"), ("y%C3%B6u", SECRET)], ids=["password", "user"])
def test_a_login_beyond_ascii_is_told_without_it(
    serve: Callable[..., Handler], certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch, user: str, password: str
) -> None:
    handler = Handler()
    serve(f"smtp://{user}@localhost:{{}}", handler, tls_context=certificate[1], authenticator=handler.authenticate)
    trusted(monkeypatch, certificate[0])
    monkeypatch.setenv("TRACKER_SMTP_PASSWORD", password)
    with pytest.raises(MailError, match="user or password has letters beyond ASCII") as caught:
        send()
    assert password not in str(caught.value)
    assert caught.value.__cause__ is None
    assert not handler.taken


def test_a_host_that_can_be_no_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SMTP_URL", "smtp://mail..example")
    with pytest.raises(MailError, match=r"mail\.\.example:587 cannot be reached \(no name of a host\)"):
        send()


# -- settings -------------------------------------------------------------------------------------------

SETTINGS = {
    "nothing": ({}, "TRACKER_SMTP_URL is not set"),
    "no URL at all": ({"TRACKER_SMTP_URL": f"mail {SECRET}"}, "is not the address of a mail server"),
    "a web address": ({"TRACKER_SMTP_URL": "https://mail.example"}, "is not the address of a mail server"),
    "a port that is none": ({"TRACKER_SMTP_URL": "smtp://mail.example:port"}, "is not the address of a mail server"),
    "a password in the URL": ({"TRACKER_SMTP_URL": "smtp://you:canary-7Qx@mail.example"}, "put it into TRACKER_SMTP_PASSWORD"),
    "plain to another machine": ({"TRACKER_SMTP_URL": "smtp+plain://mail.example"}, "is for a relay on this machine"),
    "plain to a name that begins like loopback": ({"TRACKER_SMTP_URL": "smtp+plain://127.0.0.1.example"}, "is for a relay on this machine"),
    "a login in clear": ({"TRACKER_SMTP_URL": "smtp+plain://you@localhost"}, "never travels in clear"),
    "a user without a password": ({"TRACKER_SMTP_URL": "smtp://you@mail.example"}, "set TRACKER_SMTP_PASSWORD"),
    "a password file that is not there": (
        {"TRACKER_SMTP_URL": "smtp://you@mail.example", "TRACKER_SMTP_PASSWORD_FILE": "/nowhere/at/all"}, "cannot be read",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("environ", "words"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_cannot_be_used_are_told_in_a_sentence(environ: dict[str, str], words: str) -> None:
    with pytest.raises(MailError, match=words) as caught:
        smtp.relay(environ)
    assert "canary" not in str(caught.value)


def test_settings_are_read_from_the_environment() -> None:
    found = smtp.relay({"TRACKER_SMTP_URL": "smtps://you%40example.org@mail.example", "TRACKER_SMTP_PASSWORD": SECRET})
    assert (found.how, found.host, found.port, found.user, found.password) == ("smtps", "mail.example", 465, "you@example.org", SECRET)
    assert SECRET not in repr(found)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such modes")
def test_a_password_file_must_be_for_its_owner_only(tmp_path: Path) -> None:
    kept = tmp_path / "password"
    kept.write_text(f"{SECRET}\n")
    environ = {"TRACKER_SMTP_URL": "smtp://you@mail.example", "TRACKER_SMTP_PASSWORD_FILE": str(kept)}
    kept.chmod(0o644)
    with pytest.raises(MailError, match="can be read by others"):
        smtp.relay(environ)
    kept.chmod(0o600)
    assert smtp.relay(environ).password == SECRET


# -- files ----------------------------------------------------------------------------------------------


def test_a_file_for_each_recipient_the_same_on_every_attempt(tmp_path: Path) -> None:
    mail = replace(MAIL, to=("one@example.org", "two@example.org"))
    for _ in range(2):
        assert file.send(mail, {"folder": str(tmp_path / "out")}) == Outcome()
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(names) == 2
    assert all(name.startswith("2026-06-12-daily-") and name.endswith(".eml") for name in names)
    letter = email.message_from_bytes((tmp_path / "out" / names[0]).read_bytes(), policy=email.policy.default)
    assert letter["Message-ID"] == MAIL.message_id


def test_a_file_without_recipients_is_for_nobody_in_particular(tmp_path: Path) -> None:
    file.send(replace(MAIL, to=()), {"folder": str(tmp_path)})
    (path,) = tmp_path.glob("*.eml")
    assert email.message_from_bytes(path.read_bytes(), policy=email.policy.default)["To"] == "undisclosed-recipients:;"


def test_a_dash_is_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    file.send(MAIL, {"folder": "-"})
    assert email.message_from_string(capsys.readouterr().out, policy=email.policy.default)["Subject"] == MAIL.subject


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(MailError, match="cannot be written"):
        file.send(MAIL, {"folder": str(tmp_path / "taken")})
