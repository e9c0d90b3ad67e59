"""Three days of three patients, two caregivers and a doctor at 600 times the speed: what is said on
each phone, and what the journal keeps of it."""

import json
import re
import threading
import time
from collections import Counter

from clinic import local_minute, shown
from scenario import scenario

SPEED = 600
DAY = "2026-03-"
# Real seconds. Ten minutes of the story are one.
PATIENCE = 30

MANNERS = """\
consent = "可以用微信提醒您用药吗？ May we remind you of your medicines over WeChat?"
emergency_number = "120"
"""

MORE = """\
[wechat.templates.alert]
id = "ALERT"
[wechat.templates.alert.data]
thing1 = "{{ patient }}"
thing2 = "{{ text }}"
time3 = "{{ at }}"

[[staff]]
name = "Hao"
wechat = "o-hao"
"""

WANG = """\
name = "王秀兰"
[[caregiver]]
id = "lei"
name = "王磊"
relation = "儿子"
tell = "missed"
[[medication]]
name = "华法林"
take = "1片"
at = "08:00"
critical = true
[[check_in]]
ask = "今天血压？"
answer = "血压"
at = "09:00"
alert_if = ["高压超过160"]
"""

EMMA = """\
name = "Emma Miller"
language = "en"
[[medication]]
name = "Aspirin"
take = "1"
at = "08:00, 20:00"
[[medication]]
name = "Statin"
take = "1"
at = "08:00"
"""

LELE = """\
name = "陈乐乐"
[[caregiver]]
id = "mother"
name = "陈晓雯"
relation = "妈妈"
answers = true
[[medication]]
name = "头孢克洛"
take = "5 ml"
at = "08:30, 20:30"
if_missed = "想起来就补服，不要加倍"
[[check_in]]
ask = "乐乐体温？"
answer = "体温"
at = "10:30"
alert_if = "超过38.5"
"""


