"""The callback address: pushed to as WeChat pushes, by everybody else, under load, over a kill, and
while the disk stands still."""

import asyncio
import json
import random
import signal
import subprocess
import time
from collections import Counter

from clinic import shown, wait_for
from judge import judge
from scenario import scenario

START = shown("2026-03-24T08:00:00")
ANSWER_SECONDS_MAX = 5.0
TRIES_OF_WECHAT = 4
CRYPTO = "python3:cryptography"


def platform(clinic, mode, **settings):
    """The platform, and the clinic's callback opened for it."""
    from pushes import KEY, TOKEN, Platform
    made = Platform(mode, now=clinic.now, **settings)
    clinic.open_callback(settings.get("token", TOKEN), settings.get("key", KEY), mode,
                         'original_id = "gh_680bdefc8c5d"')
    return made


def kept(clinic):
    """All that the store says of what came in."""
    def lines(*arguments):
        output = clinic.cli(*arguments)
        assert output.returncode == 0, f"{arguments}: {output.stderr}"
        return output.stdout.splitlines()
    since = ("--from", "2014-01-01T00:00:00Z")
    return {
        "journal": lines("history", "--journal", "--json", *since),
        "doses": lines("history", "--json", *since),
        "inbox": lines("inbox", "--json", *since),
        "calls": lines("calls", "--json"),
    }


def same(before, after):
    for table in before:
        assert before[table] == after[table], (
            f"{table} has changed: {sorted(set(after[table]) ^ set(before[table]))[:6]}")


def every_push(wechat, reminder):
    """A name, what is pushed, and what is to be shown at once: words, "" for nothing, None for
    whatever. `reminder` is the number of a template message."""
    ill, other, stranger = "o-p0001", "o-p0002", "o-stranger"
    message, event = wechat.message, wechat.event

    def consents(name, wrapper, *statuses):
        items = [("List", [("TemplateId", f"T{n}"), ("SubscribeStatusString", status),
                           ("PopupScene", 1)]) for n, status in enumerate(statuses)]
        return event(ill, name, (wrapper, items))
    sent = [("List", [("TemplateId", "T1"), ("MsgID", 1700827132819554304), ("ErrorCode", 0),
                      ("ErrorStatus", "success")])]
    code = [("ScanCodeInfo", [("ScanType", "qrcode"), ("ScanResult", "2")])]
    return [
        ("the answer to a reminder", wechat.text(ill, "1"), "二甲双胍"),
        ("words", wechat.text(ill, "今天能吃柚子吗 ]]> & <1> 😀"), "医生"),
        ("an item of a menu message", message(ill, "text", ("Content", "不舒服"),
                                              ("bizmsgmenuid", "101")), None),
        ("a stranger's words", wechat.text(stranger, "你们几点开门"), "诊所"),
        ("words without any", message(ill, "text", ("Content", "")), None),
        ("a picture", message(ill, "image", ("PicUrl", "http://mmbiz.qpic.cn/1"),
                              ("MediaId", "media-1")), None),
        ("a voice message", message(ill, "voice", ("MediaId", "media-2"), ("Format", "amr"),
                                    ("MediaId16K", "media-3"), ("Recognition", "")), None),
        ("a video", message(ill, "video", ("MediaId", "m"), ("ThumbMediaId", "t")), None),
        ("a short video", message(ill, "shortvideo", ("MediaId", "m"), ("ThumbMediaId", "t")), None),
        ("a place", message(ill, "location", ("Location_X", "23.134521"),
                            ("Location_Y", "113.358803"), ("Scale", 20), ("Label", "路口")), None),
        ("a link", message(ill, "link", ("Title", "t"), ("Description", "d"),
                           ("Url", "https://x.example/?a=1&b=2")), None),
        ("a kind that is not documented", message(ill, "music", ("Title", "t")), ""),
        ("a follow", event(stranger, "subscribe", ("EventKey", "")), "诊所"),
        ("a follow by a code that is none", event("o-late", "subscribe",
                                                  ("EventKey", "qrscene_5f1e"), ("Ticket", "t")),
         "失效"),
        ("a scan of a code that is none", event(ill, "SCAN", ("EventKey", "5f1e"), ("Ticket", "t")),
         "失效"),
        ("an end of following", event(other, "unsubscribe", ("EventKey", "")), ""),
        ("a tap in the menu", event(ill, "CLICK", ("EventKey", "TODAY")), None),
        ("a page of the menu", event(ill, "VIEW", ("EventKey", "https://x.example/"),
                                     ("MenuId", 417)), ""),
        ("a place that is reported", event(ill, "LOCATION", ("Latitude", "23.1"),
                                           ("Longitude", "113.3"), ("Precision", "65.0")), ""),
        ("a message that arrived", wechat.report(ill, reminder), ""),
        ("a message that was refused", wechat.report(other, 1, "failed:user block"), ""),
        ("a message that failed", wechat.report(ill, 2, "failed: system failed"), ""),
        ("one too many", wechat.report(ill, 3, "failed:freq limit"), ""),
        ("a report in words that are not documented", wechat.report(ill, 4, "failed:what"), ""),
        ("consent to a notice", consents("subscribe_msg_popup_event", "SubscribeMsgPopupEvent",
                                         "accept"), ""),
        ("consent to several", consents("subscribe_msg_popup_event", "SubscribeMsgPopupEvent",
                                        "accept", "reject", "accept"), ""),
        ("a consent that ends", consents("subscribe_msg_change_event", "SubscribeMsgChangeEvent",
                                         "reject"), ""),
        ("the same under the other name", consents("subscribe_msg_change_event",
                                                   "SubscribeMsgPopupEvent", "reject"), ""),
        ("a notice that was sent", event(ill, "subscribe_msg_sent_event",
                                         ("SubscribeMsgSentEvent", sent)), ""),
        ("a code scanned from the menu", event(ill, "scancode_push", ("EventKey", "k"), *code), ""),
        ("the same, waited for", event(ill, "scancode_waitmsg", ("EventKey", "k"), *code), ""),
        ("a mini programme", event(ill, "view_miniprogram", ("EventKey", "pages/1")), ""),
        ("a talk with customer service", event(ill, "kf_create_session", ("KfAccount", "a@b")), ""),
        ("the account's yearly check", event(ill, "annual_renew", ("ExpiredTime", 1714112445)), ""),
    ]


