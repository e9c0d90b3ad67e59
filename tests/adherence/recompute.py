"""Computes the figures of `dosed report` again, from `dosed export journal` alone.

    python3 tests/adherence/recompute.py EXPORT REPORT

EXPORT is what `dosed export journal` wrote, REPORT what `dosed report --format json` wrote. It
follows docs/adherence.md and shares no code with dosed. Prints each figure that differs and ends
with 1, or a line with what was compared and 0.
"""

import json
import sys
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

REASONS = [
    "daemon_down", "api_down", "throttled", "not_enrolled", "unreachable",
    "consent_withdrawn", "held", "rejected", "clock",
]


def instant(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Patient:
    def __init__(self, line):
        self.zone = ZoneInfo(line["timezone"])
        self.trips = [
            (date.fromisoformat(it["from"]), date.fromisoformat(it["until"]), it["timezone"])
            for it in line["away"]
        ]
        self.open = []
        self.entries = []

    def moment(self, text):
        """An end of the report's range: an instant, or a local time where the patient is."""
        found = instant(text)
        if found.tzinfo:
            return found
        zone = self.zone
        for start, end, name in self.trips:
            if start <= found.date() <= end:
                zone = ZoneInfo(name)
            # On the day of the return there are hours that no clock shows.
            assert found.date() != end + timedelta(1), text
        return found.replace(tzinfo=zone)

    def doses(self):
        """(medication, due) to what became of it, and the due as it is written."""
        fates, said_not, written = {}, set(), {}

        def note(medication, due, fate):
            key = (medication, instant(due))
            fates[key] = fate
            written[key] = due

        for line in self.open:
            note(line["id"], line["due"], ("open",))
        for line in sorted(self.entries, key=lambda it: it["row"]):
            kind = line["entry"]
            if kind == "dose_closed":
                note(line["id"], line["due"], closed(line))
            elif kind == "doses_expired":
                for due in line["due"]:
                    note(line["id"], due, ("not_sent", line["reason"]))
            elif kind == "dose_reopened":
                for about in line["about"]:
                    note(about["id"], about["due"], ("open",))
            elif kind == "said_not_taken":
                for about in line["about"]:
                    key = (about["id"], instant(about["due"]))
                    said_not.add(key)
                    if key not in fates:
                        note(about["id"], about["due"], ("open",))
        for key in said_not:
            if fates[key] == ("no_answer",):
                fates[key] = ("said_not_taken",)
        return fates, written

    def day(self, due, written):
        """The local date, from the written offset; at home checked against the zone's rules."""
        day = date.fromisoformat(written[:10])
        near_trip = any(
            start - timedelta(2) <= day <= end + timedelta(2) for start, end, _ in self.trips
        )
        if not near_trip:
            assert due.astimezone(self.zone).date() == day, (written, self.zone)
        return day


def closed(line):
    state = line["state"]
    if state == "taken":
        answer = line["answer"]
        taken = instant(answer["taken_at"] or answer["said_at"])
        due = instant(line["due"])
        tolerance = instant(line["on_time_until"]) - due
        return ("taken", abs(taken - due) <= tolerance)
    if state == "missed":
        return ("said_not_taken",) if line["answer"] else ("no_answer",)
    if state == "expired":
        return ("not_sent", line["reason"])
    return (state,)


def share(numerator, denominator):
    percent = None
    if denominator:
        exact = Decimal(numerator * 100) / Decimal(denominator)
        percent = float(exact.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP))
    return {"numerator": numerator, "denominator": denominator, "percent": percent}


def figures(doses):
    """The figures of doses: a list of (fate, day)."""
    kinds = Counter(fate[0] for fate, _ in doses)
    known = sum(kinds[it] for it in ("taken", "skipped", "said_not_taken", "no_answer"))
    days = defaultdict(list)
    for fate, day in doses:
        if fate[0] != "cancelled":
            days[day].append(fate[0])
    judged = [it for it in days.values() if "open" not in it and "not_sent" not in it]
    correct = sum(all(fate == "taken" for fate in it) for it in judged)
    reasons = Counter(fate[1] for fate, _ in doses if fate[0] == "not_sent")
    return {
        "taken": share(kinds["taken"], known),
        "on_time": share(sum(fate == ("taken", True) for fate, _ in doses), known),
        "correct_days": share(correct, len(judged)),
        "no_answer": kinds["no_answer"],
        "said_not_taken": kinds["said_not_taken"],
        "skipped": kinds["skipped"],
        "not_sent": kinds["not_sent"],
        "not_sent_by_reason": {it: reasons[it] for it in REASONS if reasons[it]},
        "cancelled": kinds["cancelled"],
        "open": kinds["open"],
        "days_not_judged": len(days) - len(judged),
    }


def read(path):
    patients = {}
    with open(path, encoding="utf-8") as export:
        for text in export:
            line = json.loads(text)
            if line["entry"] == "patient":
                patients[line["patient"]] = Patient(line)
            elif line["entry"] == "dose_open":
                patients[line["patient"]].open.append(line)
            else:
                patients[line["patient"]].entries.append(line)
    return patients


def main():
    patients = read(sys.argv[1])
    with open(sys.argv[2], encoding="utf-8") as report:
        report = json.load(report)
    expected = {}
    for name, patient in patients.items():
        begin, end = patient.moment(report["from"]), patient.moment(report["until"])
        fates, written = patient.doses()
        doses = [
            (medication, fate, patient.day(due, written[medication, due]))
            for (medication, due), fate in fates.items()
            if begin <= due < end
        ]
        for medication in {it[0] for it in doses}:
            of_one = [(fate, day) for it, fate, day in doses if it == medication]
            expected[name, medication] = figures(of_one)
        if doses:
            expected[name, None] = figures([(fate, day) for _, fate, day in doses])
    wrong, compared = 0, 0
    reported = {}
    for line in report["lines"]:
        key = (line.pop("patient"), line.pop("medication"))
        # Pauses stand in the plan, not in the journal.
        paused = line.pop("paused")
        if key in expected or not paused:
            reported[key] = line
    for key in sorted(expected.keys() | reported.keys(), key=str):
        compared += 1
        if expected.get(key) != reported.get(key):
            wrong += 1
            print(f"{key}:\n  journal: {expected.get(key)}\n  report:  {reported.get(key)}")
    print(f"{compared} lines compared, {wrong} differ; {sum(it['taken']['denominator'] for it in expected.values())} doses")
    return 1 if wrong or not compared else 0


if __name__ == "__main__":
    sys.exit(main())
