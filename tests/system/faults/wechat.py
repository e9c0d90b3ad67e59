"""A stand-in of the WeChat Official Account API, written from its public documentation alone.

It shares no code with the daemon's own sandbox: what both sides of a test were written by the same
hand proves little. It knows the stable token, template messages with validation of their keywords,
custom messages with their allowances, temporary codes, the ten minutes of `client_msg_id` per openid, the day's quota, a limit a second, and scripted
faults. Every call is a line of JSON in its log, with what was answered and whether the message was
delivered; scenarios judge by that log and not by what the daemon says of itself.

    python3 wechat.py --control SOCKET --log FILE [--clock SHOWN@REAL*SPEED]

prints its port. The control socket takes one JSON object a connection; see `Api.control`.
"""

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import socket
import struct
import sys
import time
from datetime import datetime

APPID, SECRET = "wxstandin", "stand-in-secret"
DEDUPE_SECONDS = 600
TOKEN_SECONDS = 7200

# Template id -> names of its keywords.
TEMPLATES = {
    "DOSE": ["thing1", "thing2", "time3", "thing4", "phrase5"],
    "ASK": ["thing1", "thing2", "thing3", "time4"],
    "ALERT": ["thing1", "thing2", "time3"],
}

# Free words: how many, and for how many seconds, after what a contact did.
ALLOWANCE = {"wrote": (5, 48 * 3600), "acted": (3, 60)}

ERRMSG = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40003: "invalid openid",
    40013: "invalid appid",
    40125: "invalid appsecret",
    40037: "invalid template_id",
    40053: "invalid action info",
    41001: "access_token missing",
    42001: "access_token expired",
    43004: "require subscribe",
    44002: "empty post data",
    44004: "empty content",
    45009: "reach max api daily quota limit",
    45002: "content size out of limit",
    45011: "api minute-quota reach limit",
    45015: "response out of time limit or subscription is canceled",
    45047: "out of response count limit",
    47001: "data format error",
    48001: "api unauthorized",
}


class Clock:
    """`SHOWN@REAL*SPEED`, as the daemon's hidden `--clock` means it; seconds since 1970."""

    def __init__(self, text=None):
        self.shown = self.real = 0.0
        self.speed = 1
        if text:
            shown, rest = text.split("@")
            real, _, speed = rest.partition("*")
            self.shown = datetime.fromisoformat(shown.replace("Z", "+00:00")).timestamp()
            self.real = datetime.fromisoformat(real.replace("Z", "+00:00")).timestamp()
            self.speed = int(speed or 1)

    def now(self):
        return self.shown + (time.time() - self.real) * self.speed


def is_han(char):
    return "\u3400" <= char <= "\u9fff"


