"""Hours of downtime: no flood on return, and every dose in one state."""

from collections import Counter, defaultdict

from clinic import shown, wait_for
from judge import judge
from scenario import scenario

DAY = "2026-03-24"


def hour(text):
    return shown(f"{DAY}T{text}:00")


# Down from before eight until one. Medications: name, times, window in minutes.
USUAL = [("甲药", ["08:00", "12:00"], 110), ("乙药", ["12:30"], 60), ("丙药", ["09:00"], 60)]
OFTEN = [("胰岛素", [f"{at:02}:30" for at in range(8, 13)], 25)]
# Names that no template can hold together: one message a medication, not one a dose.
LONG = [(f"{name}很长的药品名称", ["12:42", "12:55"], 13) for name in ("甲号", "乙号", "丙号")]


@scenario(seconds=180)
def five_hours_of_downtime_end_without_a_flood(stage):
    clinic = stage.clinic(hour("07:50"))
    split = set()
    for number in range(500):
        patient = f"p{number:04}"
        medications = USUAL[:1 + number % 3]
        if number % 10 == 8:
            medications = OFTEN
        if number % 10 == 9:
            medications = LONG
            split.add(patient)
        clinic.plan(patient, [
            (name, "at = [" + ", ".join(f'"{at}"' for at in times) + f']\nwindow = "{window} min"')
            for name, times, window in medications])
        for name, times, window in medications:
            for at in times:
                clinic.expect(patient, name, hour(at), window * 60)
    daemon = clinic.start()
    assert daemon.stop() == 0
    clinic.set_clock(hour("13:00"))
    daemon = clinic.start()
    back = clinic.now()
    due_now = {patient for (patient, _, due), end in clinic.expected.items() if due < back < end}
    wait_for("all whose windows are open are told",
             lambda: len({call["openid"] for call in clinic.calls() if call["new"]}) >= len(due_now),
             60, 0.1)
    clinic.drained(daemon)
    assert daemon.stop() == 0
    history = clinic.history("--until", f"{DAY}T23:00:00+08:00")
    judgement = judge(clinic, history, ended=hour("13:00"))
    told = Counter(call["openid"][2:] for call in clinic.calls() if call["new"])
    assert set(told) == due_now, "others than those whose window is open were told"
    for patient, count in told.items():
        assert count <= (3 if patient in split else 1), f"{patient} got {count} messages on return"
    assert any(told[patient] > 1 for patient in split)
    reasons = defaultdict(int)
    for line in history:
        reasons[line["state"], line["reason"]] += 1
        if line["state"] == "expired":
            assert line["reason"] == "daemon_down", line
    stage.figure(f"{judgement}; at most {max(told[p] for p in told if p not in split)} message a "
                 f"patient, {max(told[p] for p in split)} where the template cannot hold three "
                 "medications together")
