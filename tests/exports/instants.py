"""Compares `dosed export ical` with `dosed preview`, as a reader of calendars understands it.

    python tests/exports/instants.py DOSED DIRECTORY

A clinic with a plan for each pattern of docs/plans.md in several zones is made in DIRECTORY and
applied by the daemon. Each patient's calendar, read by `icalendar` and `recurring-ical-events`
(PyPI), has to give the instants and names that the preview of the plan's text gives: over days on
which the clocks change, over trips, and with texts that have to be escaped and folded. Prints what
differs and ends with 1, or a line with what was compared and 0.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

import icalendar
import recurring_ical_events

ZONES = [
    "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia",
    "Asia/Kathmandu",
]

# Both changes of the clocks of the year in either hemisphere.
RANGES = [
    ("2027-03-01T00:00:00Z", "2027-04-20T00:00:00Z"),
    ("2027-10-01T00:00:00Z", "2027-11-12T00:00:00Z"),
]

START = "start = 2027-02-22\n"
PATTERNS = {
    "clock": 'take = "1 tablet"\nat = "02:30, 08:00, 20:00"\n',
    "words": 'take = "一片"\nat = "早上，睡前"\n',
    "meals": 'take = "1 tablet"\nat = "30 min before meals"\n',
    "count": 'take = "½ tablet"\nat = "3 times a day"\n',
    "weekdays": 'take = "1 tablet"\nat = "01:30"\ndays = "weekdays"\n',
    "named-days": 'take = "1 tablet"\nat = "waking"\ndays = "mon, thu"\n',
    "every-other": 'take = "1 tablet"\nat = "02:15"\ndays = "every 2 days"\n',
    "third": 'take = "1 tablet"\nat = "08:00"\ndays = "every 3 days"\n',
    "fortnight": 'take = "1 tablet"\nat = "08:00"\ndays = "every 2 weeks on mon, thu"\n',
    "month": 'take = "1 tablet"\nat = "09:00"\ndays = "every month"\n',
    "month-days": 'take = "1 tablet"\nat = "09:00"\ndays = "1st, 15th of the month"\n',
    "last-day": 'take = "1 tablet"\nat = "23:30"\ndays = "last day of the month"\n',
    "cycle": 'take = "1 tablet"\nat = "21:00"\ndays = "21 on, 7 off"\n',
    "by-weekday": 'at = "18:00"\ntake = { "mon, wed, fri" = "5 mg", "tue, thu, sat, sun" = "2.5 mg" }\n',
    "by-time": 'take = { "08:00" = "10 units", "bedtime" = "16 units" }\n',
    "scheme": 'scheme = "1-0-½-0"\nunit = "tablet"\n',
    "steps": 'at = "morning"\nsteps = ["40 mg for 20 days", "20 mg for 2 weeks", "10 mg"]\n',
    "within": 'take = "1 drop"\nevery = "3 hours"\nbetween = "01:00-13:00"\n',
    "pauses": 'take = "1 tablet"\nat = "08:00"\npauses = ["off 2027-03-10, back on 2027-03-15"]\n',
    "doses": 'take = "1 tablet"\nat = "08:00"\ndoses = 30\n',
    "span": 'take = "1 tablet"\nat = "08:00"\nfor = "2 months"\n',
}
# These begin with an instant of their own.
FROM_FIRST = {
    "apart": 'take = "1 g"\nevery = "8 hours"\nfirst = 2027-02-22T06:00:00\n',
    "minutes": 'take = "1 g"\nevery = "90 minutes"\nfirst = 2027-02-22T06:10:00\n',
    "after-last": 'take = "1 g"\nevery = "6 hours after the last dose"\nfirst = 2027-02-22T06:00:00\n',
    "once": 'take = "1 dose"\nonce = 2027-03-14T10:30:00\n',
}
NAMES = [
    "Metformin 500 mg", "二甲双胍缓释片", "A, B; C \\\\ D", "Vitamin: “D”",
    "一种名字很长很长的药品" * 4, "Ünïcödé 药 " * 8,
]
CHECK_IN = (
    '[[check_in]]\nask = "How are you, {n}; well \\\\ not?"\nanswer = "yes or no"\n'
    'at = "02:45"\ndays = "mon, thu"\nstart = 2027-02-22\n'
)
APPOINTMENT = (
    '[[appointment]]\nwhat = "Blood test, room {n}"\nat = 2027-03-09T09:00:00\n'
    'remind = ["1 day before"]\nnote = "Come; without\\nbreakfast."\n'
)
AWAY = (
    '[[away]]\nfrom = 2027-03-20\nuntil = 2027-04-02\ntimezone = "America/Los_Angeles"\n'
)


def medication(number, name, keys, start):
    return f'[[medication]]\nname = "{name}"\nid = "m{number}"\n{start}{keys}'


def plans(dice):
    """Id to text: each pattern in each zone, and plans with several things at once."""
    found = {}
    for z, zone in enumerate(ZONES):
        all_patterns = [(k, v, START) for k, v in PATTERNS.items()]
        all_patterns += [(k, v, "") for k, v in FROM_FIRST.items()]
        for n, (pattern, keys, start) in enumerate(all_patterns):
            text = f'name = "P {n}, {zone}"\ntimezone = "{zone}"\n'
            text += medication(n, NAMES[n % len(NAMES)], keys, start)
            if n % 3 == 0:
                text += CHECK_IN.format(n=n)
            if n % 4 == 0:
                text += APPOINTMENT.format(n=n)
            if n % 5 == 0:
                text += AWAY
            found[f"{pattern}-{z}"] = text
    for number in range(20):
        zone = dice.choice(ZONES)
        text = f'name = "R {number}"\ntimezone = "{zone}"\n'
        drawn = dice.sample(sorted(PATTERNS), 4)
        for place, pattern in enumerate(drawn):
            text += medication(place, f"{NAMES[place]} {place}", PATTERNS[pattern], START)
        found[f"mixed-{number}"] = text
    return found


class Clinic:
    def __init__(self, dosed, directory):
        self.dosed, self.directory = dosed, directory
        self.config = directory / "dosed.toml"
        (directory / "plans.d").mkdir(parents=True)
        self.config.write_text(
            '[clinic]\nname = "C"\ntimezone = "Asia/Shanghai"\nplans = "plans.d"\nwatch = false\n'
            '[store]\npath = "dosed.redb"\n[http]\nprivate = "127.0.0.1:0"\n'
            '[messaging]\nchannel = "console"\n'
        )

    def apply(self, texts):
        for name, text in texts.items():
            (self.directory / "plans.d" / f"{name}.toml").write_text(text)
        ready = self.directory / "ready"
        log = (self.directory / "log").open("w")
        daemon = subprocess.Popen(
            [self.dosed, "run", "--config", self.config, "--ready-file", ready],
            stdout=log, stderr=log,
        )
        try:
            for _ in range(600):
                if ready.exists() or daemon.poll() is not None:
                    break
                time.sleep(0.1)
            assert ready.exists(), (self.directory / "log").read_text()
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait()

    def say(self, *arguments):
        done = subprocess.run(
            [self.dosed, *arguments, "--config", self.config], capture_output=True, text=False
        )
        return done.returncode, done.stdout, done.stderr.decode()


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


def expected(clinic, start, until):
    """Patient to what the preview shows: doses and check-ins, with their names."""
    code, out, error = clinic.say("preview", "--json", "--from", start, "--until", until)
    assert code == 0, error
    shown = {}
    for line in out.decode().splitlines():
        line = json.loads(line)
        if line["kind"] == "appointment":
            continue
        shown.setdefault(line["patient"], Counter())[(instant(line["at"]), line["name"])] += 1
    return shown


def read(text, start, until):
    """What a calendar program would show, and what is wrong with the file."""
    wrong = [f"a line of {len(line)} octets" for line in text.split(b"\r\n") if len(line) > 75]
    if b"\n" in text.replace(b"\r\n", b""):
        wrong.append("a line does not end with CRLF")
    calendar = icalendar.Calendar.from_ical(text)
    wrong += [str(error) for component in calendar.walk() for error in component.errors]
    uids = [str(event["UID"]) for event in calendar.walk("VEVENT")]
    if len(set(uids)) != len(uids):
        wrong.append("two events have one UID")
    # The end is not part of it.
    end = instant(until) - timedelta(microseconds=1)
    events = recurring_ical_events.of(calendar).between(instant(start), end)
    if len(events) != len(uids):
        wrong.append(f"{len(uids)} events, {len(events)} of them in the range")
    shown = Counter()
    for event in events:
        at = event["DTSTART"].dt
        kind = str(event["CATEGORIES"].to_ical().decode())
        shown[(at.astimezone(timezone.utc), kind, str(event["SUMMARY"]))] += 1
    return shown, uids, wrong


def main():
    dosed, directory = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    dice = random.Random(7)
    clinic = Clinic(dosed, directory)
    texts = plans(dice)
    clinic.apply(texts)
    compared = appointments = 0
    differences = []
    for start, until in RANGES:
        preview = expected(clinic, start, until)
        for patient, text in texts.items():
            code, out, error = clinic.say("export", "ical", patient, "--from", start, "--until", until)
            wanted = preview.get(patient, Counter())
            has_appointment = "[[appointment]]" in text and start.startswith("2027-03")
            if not wanted and not has_appointment:
                if code != 1 or out:
                    differences.append(f"{patient}: nothing falls, and it ends with {code}")
                continue
            if code != 0:
                differences.append(f"{patient}: {error}")
                continue
            shown, uids, wrong = read(out, start, until)
            differences += [f"{patient}: {it}" for it in wrong]
            found = Counter()
            for (at, kind, summary), count in shown.items():
                if kind == "appointment":
                    appointments += count
                    if summary not in text:
                        differences.append(f"{patient}: {summary!r} stands in no plan")
                    continue
                # The amount follows the name of a medication.
                names = [name for when, name in wanted if when == at and summary.startswith(name)]
                found[(at, max(names, key=len, default=summary))] += count
            if has_appointment != any(kind == "appointment" for _, kind, _ in shown):
                differences.append(f"{patient}: the appointment")
            if found != wanted:
                missing, more = wanted - found, found - wanted
                differences.append(
                    f"{patient}: {sum(missing.values())} missing {list(missing)[:2]}, "
                    f"{sum(more.values())} too many {list(more)[:2]}"
                )
            # The same events have the same names in each export.
            if patient.startswith("mixed"):
                again = clinic.say("export", "ical", patient, "--from", start, "--until", until)[1]
                if read(again, start, until)[1] != uids:
                    differences.append(f"{patient}: other UIDs the second time")
            compared += sum(wanted.values())
    for difference in differences[:50]:
        print(difference)
    print(
        f"{len(texts)} plans, {compared} doses and questions, {appointments} appointments compared: "
        f"{len(differences)} differ"
    )
    enough = compared > 20_000 and appointments > 20 and len(preview) > len(texts) // 2
    if not enough:
        print("that is too little to say anything")
    return 0 if enough and not differences else 1


sys.exit(main())