class Story:
    """The clinic, WeChat on both sides of it, and the phones."""

    def __init__(self, stage, begin):
        from pushes import KEY, TOKEN, Platform
        self.clinic = stage.clinic(shown(begin), speed=SPEED)
        self.wechat = Platform("secure", now=self.clinic.now)
        self.clinic.open_callback(TOKEN, KEY)
        self.clinic.configure(manners=MANNERS, more=MORE)
        for patient, plan in (("wang-xiulan", WANG), ("emma-miller", EMMA), ("chen-lele", LELE)):
            (self.clinic.directory / "plans.d" / f"{patient}.toml").write_text(plan)
        self.clinic.set_clock(shown(begin), SPEED)
        self.daemon = self.clinic.start()
        self.wechat.address = self.daemon.public
        self.phones = {}  # phone -> all that stood on it, in order
        self.heard = Counter()  # phone -> how much of it was expected
        self.lock = threading.Lock()
        self.reported = Counter()
        self.faults = []
        self.ending = threading.Event()
        self.watching = threading.Thread(target=self.watch, daemon=True)
        self.watching.start()

    def put(self, phone, text):
        with self.lock:
            self.phones.setdefault(phone, []).append(text)

    def watch(self):
        """What the API delivers appears on the phones, and is reported."""
        with open(self.clinic.log_path, encoding="utf-8") as log:
            line = ""
            while not self.ending.is_set():
                line += log.readline()
                if not line.endswith("\n"):
                    time.sleep(0.01)
                    continue
                call, line = json.loads(line), ""
                if call["call"] == "send" and call["new"]:
                    data = call["data"]
                    words = [data[it] for it in ("thing1", "thing2")]
                    self.put(call["openid"], f"{call['template']} {' '.join(words)}")
                    said = self.push(self.wechat.report(call["openid"], call["msgid"]))
                    if said is not None:
                        self.faults.append(f"an answer to a report: {said}")
                    self.reported[call["id"]] += 1
                if call["call"] == "words" and call["taken"]:
                    self.put(call["openid"], f"WORDS {call['text']}")

    def push(self, elements):
        return self.wechat.push(elements)

    def until(self, instant):
        self.clinic.wait_until(shown(f"{DAY}{instant}"))

    def hears(self, phone, *messages):
        """The next messages on a phone. What ends in … is only the beginning."""
        for message in messages:
            end = time.monotonic() + PATIENCE
            at = self.heard[phone]
            while len(self.phones.get(phone, [])) <= at:
                assert time.monotonic() < end, (
                    f"{self.moment()}: {phone} does not hear {message!r}: {self.phones}")
                time.sleep(0.005)
            found = self.phones[phone][at]
            begins = message.endswith("…") and found.startswith(message[:-1])
            assert found == message or begins, (
                f"{self.moment()}: {phone} hears {found!r}, not {message!r}: {self.phones}")
            self.heard[phone] += 1

    def moment(self):
        return time.strftime("%d %H:%M:%S", time.gmtime(self.clinic.now() + 8 * 3600))

    def does(self, phone, elements, answer):
        """Somebody does something, and is answered so at once."""
        self.clinic.order(did=[phone, "wrote" if dict(elements)["MsgType"] == "text" else "acted"])
        said = self.push(elements)
        is_as_written = said == answer or (
            answer and said and answer.endswith("…") and said.startswith(answer[:-1]))
        assert is_as_written, f"{self.moment()}: {phone} is answered {said!r}, not {answer!r}"
        if said:
            return re.findall(r"\d\d:\d\d", said)
        return []

    def says(self, phone, words, answer):
        return self.does(phone, self.wechat.text(phone, words), answer)

    def scans(self, phone, answer, *whom, following=False):
        """`dosed enrol`, and the code is scanned."""
        before = len(self.clinic.calls("code"))
        output = self.clinic.cli("enrol", *whom, "--valid", "12h")
        assert output.returncode == 0, output.stderr
        assert "█" in output.stdout and whom[0] in output.stdout, output.stdout
        codes = self.clinic.calls("code")
        assert len(codes) == before + 1, codes
        scene = codes[-1]["scene"]
        assert len(scene) >= 32 and whom[0] not in scene, scene
        name, key = ("SCAN", scene) if following else ("subscribe", f"qrscene_{scene}")
        self.does(phone, self.wechat.event(phone, name, ("EventKey", key), ("Ticket", "t")), answer)

    def end(self):
        """Nothing but what was expected stands on any phone."""
        self.clinic.drained(self.daemon)
        self.ending.set()
        self.watching.join()
        assert not self.faults, self.faults
        for phone, messages in self.phones.items():
            rest = messages[self.heard[phone]:]
            assert not rest, f"{phone} hears more than it should: {rest}"
        assert self.daemon.stop() == 0


