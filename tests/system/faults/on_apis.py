"""The API fails for everybody, then takes little: order, deadlines, doubt, and who is told."""

import time
from collections import Counter

from clinic import shown, wait_for
from judge import judge
from scenario import scenario

START = shown("2026-03-24T08:00:00")
OUTAGE = 120
LIMIT = 20


def urgency(patient):
    """Class and window in minutes, by the first letter of a patient's id: critical, soon, and three
    groups of others."""
    return {"c": (0, 60), "s": (1, 1), "a": (1, 90), "b": (1, 120), "d": (1, 180)}[patient[0]]


def inversions(order):
    """How many were delivered before one that is more urgent."""
    behind = Counter(urgency(patient) for patient in order)
    overtaking = 0
    for patient in order:
        key = urgency(patient)
        behind[key] -= 1
        overtaking += any(count and other < key for other, count in behind.items())
    return overtaking


@scenario(seconds=300)
def an_outage_then_a_limit_keep_order_deadlines_and_doubt_apart(stage):
    speed = 2 if stage.long else 8
    clinic = stage.clinic(START - 3600)
    groups = {"c": 200, "s": 40, "a": 1000, "b": 1000, "d": 760}
    for kind, count in groups.items():
        _, window = urgency(kind)
        critical = "critical = true\n" if kind == "c" else ""
        for number in range(count):
            patient = f"{kind}{number:04}"
            clinic.plan(patient, [("二甲双胍", f'{critical}at = "08:00"\nwindow = "{window} min"')])
            clinic.expect(patient, "二甲双胍", START, window * 60)
    clinic.start(seconds=90).stop()
    # So many plans take some seconds to be read.
    clinic.set_clock(START - 20 * speed, speed)
    clinic.order(limit=LIMIT, daily_limit=100_000, faults=[
        {"from": START - 60, "until": START + OUTAGE, "errcode": -1}])
    daemon = clinic.start(seconds=90)
    first_failure, told, said = None, None, set()

    def look():
        nonlocal first_failure, told
        if first_failure is None:
            first_failure = min((call["shown"] for call in clinic.calls()), default=None)
        health = daemon.health()
        check = health["checks"]["messaging:send"][0]
        if health["status"] != "pass" and check["status"] == "warn" and first_failure:
            told = told or clinic.now() - first_failure
            said.add(check.get("output"))
        return daemon.metric("dosed_outbox_depth") == 0 and clinic.now() > START + OUTAGE
    wait_for("everything is settled", look, 280, 0.2)
    took = clinic.now() - START - OUTAGE
    clinic.wait_until(START + OUTAGE + 2)
    assert daemon.stop() == 0
    history = clinic.history("--until", "2026-03-25")
    judgement = judge(clinic, history, slack=2 * speed)
    stage.figure(str(judgement))
    assert told is not None and told <= 60, f"health told of it after {told} s"
    stage.figure(f"health told of the outage after {told:.0f} s: {sorted(map(str, said))}")

    calls = clinic.calls()
    tried = {call["openid"][2:] for call in calls if call["answer"] == -1}
    in_doubt = {line["patient"] for line in history if line["in_doubt"]}
    assert in_doubt <= tried, f"in doubt without a try in the outage: {in_doubt - tried}"
    for line in history:
        if line["patient"][0] == "s":
            # Its window has passed in the outage.
            assert line["state"] in ("expired", "missed") or line["in_doubt"], line
            assert line["state"] != "expired" or line["reason"] == "api_down", line
        else:
            assert line["reminded"], f"not told of although there was time: {line}"
    order = [call["openid"][2:] for call in calls if call["new"]]
    fresh = [patient for patient in order if patient not in tried]
    last_critical = max(index for index, patient in enumerate(order) if patient[0] == "c")
    last_fresh_critical = max((index for index, patient in enumerate(fresh) if patient[0] == "c"),
                              default=-1)
    refused = sum(call["answer"] == 45009 for call in calls)
    stage.figure(f"{len(tried)} tried in the outage, {len(in_doubt)} in doubt; {refused} refused by "
                 f"the limit; all settled {took:.0f} s after it ({len(order) / took:.1f}/s of "
                 f"{LIMIT})")
    stage.figure(f"last critical is delivery {last_critical + 1} of {len(order)}, last critical not "
                 f"tried in the outage is {last_fresh_critical + 1} of {len(fresh)} such; "
                 f"{inversions(fresh)} of {len(fresh)} came before a more urgent one")
    criticals = sum(patient[0] == "c" for patient in fresh)
    # Sends overlap, and a group that was claimed leaves as it was claimed.
    assert last_fresh_critical < criticals + 64, "critical ones did not come first"
    assert last_critical < 200 + 600, "critical ones that were tried came after the others"
    assert refused > 0 or len(order) / took < LIMIT
    # Of a minute after the outage on the limit is used, until nearly all have left.
    began = min(call["shown"] for call in calls if call["answer"] == 45009)
    fresh_at = [call["shown"] for call in calls if call["new"]]
    end = sorted(fresh_at)[-100]
    within = sum(began + 60 <= at < end for at in fresh_at)
    used = within / (end - began - 60)
    stage.figure(f"{used:.1f}/s of {LIMIT} from a minute after the limit began")
    # At eight times the speed the machine's own pauses are longer than the API's seconds.
    if stage.long:
        assert used >= 0.8 * LIMIT, f"{used:.1f}/s of {LIMIT} were used"


@scenario(seconds=120)
def a_day_quota_that_is_used_up_holds_and_is_found_again(stage):
    """45009 with nothing left: the quota is asked, sending waits, and goes on after its renewal."""
    speed = 30
    clinic = stage.clinic(START - 600)
    for number in range(100):
        clinic.plan(f"a{number:04}", [("二甲双胍", 'at = "08:00"\nwindow = "120 min"')])
        clinic.expect(f"a{number:04}", "二甲双胍", START, 7200)
    clinic.order(daily_limit=40)
    # A plan that is first read after its dose's instant has it tomorrow.
    clinic.start().stop()
    clinic.set_clock(START - 2 * speed, speed)
    daemon = clinic.start()
    wait_for("the quota is used up", lambda: clinic.order()["delivered"] >= 40, 60)
    wait_for("health tells of it",
             lambda: daemon.check("messaging:send").get("status") == "warn"
             and daemon.check("messaging:quota").get("observedValue") == 1.0, 60, 0.2)
    at_rest = clinic.order()["tries"]
    time.sleep(3)
    spent = clinic.order()["tries"] - at_rest
    assert spent <= 3, f"{spent} tries within a minute and a half of a used-up quota"
    clinic.order(daily_limit=1000)
    wait_for("all are told", lambda: clinic.order()["delivered"] >= 100, 100)
    clinic.drained(daemon)
    assert daemon.stop() == 0
    assert len(clinic.calls("quota")) > 0
    stage.figure(f"{judge(clinic, clinic.history('--until', '2026-03-25'), slack=speed)}; "
                 f"{len(clinic.calls('quota'))} questions for the quota")