def shuffled(elements):
    """The account first, as always; the others in any order, and some that nobody knows."""
    rest = [*elements[1:], ("Unknown", "x"), ("Empty", "")]
    random.shuffle(rest)
    return [elements[0], *rest]


@scenario(needs=(CRYPTO,))
def every_push_of_every_mode_is_answered_and_a_repetition_changes_nothing(stage):
    for mode in ("secure", "compatible", "plain"):
        clinic = stage.clinic(START - 600)
        wechat = platform(clinic, mode)
        for patient in ("p0001", "p0002"):
            clinic.plan(patient, [("二甲双胍", 'at = "08:00"\nwindow = "60 min"')])
        # A plan that is first read after its dose's instant has it tomorrow.
        clinic.start().stop()
        clinic.set_clock(START - 3)
        daemon = clinic.start()
        wechat.address = daemon.public
        told = wait_for("both are told", lambda: len([it for it in clinic.calls() if it["new"]]) == 2
                        and clinic.calls())
        clinic.drained(daemon)
        good, bad = wechat.greet(), wechat.greet(signature="0" * 40)
        assert (good.status, good.body) == (200, b"5927782489442352469"), good
        assert bad.status == 403 and not bad.body, bad
        reminder = next(it["msgid"] for it in told if it["openid"] == "o-p0001")
        rows = every_push(wechat, reminder)
        shown_first, slowest = [], 0.0
        for name, elements, wanted in rows:
            answer = asyncio.run(wechat.try_once(elements))
            slowest = max(slowest, answer.seconds)
            assert answer.status == 200, f"{mode}: {name}: {answer}"
            said = wechat.read(answer, elements)
            if wanted == "":
                assert answer.body == b"success", f"{mode}: {name}: {answer}"
            elif wanted:
                assert said and wanted in said, f"{mode}: {name}: {said}"
            shown_first.append(said)
        assert slowest <= ANSWER_SECONDS_MAX
        accepted = daemon.metric("dosed_inbound_total", result="accepted")
        assert accepted == len(rows), f"{accepted} of {len(rows)} were accepted"
        before = kept(clinic)
        # Those of which nothing is kept are taken each time; all others are known again.
        forms = [{}, {"write": lambda it: escape(it)}, {"write": lambda it: f"\n  {escape(it)}\n"}]
        for form in forms:
            for (name, elements, _), first in zip(rows, shown_first):
                answer = asyncio.run(wechat.try_once(shuffled(elements), **form))
                assert answer.status == 200 and answer.seconds <= ANSWER_SECONDS_MAX, answer
                again = wechat.read(answer, elements)
                assert again == first, f"{mode}: {name}: {again}, and before it {first}"
        same(before, kept(clinic))
        duplicates = daemon.metric("dosed_inbound_total", result="duplicate")
        assert duplicates > 3 * 20, duplicates
        journal = [json.loads(line) for line in before["journal"]]
        entries = Counter(it["entry"] for it in journal if it["patient"] == "p0001")
        assert entries["delivered"] == 1, entries
        assert entries["dose_closed"] == 1, entries
        left = [it for it in journal if it["patient"] == "p0002" and it["entry"] == "reach_changed"]
        assert [it["why"] for it in left] == ["unfollowed"], left
        assert daemon.stop() == 0
        fsck = clinic.cli("fsck")
        assert fsck.returncode == 0, fsck.stdout
        stage.figure(f"{mode}: {len(rows)} kinds of pushes, each four times in three forms; "
                     f"slowest answer {slowest * 1e3:.0f} ms; {duplicates:.0f} known again")