def monday(story):
    """Enrolment; an answer, a "later", a "not yet", readings, words that cannot wait, silence."""
    clinic = "Dr Hao Clinic"
    story.until("23T06:30:00")
    consent = ("可以用微信提醒您用药吗？ May we remind you of your medicines over WeChat?\n"
               "同意请回复“同意”。")
    story.scans("o-wang", f"王秀兰，您好！您已和{clinic}连上了，到时间我们会提醒您用药。\n{consent}",
                "wang-xiulan")
    agreed = f"谢谢，已记下您的同意。到时间{clinic}会提醒您；不想再收到时，回复“停止”就可以。"
    story.says("o-wang", "同意", agreed)
    story.scans("o-lei", f"您好，{clinic}已把您登记为王秀兰的家人。\n{consent}",
                "wang-xiulan", "--caregiver", "lei")
    story.says("o-lei", "同意", agreed)
    story.scans("o-chen", f"您好，{clinic}已把您登记为陈乐乐的家人。\n{consent}",
                "chen-lele", "--caregiver", "mother")
    story.says("o-chen", " 同意。", agreed)
    story.scans("o-emma", f"Hello Emma Miller! You are connected with {clinic} now. We will remind "
                "you when it is time for your medicines.\n"
                "可以用微信提醒您用药吗？ May we remind you of your medicines over WeChat?\n"
                "If you agree, reply AGREE.", "emma-miller")
    # The time of her medicines comes, and nothing medical is sent to her before she agrees.
    story.hears("o-wang", "DOSE 王秀兰 华法林 1片")
    story.says("o-wang", "１", "好的，记下了：08:00 华法林，已服用。")
    story.says("o-emma", "agree", f"Thank you, your consent is noted. {clinic} will remind you when it "
               "is time; to end it, reply STOP at any time.")
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1, Statin 1")
    before = story.clinic.now()
    later, = story.says("o-emma", "later", "All right, we will remind you again at …")[:1]
    # Half an hour after it was said, which has whole seconds; shown to the minute.
    earliest, latest = (local_minute(at + 30 * 60)[-5:] for at in (before - 1, story.clinic.now()))
    assert earliest <= later <= latest, f"{later} is not within {earliest} and {latest}"
    story.hears("o-chen", "DOSE 陈乐乐 头孢克洛 5 ml")
    story.says("o-chen", "没吃", "好的，记下了：08:30 头孢克洛，还没有服。\n"
               "头孢克洛：想起来就补服，不要加倍…")
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1, Statin 1")
    story.says("o-emma", "took both 👍",
               "Thank you. Noted as taken: 08:00 Aspirin and Statin.")
    story.hears("o-chen", "DOSE 陈乐乐 头孢克洛 5 ml")
    story.says("o-chen", "喂了", "好的，记下了：08:30 头孢克洛，已服用。")
    story.hears("o-wang", "ASK 王秀兰 今天血压？")
    story.says("o-wang", "9999", "没看明白您的回答，麻烦再回复一次。今天血压？…")
    story.says("o-wang", "高压170低压95", "好的，记下了：今天血压？ 170/95。医生已收到提醒…")
    story.hears("o-hao", "ALERT 王秀兰 今天血压？ 170/95")
    story.hears("o-chen", "ASK 陈乐乐 乐乐体温？")
    story.says("o-chen", "39.2度", "好的，记下了：乐乐体温？ 39.2。医生已收到提醒…")
    story.hears("o-hao", "ALERT 陈乐乐 乐乐体温？ 39.2")
    story.until("23T19:59:00")
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1")
    story.says("o-emma", "I have chest pain", "This may be urgent. Call 120 now…")
    story.hears("o-hao", "ALERT Emma Miller 急！I have chest pain")
    # Nudged twice, and then nobody has answered.
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1")
    story.hears("o-chen", "DOSE 陈乐乐 头孢克洛 5 ml")
    story.says("o-chen", "3", "好的，记下了：20:30 头孢克洛，这次不服。…")
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1")
    # Its time is over six hours after it began.
    story.until("24T02:15:00")


def tuesday(story):
    """A critical dose is missed and told of, and set right; somebody stops and starts again."""
    story.until("24T07:59:00")
    story.hears("o-wang", "DOSE 王秀兰 华法林 1片")
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1, Statin 1")
    story.says("o-emma", "yes, took them all",
               "Thank you. Noted as taken: 08:00 Aspirin and Statin.")
    story.says("o-emma", "STOP", "All right, Dr Hao Clinic will send you no more messages…")
    story.hears("o-hao", "ALERT Emma Miller 不想再收到消息")
    story.hears("o-wang", *["DOSE 王秀兰 华法林 1片"] * 3)
    story.hears("o-chen", "DOSE 陈乐乐 头孢克洛 5 ml")
    story.says("o-chen", "1", "好的，记下了：08:30 头孢克洛，已服用。")
    story.hears("o-wang", "ASK 王秀兰 今天血压？")
    story.hears("o-hao", "ALERT 王秀兰 08:00 华法林 未回复")
    story.hears("o-lei", "ALERT 王秀兰 08:00 华法林 未回复")
    # The son is told, and does not answer in her place.
    story.says("o-lei", "她吃了", "收到，已转给医生…")
    story.hears("o-chen", "ASK 陈乐乐 乐乐体温？")
    story.says("o-chen", "三十六度八", "好的，记下了：乐乐体温？ 36.8。谢谢您！")
    story.hears("o-wang", "ASK 王秀兰 今天血压？")
    story.says("o-wang", "早上的药八点吃了", "好的，记下了：08:00 华法林，08:00 服用。")
    story.until("24T20:20:00")
    story.says("o-emma", "START", "All right, Dr Hao Clinic will remind you when it is time…")
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1")
    story.says("o-emma", "done", "Thank you. Noted as taken: 20:00 Aspirin.")
    story.hears("o-chen", "DOSE 陈乐乐 头孢克洛 5 ml")
    story.says("o-chen", "都吃了", "好的，记下了：20:30 头孢克洛，已服用。")


