"""The other half of the stand-in: pushes to the account's callback address, as WeChat does.

Written from the public documentation alone, over a cryptographic library of its own (Debian's
python3-cryptography): it shares no line with the daemon. What is pushed is a list of elements; how
they are written, encrypted, signed and repeated is decided here."""

import asyncio
import base64
import hashlib
import hmac
import os
import random
import secrets
import struct
import time
import xml.etree.ElementTree as ElementTree

from cryptography.hazmat.primitives.ciphers import Cipher as Blocks
from cryptography.hazmat.primitives.ciphers import algorithms, modes

TOKEN = "StandInToken7"
# As the console makes them: the last two of its 258 bits are not zero.
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
ACCOUNT = "gh_680bdefc8c5d"
# The platform waits for so long, and pushes so often in all.
PATIENCE_SECONDS = 5
TRIES = 4
# What it shows in the account's name when nothing, or nothing readable, is answered.
OUT_OF_ORDER = "该服务号暂时无法提供服务，请稍后再试"


class Cipher:
    """AES-256-CBC under the account's EncodingAESKey; the vector is the key's first half, the
    padding goes to 32 bytes."""

    def __init__(self, key, appid):
        self.key = base64.b64decode(key + "=")
        assert len(self.key) == 32
        self.appid = appid.encode()

    def blocks(self):
        return Blocks(algorithms.AES(self.key), modes.CBC(self.key[:16]))

    def raw(self, plain):
        """Whole blocks, whatever is in them."""
        encryptor = self.blocks().encryptor()
        return base64.b64encode(encryptor.update(plain) + encryptor.finalize()).decode()

    def plain(self, message, appid=None, length=None):
        """All but the padding."""
        length = len(message) if length is None else length
        appid = self.appid if appid is None else appid
        return os.urandom(16) + struct.pack(">I", length) + message + appid

    def encrypt(self, message):
        plain = self.plain(message)
        pad = 32 - len(plain) % 32
        return self.raw(plain + bytes([pad]) * pad)

    def decrypt(self, text):
        decryptor = self.blocks().decryptor()
        plain = decryptor.update(base64.b64decode(text, validate=True)) + decryptor.finalize()
        pad = plain[-1]
        assert 1 <= pad <= 32 and plain.endswith(bytes([pad]) * pad), "the padding is wrong"
        plain = plain[16:-pad]
        length, = struct.unpack(">I", plain[:4])
        assert plain[4 + length:] == self.appid, "the answer is of another account"
        return plain[4:4 + length]


def sign(*parts):
    return hashlib.sha1("".join(sorted(parts)).encode()).hexdigest()


def cdata(text):
    return "<![CDATA[" + str(text).replace("]]>", "]]]]><![CDATA[>") + "]]>"