def escape(value):
    from pushes import escaped
    return escaped(value)


@scenario(needs=(CRYPTO,))
def a_push_that_wechat_made_in_2014_is_taken(stage):
    """The one whole request of the platform that is public, with the key of its account."""
    from pushes import Platform
    second = 1414243737
    clinic = stage.clinic(second - 2)
    clinic.configure(appid="wxbad0b45542aa0b5e")
    clinic.open_callback("weixin", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")
    daemon = clinic.start()
    wechat = Platform(appid="wxbad0b45542aa0b5e", token="weixin", now=clinic.now)
    wechat.address = daemon.public
    encrypted = (
        "MNn4+jJ/VsFh2gUyKAaOJArwEVYCvVmyN0iXzNarP3O6vXzK62ft1/KG2/XPZ4y5bPWU/jfIfQxODRQ7sLkUsrDRqsWi"
        "muhIT8Eq+w4E/28m+XDAQKEOjWTQIOp1p6kNsIV1DdC3B+AtcKcKSNAeJDr7x7GHLx5DZYK09qQsYDOjP6R5NqebFjKt"
        "/NpEl/GU3gWFwG8LCtRNuIYdK5axbFSfmXbh5CZ6Bk5wSwj5fu5aS90cMAgUhGsxrxZTY562QR6c+3ydXxb+GHI5w+qA"
        "+eqJjrQqR7u5hS+1x5sEsA7vS+bZ5LYAR3+PZ243avQkGllQ+rg7a6TeSGDxxhvLw+mxxinyk88BNHkJnyK//hM1k9Pu"
        "vuLAASdaud4vzRQlAmnYOslZl8CN7gjCjV41skUTZv3wwGPxvEqtm/nf5fQ=")
    pairs = [("signature", "35703636de2f9df2a77a662b68e521ce17c34db4"), ("timestamp", str(second)),
             ("nonce", "1792106704"), ("openid", "oIDrpjpQ8j8mBuQ8nM26HWzNEZgg"),
             ("encrypt_type", "aes"),
             ("msg_signature", "6147984331daf7a1a9eed6e0ec3ba69055256154")]
    body = (f"<xml><ToUserName><![CDATA[gh_680bdefc8c5d]]></ToUserName>\n"
            f"<Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>").encode()
    from pushes import exchange
    answer = asyncio.run(exchange(wechat.address, wechat.request(pairs, body)))
    pushed = [("ToUserName", "gh_680bdefc8c5d"), ("FromUserName", "oIDrpjpQ8j8mBuQ8nM26HWzNEZgg")]
    said = wechat.read(answer, pushed)
    assert answer.status == 200 and "Dr Hao Clinic" in said, (answer, said)
    lines = [json.loads(line) for line in kept(clinic)["inbox"]]
    assert [line["text"] for line in lines] == ["?"], lines
    changed = body.replace(b"MNn4", b"MNn5")
    answer = asyncio.run(exchange(wechat.address, wechat.request(pairs, changed)))
    assert answer.status == 403, answer
    assert daemon.stop() == 0


def flipped(text, at):
    """With one letter changed into another of its kind."""
    letter = text[at]
    other = {"0": "1"}.get(letter, "0") if letter.isdigit() else ("B" if letter == "A" else "A")
    return text[:at] + other + text[at + 1:]


def tampered(wechat, rng):
    """(name, query, body) of requests that the platform did not make."""
    good = wechat.text("o-p0001", "被改过的话")
    rows = []

    def row(name, pairs, body):
        rows.append((name, list(pairs), body))
    pairs, body = wechat.form(good)
    for index, (field, value) in enumerate(pairs):
        if field == "openid":
            continue  # it is there for routing only, and nothing relies on it
        if field == "encrypt_type" and wechat.mode == "compatible":
            continue  # what is signed and encrypted is the platform's, whatever it says of itself
        for at in {0, len(value) - 1, rng.randrange(len(value))}:
            changed = list(pairs)
            changed[index] = (field, flipped(value, at))
            row(f"a letter of {field} changed", changed, body)
        row(f"without {field}", pairs[:index] + pairs[index + 1:], body)
        row(f"{field} twice", pairs + [pairs[index]], body)
        row(f"{field} empty", pairs[:index] + [(field, "")] + pairs[index + 1:], body)
    # What is ahead comes nearer until it is posted.
    for seconds in (-86400, -601 - 5, 601 + 300, 86400, -10**9, 10**11):
        row(f"{seconds} s from now", *wechat.form(good, at=wechat.now() + seconds))
    row("no body", pairs, b"")
    row("JSON", pairs, b'{"ToUserName":"gh_680bdefc8c5d","Encrypt":"AAAA"}')
    row("half of it", pairs, body[:len(body) // 2])
    row("not UTF-8", pairs, body.replace(b"gh_", b"gh\xff"))
    bomb = (b'<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)) + b"]>")
    row("a bomb of entities", pairs, bomb + body.replace(b"gh_", b"&j;"))
    reach = b'<!DOCTYPE xml [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    row("an entity that reaches outside", pairs, reach + body.replace(b"gh_", b"&a;gh_"))
    row("a document type alone", pairs, b"<!DOCTYPE xml>" + body)
    row("too deep", pairs, b"<xml>" + b"<a>" * 2000 + b"</a>" * 2000 + b"</xml>")
    row("too many elements", pairs, b"<xml>" + b"<a/>" * 12_000 + b"</xml>")
    row("two roots", pairs, body + body)
    if wechat.mode == "plain":
        from pushes import document
        sealed = wechat.cipher.encrypt(body)
        row("encrypted in plain mode", wechat.query(encrypted=sealed),
            document([good[0], ("Encrypt", sealed)]).encode())
        return rows
    row("in the clear", wechat.query("o-p0001"), clear_form(good))
    row("in the clear, said to be encrypted", pairs, clear_form(good))
    # Under the account's own token and key: whoever had them could still not crash it.
    plain = wechat.cipher.plain(clear_form(good))
    short = 32 - len(plain) % 32
    padded = plain + bytes([short]) * short
    body_of = wechat.cipher.plain
    for name, blocks in [
        ("padding of 0", padded[:-1] + b"\0"),
        ("padding of 33", padded[:-1] + b"\x21"),
        ("padding longer than all", padded[-32:-1] + b"\x20"),
        ("padding of unequal bytes", padded[:-2] + b"\x63" + padded[-1:]),
        ("another account's", pad(body_of(clear_form(good), appid=b"wx0000000000000000"))),
        ("no account's", pad(body_of(clear_form(good), appid=b""))),
        ("a length beyond its end", pad(body_of(clear_form(good), length=2**32 - 1))),
        ("a length before its end", pad(body_of(clear_form(good), length=10))),
        ("one block", padded[:16]),
        ("nothing but padding", bytes([32]) * 32),
        ("a bomb inside", pad(body_of(bomb + clear_form(good).replace(b"gh_", b"&j;")))),
        ("no XML inside", pad(body_of(b"\0" * 100))),
        ("nothing inside", pad(body_of(b""))),
        ("another account inside", pad(body_of(clear_form(good).replace(b"gh_680", b"gh_999")))),
    ]:
        sealed = wechat.cipher.raw(blocks)
        row(name, *wechat.form(good, encrypted=sealed))
    sealed = wechat.cipher.encrypt(clear_form(good))
    for name, text in [("text that is no base64", sealed[:-4] + "*&^%"),
                       ("text cut off", sealed[:-7]), ("text without its end", sealed[:24]),
                       ("no text", "")]:
        row(name, *wechat.form(good, encrypted=text or "-"))
    # The signature of the encrypted text covers each of its letters.
    pairs, body = wechat.form(good, encrypted=sealed)
    for at in sorted(rng.sample(range(len(sealed)), 40)):
        changed = body.replace(sealed.encode(), flipped(sealed, at).encode())
        row(f"letter {at} of the text changed", pairs, changed)
    other = wechat.form(wechat.text("o-p0001", "别的话"))[1]
    row("the text of another push under this signature", pairs, other)
    return rows


def pad(plain):
    short = 32 - len(plain) % 32
    return plain + bytes([short]) * short


def clear_form(elements):
    from pushes import document
    return document(elements).encode()


@scenario(needs=(CRYPTO,))
def nothing_that_was_tampered_with_is_taken_and_nothing_of_it_is_told(stage):
    for mode in ("secure", "compatible", "plain"):
        clinic = stage.clinic(START + 60)
        wechat = platform(clinic, mode)
        clinic.plan("p0001", [("二甲双胍", 'at = "08:00"\nwindow = "60 min"')])
        daemon = clinic.start()
        wechat.address = daemon.public
        clinic.drained(daemon)
        before = kept(clinic)
        rows = tampered(wechat, stage.random)
        refused = 0
        for name, pairs, body in rows:
            answer = asyncio.run(post(wechat, pairs, body))
            assert answer.status in (400, 403, 413), f"{mode}: {name}: {answer}"
            assert not answer.body and answer.seconds <= ANSWER_SECONDS_MAX, f"{name}: {answer}"
            refused += 1
            counted = daemon.metric("dosed_inbound_total", result="refused")
            assert counted == refused, f"{mode}: {name}: {counted} were counted, not {refused}"
        same(before, kept(clinic))
        # Within the window, to the second, it is taken; in compatible mode what stands in the clear
        # is not looked at: it is covered by no signature.
        late = wechat.text("o-p0001", "九分钟前的话")
        answer = asyncio.run(wechat.try_once(late, at=wechat.now() - 540))
        assert answer.status == 200, answer
        if mode == "compatible":
            pairs, body = wechat.form(wechat.text("o-p0001", "真的话"))
            forged = body.replace("真的话".encode(), "假的话".encode())
            assert forged != body
            assert asyncio.run(post(wechat, pairs, forged)).status == 200
        texts = [json.loads(line)["text"] for line in kept(clinic)["inbox"]]
        assert texts == ["九分钟前的话", *(["真的话"] if mode == "compatible" else [])], texts
        log = daemon.log()
        assert daemon.stop() == 0
        for word in ("o-p0001", "的话", "p0001", "患者", "二甲双胍", wechat.token, "abcdefghijkl",
                     "root:"):
            assert word not in log, f"the log tells {word}:\n{log}"
        said = log.count("a request to the callback address is refused")
        assert 1 <= said <= 40, f"{said} lines for {refused} refusals"
        stage.figure(f"{mode}: {refused} requests refused, {said} lines in the log")


async def post(wechat, pairs, body):
    from pushes import exchange
    return await exchange(wechat.address, wechat.request(pairs, body), 10)


@scenario(needs=(CRYPTO,))
def whoever_holds_on_to_the_callback_does_not_keep_the_platform_out(stage):
    from pushes import exchange
    clinic = stage.clinic(START + 60)
    wechat = platform(clinic, "secure")
    clinic.plan("p0001", [("二甲双胍", 'at = "20:00"')])
    daemon = clinic.start()
    address = wechat.address = daemon.public
    pairs, body = wechat.form(wechat.text("o-p0001", "柚子"))
    good = wechat.request(pairs, body)
    rng = stage.random

    def status(request):
        return asyncio.run(exchange(address, request, 20)).status
    # The callback, one path and two methods, and nothing of the other listeners.
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"):
        assert status(wechat.request(pairs, body, method)) == 405, method
    for path in ("/", "/metrics", "/health", "/livez", "/readyz", "/reload", "/enrol", "/wechat/",
                 "//wechat", "/wechat/x", "/WECHAT", "/wechat%2f", "/%77echat/", "/..", "/.git/config"):
        for method in ("GET", "POST"):
            found = status(wechat.request(pairs, body, method, path))
            assert found in (400, 404), f"{method} {path}: {found}"
    # Too long, whether it says so or not.
    padded = body.replace(b"</xml>", b" " * (64 * 1024) + b"</xml>")
    assert status(wechat.request(pairs, padded)) == 413
    target = wechat.request(pairs, b"").split(b" ")[1].decode()
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert status([head, *[b"8000\r\n" + b" " * 0x8000 + b"\r\n"] * 64]) in (0, 413)
    assert status(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n"
                  .encode()) == 413
    # What is no HTTP, or too much of it.
    noise = [rng.randbytes(rng.randrange(1, 5000)) for _ in range(50)]
    noise += [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(500),
              b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET /wechat\r\n\r\n", b"\r\n" * 1000,
              b"GET /wechat?" + b"a" * (1 << 20) + b" HTTP/1.1\r\n\r\n",
              b"GET /wechat HTTP/1.1\r\n" + b"X: y\r\n" * 5000 + b"\r\n",
              b"POST /wechat HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
              b"POST /wechat HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
              b"POST /wechat HTTP/9.9\r\n\r\n"]
    for request in noise:
        found = status(request)
        assert found == 0 or 400 <= found < 500 or found == 505, f"{request[:60]}: {found}"
    # Slow ones, more of them than there are places, at every point of a request.
    took = asyncio.run(beside_slow_ones(address, good, rng))
    assert took.status == 200 and took.seconds <= ANSWER_SECONDS_MAX, took
    lines = [json.loads(line)["text"] for line in kept(clinic)["inbox"]]
    assert lines == ["柚子"], lines
    most = daemon.status("VmHWM")
    assert daemon.stop() == 0
    stage.figure(f"beside 600 slow connections the platform was answered after {took.seconds:.2f} s; "
                 f"most memory {most / 1024:.0f} MiB")


async def beside_slow_ones(address, good, rng):
    """A push while 600 others have sent a part of theirs and say nothing more, or a letter now and
    then."""
    from pushes import exchange
    host, _, port = address.rpartition(":")
    writers = []
    for _ in range(600):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(good[:rng.randrange(0, len(good) - 1)])
        writers.append(writer)

    async def dribble():
        while True:
            for writer in writers[::3]:
                writer.write(b"x")
            await asyncio.sleep(0.5)
    dribbling = asyncio.create_task(dribble())
    answer = await exchange(address, good, 20)
    dribbling.cancel()
    for writer in writers:
        writer.transport.abort()
    return answer


# --- Under load

HEAVENLY = "甲乙丙丁戊己庚辛壬癸"


class Crowd:
    """Patients who answer, write, and whose messages are reported, so many times a second."""

    def __init__(self, clinic, wechat, patients, rate, rng):
        self.clinic, self.wechat, self.rng = clinic, wechat, rng
        self.patients, self.rate = patients, rate
        self.texts, self.answered, self.reported = {}, set(), set()
        self.waiting_reports, self.waiting_answers = [], []
        self.log, self.seen = open(clinic.log_path, encoding="utf-8"), ""
        self.took, self.tries, self.lost = [], Counter(), []

    def look(self):
        """What has been delivered since the last look."""
        while line := self.log.readline():
            self.seen += line
            if not self.seen.endswith("\n"):
                return
            call, self.seen = json.loads(self.seen), ""
            if call["call"] == "send" and call["new"]:
                self.waiting_reports.append((call["openid"], call["msgid"]))
                self.waiting_answers.append(call["openid"])

    def next(self):
        if self.waiting_reports:
            openid, msgid = self.waiting_reports.pop(0)
            self.reported.add(openid)
            return self.wechat.report(openid, msgid)
        if self.waiting_answers:
            openid = self.waiting_answers.pop(0)
            self.answered.add(openid)
            return self.wechat.text(openid, "1")
        number = len(self.texts)
        words = "想问柚子 " + "".join(HEAVENLY[int(digit)] for digit in f"{number:06}")
        openid = f"o-p{self.rng.randrange(self.patients):04}"
        self.texts[words] = openid
        return self.wechat.text(openid, words)

    async def push(self, elements):
        tries, answer = await self.wechat.deliver(elements, pause=5, most=20)
        self.tries[tries] += 1
        if answer.status != 200:
            self.lost.append((elements, answer))
        elif tries == 1:
            self.took.append(answer.seconds)

    async def pour(self, seconds):
        """All of it; every push has come to its end when this is over."""
        began, pushes = time.monotonic(), set()
        for number in range(round(self.rate * seconds)):
            if number % 25 == 0:
                self.look()
            await asyncio.sleep(max(0.0, began + number / self.rate - time.monotonic()))
            push = asyncio.create_task(self.push(self.next()))
            pushes.add(push)
            push.add_done_callback(pushes.discard)
        lag = time.monotonic() - began - seconds
        await asyncio.gather(*pushes)
        return lag


def share(took, part):
    ordered = sorted(took)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


@scenario(needs=(CRYPTO,), alone=True, seconds=300, seconds_long=600)
def five_hundred_callbacks_a_second_beside_a_burst_outlive_a_kill(stage):
    patients, seconds, rate = (5000, 60, 80) if stage.long else (1000, 10, 80)
    clinic = stage.clinic(START - 600, rate=rate)
    wechat = platform(clinic, "secure")
    for number in range(patients):
        patient = f"p{number:04}"
        clinic.plan(patient, [("二甲双胍", 'at = "08:00"\nwindow = "60 min"')])
        clinic.expect(patient, "二甲双胍", START, 3600)
    clinic.start().stop()
    clinic.set_clock(START - 3)
    daemon = clinic.start()
    wechat.address = daemon.public
    crowd = Crowd(clinic, wechat, patients, 500, stage.random)
    after = []

    async def play():
        pouring = asyncio.create_task(crowd.pour(seconds))
        await asyncio.sleep(seconds / 2)
        await asyncio.to_thread(daemon.kill)
        before_kill = len(crowd.took)
        again = await asyncio.to_thread(clinic.start)
        wechat.address = again.public
        after.extend([again, before_kill])
        return await pouring
    lag = asyncio.run(play())
    daemon, before_kill = after
    assert not crowd.lost, f"{len(crowd.lost)} are lost after all tries: {crowd.lost[:3]}"
    # On a machine that has no processor even for who pushes, more is pushed than it can take.
    given_up = sum(count for tries, count in crowd.tries.items() if tries > TRIES_OF_WECHAT)
    assert not given_up or lag > 0.5, f"WeChat would have given {given_up} up: {crowd.tries}"
    wait_for("all have been reminded", lambda: clinic.order()["delivered"] >= patients, 120, 0.2)
    clinic.drained(daemon)
    duplicates = daemon.metric("dosed_inbound_total", result="duplicate")
    assert daemon.stop() == 0
    # Each thing that was pushed is there, once.
    inbox = Counter(json.loads(line)["text"] for line in kept(clinic)["inbox"])
    assert inbox == Counter(dict.fromkeys(crowd.texts, 1)), (
        f"{len(inbox)} of {len(crowd.texts)} texts; "
        f"{[it for it in inbox if inbox[it] > 1][:3]} twice, "
        f"{[it for it in crowd.texts if it not in inbox][:3]} lost")
    history = clinic.history()
    taken = {f"o-{line['patient']}" for line in history if line["state"] == "taken"}
    assert taken == crowd.answered, (
        f"{len(taken)} taken, {len(crowd.answered)} said so; {sorted(taken ^ crowd.answered)[:3]}")
    journal = [json.loads(line) for line in kept(clinic)["journal"]]
    # An answer that was faster than the outcome of its reminder is there again with the outcome: it
    # is the same answer by the instant at which it was given.
    closed = Counter(patient for patient, _ in {
        (it["patient"], (it["answer"] or {}).get("said_at")) for it in journal
        if it["entry"] == "dose_closed"})
    assert set(closed.values()) <= {1} and len(closed) == len(taken), closed.most_common(3)
    delivered = Counter(f"o-{it['patient']}" for it in journal if it["entry"] == "delivered")
    assert delivered == Counter(dict.fromkeys(crowd.reported, 1)), (
        f"{len(delivered)} of {len(crowd.reported)} reports; {delivered.most_common(3)}")
    judgement = judge(clinic, history)
    fsck = clinic.cli("fsck")
    assert fsck.returncode == 0, fsck.stdout
    took = crowd.took
    stage.figure(f"{sum(crowd.tries.values())} pushes at 500 a second ({lag:.2f} s behind at the "
                 f"end), {before_kill} answered before the kill; tries {dict(sorted(crowd.tries.items()))}; "
                 f"{duplicates:.0f} known again; {len(crowd.texts)} texts, {len(taken)} doses taken, "
                 f"{len(delivered)} reports, each once")
    stage.figure(f"answered at the first try: median {share(took, 0.5) * 1e3:.0f} ms, p99 "
                 f"{share(took, 0.99) * 1e3:.0f} ms, p99.9 {share(took, 0.999) * 1e3:.0f} ms, most "
                 f"{max(took) * 1e3:.0f} ms, by the platform's clock")
    stage.figure(str(judgement))


# --- A disk that stands still

@scenario(needs=(CRYPTO, "strace"), root=True)
def a_disk_that_stands_still_leaves_pushes_unanswered_in_a_second_and_taken_once_later(stage):
    clinic = stage.clinic(START + 60)
    wechat = platform(clinic, "secure")
    clinic.plan("p0001", [("二甲双胍", 'at = "20:00"')])
    daemon = clinic.start()
    wechat.address = daemon.public
    first = wechat.text("o-p0001", "柚子")
    assert asyncio.run(wechat.try_once(first)).status == 200
    # From here on each sync takes twenty seconds.
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(daemon.pid()),
         "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:delay_enter=20000000"],
        stdin=subprocess.DEVNULL)
    stage.callback(tracer.kill)
    wait_for("the tracer is there", lambda: traced(daemon.pid()), 20)
    pushes = [wechat.text("o-p0001", f"西瓜 {HEAVENLY[number % 10]}{HEAVENLY[number // 10]}")
              for number in range(40)]
    answers = asyncio.run(together(wechat, pushes))
    slowest = max(answer.seconds for answer in answers)
    assert {answer.status for answer in answers} == {503}, Counter(map(repr, answers))
    assert slowest <= 3, f"an answer that nobody could rely on came after {slowest:.2f} s"
    failed = daemon.metric("dosed_inbound_total", result="failed")
    assert failed == len(pushes), failed
    # What answers nobody's disk answers meanwhile.
    assert wechat.greet().status == 200
    assert daemon.get("/livez")[0] in (200, 503)
    tracer.send_signal(signal.SIGINT)
    tracer.wait(30)
    # The platform pushes again what was not answered, until it is.
    for elements in pushes:
        wait_for("it is taken", lambda: asyncio.run(wechat.try_once(elements)).status == 200, 60)
    texts = [json.loads(line)["text"] for line in kept(clinic)["inbox"]]
    assert len(texts) == len(set(texts)) == len(pushes) + 1, texts
    assert daemon.stop() == 0
    stage.figure(f"{len(pushes)} pushes, each told to come again, the slowest after "
                 f"{slowest:.2f} s; each kept once in the end")


def traced(pid):
    for line in open(f"/proc/{pid}/status", encoding="utf-8"):
        if line.startswith("TracerPid:"):
            return int(line.split()[1]) != 0
    return False


async def together(wechat, pushes):
    return await asyncio.gather(*[wechat.try_once(elements, 30) for elements in pushes])