def wednesday(story):
    """Somebody goes and comes back."""
    story.until("25T07:00:00")
    gone = story.wechat.event("o-emma", "unsubscribe", ("EventKey", ""))
    story.clinic.order(gone=["o-emma"])
    story.does("o-emma", gone, None)
    story.hears("o-hao", "ALERT Emma Miller 微信联系不上")
    story.hears("o-wang", "DOSE 王秀兰 华法林 1片")
    story.says("o-wang", "吃过了", "好的，记下了：08:00 华法林，已服用。")
    story.hears("o-chen", "DOSE 陈乐乐 头孢克洛 5 ml")
    story.says("o-chen", "💊", "好的，记下了：08:30 头孢克洛，已服用。")
    story.hears("o-wang", "ASK 王秀兰 今天血压？")
    story.says("o-wang", "130／85", "好的，记下了：今天血压？ 130/85。谢谢您！")
    # Bound by a scan: whoever comes back scans again. The consent that was given stands.
    story.clinic.order(gone=[])
    story.scans("o-emma", "Hello Emma Miller! You are connected with Dr Hao Clinic now. We will remind "
                "you when it is time for your medicines.", "emma-miller")
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1, Statin 1")
    story.says("o-emma", "1", "Thank you. Noted as taken: 08:00 Aspirin and Statin.")
    story.hears("o-chen", "ASK 陈乐乐 乐乐体温？")
    story.says("o-chen", "37", "好的，记下了：乐乐体温？ 37。谢谢您！")
    story.until("25T19:59:00")
    story.hears("o-emma", "DOSE Emma Miller Aspirin 1")
    story.says("o-emma", "I took it at 8pm", "Thank you. Noted as taken at 20:00: 20:00 Aspirin.")
    story.hears("o-chen", "DOSE 陈乐乐 头孢克洛 5 ml")
    story.says("o-chen", "1", "好的，记下了：20:30 头孢克洛，已服用。")
    story.until("25T23:00:00")


# How each dose ended in the journal: every version of it, by day.
CLOSED = {
    23: ["chen-lele 23T08:30 头孢克洛 taken by mother",
         "chen-lele 23T20:30 头孢克洛 skipped by mother",
         "emma-miller 23T08:00 Statin taken by patient",
         "emma-miller 23T08:00 Aspirin taken by patient",
         "emma-miller 23T20:00 Aspirin missed",
         "wang-xiulan 23T08:00 华法林 taken by patient"],
    24: ["chen-lele 24T08:30 头孢克洛 taken by mother",
         "chen-lele 24T20:30 头孢克洛 taken by mother",
         "emma-miller 24T08:00 Statin taken by patient",
         "emma-miller 24T08:00 Aspirin taken by patient",
         "emma-miller 24T20:00 Aspirin taken by patient",
         "wang-xiulan 24T08:00 华法林 missed",
         "wang-xiulan 24T08:00 华法林 taken by patient"],
    25: ["chen-lele 25T08:30 头孢克洛 taken by mother",
         "chen-lele 25T20:30 头孢克洛 taken by mother",
         "emma-miller 25T08:00 Statin taken by patient",
         "emma-miller 25T08:00 Aspirin taken by patient",
         "emma-miller 25T20:00 Aspirin taken by patient",
         "wang-xiulan 25T08:00 华法林 taken by patient"],
}