def fault_of_value(name, value):
    """What the API would object to in the value of a keyword; None if nothing."""
    if not isinstance(value, str) or not value.strip():
        return "empty"
    if any(ord(char) < 32 for char in value):
        return "invalid"
    kind = name.rstrip("0123456789")
    length = max(len(value), len(value.encode("utf-16-le")) // 2)
    if kind == "thing":
        return "invalid" if length > 20 else None
    if kind == "phrase":
        return "invalid" if length > 5 or not all(map(is_han, value)) else None
    if kind == "time":
        clock = r"(?:\d{4}[-/年]\d{1,2}[-/月]\d{1,2}日? )?\d{1,2}:\d{2}(?::\d{2})?"
        return None if re.fullmatch(f"{clock}(?: ?~ ?{clock})?", value) else "invalid"
    return "invalid"


class Api:
    def __init__(self, log, clock):
        self.log = log
        self.clock = clock
        self.tokens = {}  # token -> end of its life, machine's seconds
        self.stable = None
        self.forced = -1e9
        self.known = {}  # (openid, client_msg_id) -> (shown second, msgid)
        self.gone = set()  # openids that do not follow
        self.allowed = {}  # openid -> (messages left, until which shown second)
        self.faults = []
        self.limit = None  # messages a shown second
        self.second = (None, 0)
        self.daily_limit = 100_000
        self.used = 0
        self.msgid = 3_000_000_000_000_000_000
        self.tries = self.delivered = 0
        self.tried_of = {}
        self.random = random.Random(1)

    def note(self, **event):
        line = {"t": round(time.time(), 4), "shown": round(self.clock.now(), 3), **event}
        os.write(self.log, (json.dumps(line, ensure_ascii=False) + "\n").encode())

    # --- The calls. Each gives the answer's body, or what is to be done instead of answering.

    async def call(self, method, path, query, body):
        name = {
            "/cgi-bin/stable_token": "token",
            "/cgi-bin/message/template/send": "send",
            "/cgi-bin/message/custom/send": "words",
            "/cgi-bin/qrcode/create": "code",
            "/cgi-bin/openapi/quota/get": "quota",
        }.get(path)
        if name is None:
            return 404, b"<html>not found</html>"
        if method != "POST":
            return refuse(43002)
        try:
            request = json.loads(body)
            assert isinstance(request, dict)
        except (ValueError, AssertionError):
            return refuse(47001 if body else 44002)
        if name == "token":
            return await self.under_fault(name, request, lambda: self.token(request))
        access = self.access(query.get("access_token"))
        if access:
            self.note(call=name, openid=request.get("touser"), id=request.get("client_msg_id"),
                      answer=access, taken=False, new=False)
            return refuse(access)
        if name == "quota":
            return await self.under_fault(name, request, self.quota)
        if name == "words":
            return await self.under_fault(name, request, lambda: self.words(request))
        if name == "code":
            return await self.under_fault(name, request, lambda: self.code(request))
        return await self.under_fault(name, request, lambda: self.send(request))

    def access(self, token):
        if not token:
            return 41001
        if token not in self.tokens:
            return 40001
        return 42001 if time.time() >= self.tokens[token] else None

    def token(self, request):
        if request.get("appid") != APPID:
            return refuse(40013)
        if request.get("secret") != SECRET:
            return refuse(40125)
        now = time.time()
        force = request.get("force_refresh", False) and now - self.forced >= 30
        left = self.tokens.get(self.stable, 0) - now
        if force or left < 300:
            if force:
                self.forced = now
                self.tokens.pop(self.stable, None)
            elif left > 0:
                self.tokens[self.stable] = now + 300
            self.stable = secrets.token_hex(64)
            self.tokens[self.stable] = now + TOKEN_SECONDS
        left = int(self.tokens[self.stable] - now)
        return answer({"access_token": self.stable, "expires_in": left})

    def quota(self):
        remain = max(0, self.daily_limit - self.used)
        quota = {"daily_limit": self.daily_limit, "used": self.used, "remain": remain}
        return answer({"errcode": 0, "errmsg": "ok", "quota": quota})

    def words(self, request):
        """A custom message: free words, while the contact's doings allow them."""
        openid, text = request.get("touser"), (request.get("text") or {}).get("content")
        if not isinstance(openid, str) or not openid.startswith("o-"):
            return refuse(40003)
        if request.get("msgtype") != "text" or not isinstance(text, str) or not text:
            return refuse(44004)
        if len(text.encode()) > 2048:
            return refuse(45002)
        left, until = self.allowed.get(openid, (0, 0))
        if openid in self.gone or self.clock.now() > until:
            return refuse(45015)
        if not left:
            return refuse(45047)
        self.allowed[openid] = (left - 1, until)
        return answer({"errcode": 0, "errmsg": "ok"})

    def code(self, request):
        """A temporary code with a text."""
        scene = ((request.get("action_info") or {}).get("scene") or {}).get("scene_str")
        if request.get("action_name") != "QR_STR_SCENE" or not isinstance(scene, str):
            return refuse(40053)
        if not 1 <= len(scene) <= 64:
            return refuse(40053)
        ticket = secrets.token_urlsafe(48)
        seconds = request.get("expire_seconds", 60)
        return answer({"ticket": ticket, "expire_seconds": seconds,
                       "url": f"http://weixin.qq.com/q/{ticket[:24]}"})

    def send(self, request):
        code, new = self.take(request)
        if code:
            return refuse(*code) if isinstance(code, tuple) else refuse(code)
        msgid = self.known[request["touser"], request.get("client_msg_id")][1]
        return answer({"errcode": 0, "errmsg": "ok", "msgid": msgid})

    def take(self, request):
        """Validates and delivers; (errcode or None, whether it is a new message)."""
        openid, template = request.get("touser"), request.get("template_id")
        if not isinstance(openid, str) or not openid.startswith("o-"):
            return 40003, False
        if openid in self.gone:
            return 43004, False
        if template not in TEMPLATES:
            return 40037, False
        data = request.get("data")
        if not isinstance(data, dict):
            return 47001, False
        for name in TEMPLATES[template]:
            fault = fault_of_value(name, (data.get(name) or {}).get("value"))
            if fault == "empty":
                return (47003, f"argument invalid! data.{name}.value is empty"), False
            if fault:
                return (47003, f"argument invalid! data.{name}.value invalid"), False
        key = request.get("client_msg_id")
        if key is not None and not re.fullmatch(r"[\x21-\x7e]{1,32}", key):
            return 45067, False
        now = self.clock.now()
        if key is not None:
            before = self.known.get((openid, key))
            if before and now - before[0] < DEDUPE_SECONDS:
                return None, False
        if self.used >= self.daily_limit:
            return 45009, False
        if self.limit is not None:
            second, count = self.second
            if second != int(now):
                second, count = int(now), 0
            if count >= self.limit:
                self.second = (second, count)
                return 45009, False
            self.second = (second, count + 1)
        self.used += 1
        self.msgid += 1
        self.known[openid, key] = (now, self.msgid)
        return None, True

    # --- Faults

    async def under_fault(self, name, request, serve):
        openid, key = request.get("touser"), request.get("client_msg_id")
        event = {"call": name}
        if name == "send":
            self.tries += 1
            self.tried_of[key] = self.tried_of.get(key, 0) + 1
            event.update(openid=openid, id=key, template=request.get("template_id"),
                         data={field: it.get("value") for field, it in
                               (request.get("data") or {}).items()})
        if name == "words":
            event.update(openid=openid, text=(request.get("text") or {}).get("content"))
        if name == "code":
            event.update(scene=((request.get("action_info") or {}).get("scene") or {})
                         .get("scene_str"))
        fault = self.fault_for(name, openid, key)
        if fault is None:
            return self.served(event, name, request, serve)
        if "delay" in fault:
            # It is taken when it comes; only the answer is slow.
            result = self.served(event, name, request, serve)
            await asyncio.sleep(fault["delay"])
            return result
        taken = new = False
        if name == "send" and fault.get("taken"):
            code, new = self.take(request)
            taken = code is None
            self.delivered += new
        what = next(word for word in ("errcode", "status", "reset", "hang", "cut", "html")
                    if word in fault)
        self.note(**event, answer=fault[what] if what == "errcode" else what,
                  taken=taken, new=new)
        if what == "errcode":
            return refuse(fault["errcode"])
        if what == "status":
            return fault["status"], b"<html><body>bad gateway</body></html>"
        if what == "html":
            return 200, b"<html><body>please log in</body></html>"
        if what == "hang":
            await asyncio.sleep(fault["hang"])
            return None
        return what

    def served(self, event, name, request, serve):
        before = self.used
        result = serve()
        body = json.loads(result[1]) if result[0] == 200 else {"errcode": result[0]}
        code = body.get("errcode", 0)
        new = name == "send" and self.used > before
        self.delivered += new
        if new:
            event.update(msgid=body["msgid"])
        self.note(**event, answer=code, taken=code == 0, new=new)
        return result

    def fault_for(self, name, openid, key):
        now = self.clock.now()
        for fault in self.faults:
            if fault.get("call", "send") != name:
                continue
            if not fault.get("from", 0) <= now < fault.get("until", float("inf")):
                continue
            if "openids" in fault and openid not in fault["openids"]:
                continue
            if "first" in fault and self.tried_of.get(key, 0) > fault["first"]:
                continue
            if self.random.random() < fault.get("share", 1.0):
                return fault
        return None

    # --- The scenario's orders

    def control(self, order):
        """Takes `clock`, `faults`, `limit`, `gone`, `daily_limit`, `did` (openid and what: wrote,
        acted), and answers with counts.

        A fault: `call` (send, token, quota), `from` and `until` (shown seconds), `openids`,
        `first` (only the first tries of each message), `share` (probability), `taken` (the
        message is delivered all the same), and one of `errcode`, `status`, `html`, `reset`, `cut`
        (an answer that ends in the middle), `hang` and `delay` (seconds)."""
        if "clock" in order:
            self.clock = Clock(order["clock"])
        if "faults" in order:
            self.faults = order["faults"]
        if "limit" in order:
            self.limit = order["limit"]
        if "gone" in order:
            self.gone = set(order["gone"])
        if "did" in order:
            openid, what = order["did"]
            count, seconds = ALLOWANCE[what]
            until = max(self.clock.now() + seconds, self.allowed.get(openid, (0, 0))[1])
            self.allowed[openid] = (count, until)
        if "daily_limit" in order:
            self.daily_limit = order["daily_limit"]
        if "forget_before" in order:  # for long runs: what is older than the API's memory
            end = self.clock.now() - DEDUPE_SECONDS
            self.known = {key: it for key, it in self.known.items() if it[0] >= end}
            self.tried_of.clear()
        return {"tries": self.tries, "delivered": self.delivered, "used": self.used}


def answer(value):
    return 200, json.dumps(value, ensure_ascii=False).encode()


def refuse(code, text=None):
    rid = "-".join(secrets.token_hex(4) for _ in range(3))
    return answer({"errcode": code, "errmsg": f"{text or ERRMSG.get(code, 'error')} rid: {rid}"})


async def connection(api, reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.split("\r\n")
            method, target, _ = request.split(" ")
            headers = {name.strip().lower(): value.strip() for name, _, value in
                       (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            path, _, query = target.partition("?")
            query = dict(pair.partition("=")[::2] for pair in query.split("&"))
            result = await api.call(method, path, query, body)
            if result is None:
                return
            if result == "reset":
                # With no lingering the close is a reset.
                handle = writer.get_extra_info("socket")
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return
            if result == "cut":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                             b"Content-Length: 54\r\n\r\n{\"errcode\":0,\"err")
                return
            status, body = result
            writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json; encoding=utf-8\r\n"
                         b"Content-Length: %d\r\n\r\n%s" % (status, len(body), body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
        pass
    finally:
        writer.close()


async def order(api, reader, writer):
    try:
        line = await reader.readline()
        writer.write(json.dumps(api.control(json.loads(line))).encode() + b"\n")
        await writer.drain()
    finally:
        writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--clock")
    options = parser.parse_args()
    log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    api = Api(log, Clock(options.clock))
    server = await asyncio.start_server(
        lambda reader, writer: connection(api, reader, writer), "127.0.0.1", options.port,
        backlog=4096)
    await asyncio.start_unix_server(
        lambda reader, writer: order(api, reader, writer), options.control, limit=1 << 26)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The scenario holds the other end: when it is gone, so are we.
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