def escaped(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def document(elements, write=None):
    """The XML of a list of (name, text or list). `write`: how a text is written; by default, as the
    platform does: numbers plainly, all else in CDATA."""
    def inner(value):
        if isinstance(value, list):
            return "".join(f"<{name}>{inner(it)}</{name}>" for name, it in value)
        if write:
            return write(value)
        return str(value) if isinstance(value, int) else cdata(value)
    return "<xml>" + "".join(f"<{name}>{inner(it)}</{name}>\n" for name, it in elements) + "</xml>"


def query_text(pairs):
    def quoted(text):
        kept = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
        return "".join(chr(byte) if byte in kept else f"%{byte:02X}" for byte in text.encode())
    return "&".join(f"{name}={quoted(value)}" for name, value in pairs)


class Answer:
    """What came back: status (0 when nothing did), body, and after how many seconds."""

    def __init__(self, status, body, seconds):
        self.status, self.body, self.seconds = status, body, seconds

    def __repr__(self):
        return f"{self.status} {self.body[:80]!r} after {self.seconds:.3f} s"


async def exchange(address, request, patience=PATIENCE_SECONDS):
    """One connection with one request, as bytes; a list of them is sent piece by piece."""
    host, _, port = address.rpartition(":")
    began = time.monotonic()

    async def talk():
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            for piece in request if isinstance(request, list) else [request]:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
        finally:
            writer.close()
    try:
        answer = await asyncio.wait_for(talk(), patience)
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
        answer = b""
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return Answer(status, body, time.monotonic() - began)


def http(method, target, body=b"", headers=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: clinic.example", "User-Agent: Mozilla/4.0",
             "Content-Type: text/xml", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Platform:
    """WeChat, as far as it pushes for one account."""

    def __init__(self, mode="secure", appid="wxstandin", token=TOKEN, key=KEY, path="/wechat",
                 now=time.time):
        self.mode, self.token, self.path, self.now = mode, token, path, now
        self.cipher = Cipher(key, appid)
        self.address = None
        self.number = 24_000_000_000_000_000 + secrets.randbelow(1 << 40)

    # --- What is pushed

    def head(self, openid, kind, at=None):
        return [("ToUserName", ACCOUNT), ("FromUserName", openid),
                ("CreateTime", int(self.now() if at is None else at)), ("MsgType", kind)]

    def message(self, openid, kind, *elements, at=None):
        self.number += 1
        return [*self.head(openid, kind, at), *elements, ("MsgId", self.number)]

    def text(self, openid, content, **options):
        return self.message(openid, "text", ("Content", content), **options)

    def event(self, openid, name, *elements, at=None):
        return [*self.head(openid, "event", at), ("Event", name), *elements]

    def report(self, openid, msgid, status="success"):
        return self.event(openid, "TEMPLATESENDJOBFINISH", ("MsgID", msgid), ("Status", status))

    # --- How

    def query(self, openid="o-x", at=None, encrypted=None):
        timestamp = str(int(self.now() if at is None else at))
        nonce = str(random.randrange(1 << 31))
        pairs = [("signature", sign(self.token, timestamp, nonce)), ("timestamp", timestamp),
                 ("nonce", nonce), ("openid", openid)]
        if encrypted is not None:
            pairs += [("encrypt_type", "aes"),
                      ("msg_signature", sign(self.token, timestamp, nonce, encrypted))]
        return pairs

    def form(self, elements, at=None, write=None, encrypted=None):
        """(pairs of the query, body) of one try: each has its own timestamp and nonce."""
        clear = document(elements, write)
        openid = dict(elements).get("FromUserName", "o-x")
        if self.mode == "plain":
            return self.query(openid, at), clear.encode()
        encrypted = encrypted or self.cipher.encrypt(clear.encode())
        outer = elements if self.mode == "compatible" else elements[:1]
        body = document([*outer, ("Encrypt", encrypted)], write)
        return self.query(openid, at, encrypted), body.encode()

    def request(self, pairs, body, method="POST", path=None):
        return http(method, f"{path or self.path}?{query_text(pairs)}", body)

    async def try_once(self, elements, patience=PATIENCE_SECONDS, **how):
        return await exchange(self.address, self.request(*self.form(elements, **how)), patience)

    async def deliver(self, elements, pause=0.2, most=TRIES, **how):
        """Pushes until it is taken, four times at most, or `most`: (tries, last answer). The
        platform's pause between tries is not documented; here it is short, or `pause` seconds."""
        for tries in range(1, most + 1):
            answer = await self.try_once(elements, **how)
            if answer.status == 200 and self.read(answer, elements) is not OUT_OF_ORDER:
                return tries, answer
            await asyncio.sleep(pause)
        return tries, answer

    def push(self, elements, **how):
        """What the follower is shown at once: a text, None for nothing, or that the account is out
        of order."""
        _, answer = asyncio.run(self.deliver(elements, **how))
        return self.read(answer, elements)

    # --- What is answered

    def read(self, answer, elements):
        """As the platform reads it: what it shows to the follower; None for nothing."""
        if answer.status != 200:
            return OUT_OF_ORDER
        if answer.body in (b"", b"success"):
            return None
        try:
            outer = ElementTree.fromstring(answer.body)
            encrypted = outer.findtext("Encrypt")
            if encrypted is None:
                assert self.mode != "secure", "an answer in the clear in secure mode"
                inner = outer
            else:
                signed = sign(self.token, outer.findtext("TimeStamp"), outer.findtext("Nonce"),
                              encrypted)
                given = outer.findtext("MsgSignature")
                assert hmac.compare_digest(signed, given), "the signature is wrong"
                assert abs(int(outer.findtext("TimeStamp")) - self.now()) < 86400
                inner = ElementTree.fromstring(self.cipher.decrypt(encrypted))
            pushed = dict(elements)
            assert inner.tag == "xml"
            assert inner.findtext("ToUserName") == pushed["FromUserName"], "to somebody else"
            assert inner.findtext("FromUserName") == pushed["ToUserName"], "from somebody else"
            assert inner.findtext("MsgType") == "text" and int(inner.findtext("CreateTime")) > 0
            content = inner.findtext("Content")
            assert content and len(content.encode()) <= 2048, "nothing, or too long"
            return content
        except (AssertionError, ElementTree.ParseError, TypeError, ValueError) as fault:
            print(f"not to be read: {fault}: {answer}")
            return OUT_OF_ORDER

    def greet(self, echo="5927782489442352469", **changes):
        """The address is set up in the console."""
        pairs = dict(self.query() + [("echostr", echo)])
        pairs.pop("openid")
        pairs.update(changes)
        request = self.request(list(pairs.items()), b"", "GET")
        return asyncio.run(exchange(self.address, request))