# All else that was said, in the journal's words, by day.
SAID = {
    23: ["chen-lele check_in_answered 39.2 True",
         "chen-lele consent_given by mother",
         "chen-lele consented",
         "chen-lele enrolled",
         "chen-lele said_not_taken",
         "emma-miller consent_given by patient",
         "emma-miller consented",
         "emma-miller enrolled",
         "emma-miller snoozed",
         "emma-miller wrote I have chest pain",
         'wang-xiulan check_in_answered {"lower": 95, "upper": 170} True',
         "wang-xiulan consent_given by lei",
         "wang-xiulan consent_given by patient",
         "wang-xiulan consented",
         "wang-xiulan enrolled"],
    24: ["chen-lele check_in_answered 36.8 False",
         "emma-miller started",
         "emma-miller stopped",
         "wang-xiulan wrote 她吃了"],
    25: ["chen-lele check_in_answered 37.0 False",
         "emma-miller enrolled",
         "emma-miller unfollowed",
         'wang-xiulan check_in_answered {"lower": 85, "upper": 130} False'],
}


def person(by):
    return by if isinstance(by, str) else by["caregiver"]


def journal_of(story):
    """(doses that were closed, what was said) by day, from `dosed history --journal`."""
    output = story.clinic.cli("history", "--journal", "--json", "--from", "2026-03-20")
    assert output.returncode == 0, output.stderr
    lines = [json.loads(line) for line in output.stdout.splitlines()]
    closed, said, ends = {}, {}, set()
    accepted, delivered = Counter(), Counter()
    for line in lines:
        day, patient, entry = int(line["at"][8:10]), line["patient"], line["entry"]
        if entry == "dose_closed":
            answer = line.get("answer") or {}
            # Where the answer was faster than the outcome of the reminder, the entry is there again
            # with that outcome: one end all the same.
            end = patient, line["due"], line["id"], line["state"], answer.get("said_at")
            if end in ends:
                continue
            ends.add(end)
            by = f" by {person(answer['by'])}" if "by" in answer else ""
            due = line["due"]
            closed.setdefault(int(due[8:10]), []).append(
                f"{patient} {due[8:16]} {line['id']} {line['state']}{by}")
        elif entry == "accepted":
            accepted[line["message"]] += 1
        elif entry == "delivered":
            delivered[line["message"]] += 1
        elif entry == "check_in_answered":
            value = json.dumps(line["value"], sort_keys=True)
            said.setdefault(day, []).append(f"{patient} {entry} {value} {line['alert']}")
        elif entry == "wrote":
            said.setdefault(day, []).append(f"{patient} {entry} {line['text']}")
        elif entry == "consent_given":
            said.setdefault(day, []).append(f"{patient} {entry} by {person(line['by'])}")
        elif entry == "reach_changed":
            said.setdefault(day, []).append(f"{patient} {line['why']}")
        elif entry in ("snoozed", "said_not_taken"):
            said.setdefault(day, []).append(f"{patient} {entry}")
    for table in (closed, said):
        for day in table.values():
            day.sort()
    return closed, said, accepted, delivered, output.stdout


@scenario(needs=("python3:cryptography",), alone=True, seconds=240, seconds_long=900)
def days_of_talk_at_600_times_the_speed_go_as_they_should_and_are_kept(stage):
    story = Story(stage, "2026-03-23T06:20:00")
    days = [monday, tuesday, wednesday] if stage.long else [monday]
    for day in days:
        day(story)
    story.end()
    closed, said, accepted, delivered, text = journal_of(story)
    numbers = [23, 24, 25][:len(days)]
    assert closed == {day: sorted(CLOSED[day]) for day in numbers}, f"{closed}\n{text}"
    assert said == {day: sorted(SAID[day]) for day in numbers}, f"{said}\n{text}"
    # Each card that arrived was accepted once and reported once, and no other was.
    assert set(accepted.values()) == {1} and accepted == delivered == story.reported, (
        f"{accepted - story.reported} {story.reported - delivered}\n{text}")
    calls = story.clinic.cli("calls", "--json").stdout
    stage.figure(f"{len(days)} days of 3 patients, 2 caregivers and a doctor: "
                 f"{sum(map(len, story.phones.values()))} messages on 5 phones, "
                 f"{sum(len(day) for day in closed.values())} ends of doses, "
                 f"{len(calls.splitlines())} on the call list")
