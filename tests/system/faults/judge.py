"""Judges a run by G1, G2, G3 and G9, from the API's log and from `dosed history` beside it.

What the scenario expects (each dose with its window) was computed by the scenario, what reached
whom was written down by the stand-in; the daemon's history must agree with both."""

from collections import Counter, defaultdict

from clinic import SHANGHAI, local_minute, seconds_of

CLOSED = {"taken", "skipped", "missed", "expired", "cancelled"}
REASONS = {"daemon_down", "api_down", "throttled", "not_enrolled", "unreachable",
           "consent_withdrawn", "held", "rejected", "clock"}
RESEND_SECONDS = 8 * 60


class Judgement:
    def __init__(self):
        self.faults = []
        self.states = Counter()
        self.delivered = 0
        self.tries = 0
        self.in_doubt = 0

    def fault(self, text):
        self.faults.append(text)

    def __str__(self):
        states = ", ".join(f"{count} {state}" for state, count in sorted(self.states.items()))
        return (f"{sum(self.states.values())} doses ({states}); {self.tries} tries, "
                f"{self.delivered} delivered, {self.in_doubt} in doubt")


def judge(clinic, history=None, ended=None, slack=1.0, early=0.05, zone_of=lambda patient: SHANGHAI,
          timely=True):
    """Raises AssertionError with all that is wrong; gives the counts.

    `ended`: the shown instant by which each dose whose window is over must be closed. `slack` and
    `early`: how many seconds after its deadline and before its instant a try may be seen, for
    what passes between two processes. `timely=False`: the clocks of both were set apart."""
    history = clinic.history() if history is None else history
    calls = clinic.calls()
    judgement = Judgement()
    fault = judgement.fault

    # G1: each dose that there must be, in exactly one state, and no other.
    lines = defaultdict(list)
    for line in history:
        lines[line["patient"], line["id"], round(seconds_of(line["due"]))].append(line)
    for dose in clinic.expected:
        if dose not in lines:
            fault(f"G1: {dose} is lost")
    for dose, found in lines.items():
        if dose not in clinic.expected:
            fault(f"G1: {dose} is a dose that there is not: {found}")
        if len(found) > 1:
            fault(f"G1: {dose} is in {len(found)} states")
        state, reason = found[0]["state"], found[0]["reason"]
        judgement.states[f"{state} ({reason})" if reason else state] += 1
        judgement.in_doubt += found[0]["in_doubt"]
        if state == "expired" and reason not in REASONS:
            fault(f"G1: {dose} expired without a known reason: {reason}")
        over = ended is not None and clinic.expected.get(dose, ended) < ended
        if over and state not in CLOSED:
            fault(f"G1: {dose} is {state}, and its window is over")

    # G3: no message twice, by its key and by what the patient reads.
    by_key, by_text = Counter(), Counter()
    deliveries = defaultdict(list)  # key -> calls
    tries = defaultdict(list)
    for call in calls:
        tries[call["openid"], call["id"]].append(call)
        if call["new"]:
            by_key[call["openid"], call["id"]] += 1
            by_text[call["openid"], *sorted((call["data"] or {}).items())] += 1
            deliveries[call["openid"], call["id"]].append(call)
    judgement.tries, judgement.delivered = len(calls), sum(by_key.values())
    for (openid, key), count in by_key.items():
        if count > 1:
            fault(f"G3: {openid} got {key} {count} times")
    # Two doses of one medication may read the same where a local time comes twice.
    same_minute = Counter((f"o-{patient}", medication, local_minute(due, zone_of(patient)))
                          for patient, medication, due in clinic.expected)
    may_read = defaultdict(int)
    for (openid, _, minute), count in same_minute.items():
        may_read[openid, minute] = max(count, may_read[openid, minute])
    for text, count in by_text.items():
        minute = dict(text[1:]).get("time3")
        if count > max(1, may_read[text[0], minute]):
            fault(f"G3: {text} was delivered {count} times")
    for (openid, key), found in tries.items():
        unknown = [call for call in found if uncertain(call)]
        if unknown and found[-1]["shown"] - unknown[0]["shown"] > RESEND_SECONDS + slack:
            age = found[-1]["shown"] - unknown[0]["shown"]
            fault(f"G3: {openid}'s {key} was tried again {age:.0f} s after an unknown outcome")

    # Which message told of which dose, by the daemon's own account.
    doses_of = defaultdict(list)
    for (patient, medication, due), found in lines.items():
        for key in found[0]["messages"]:
            doses_of[f"o-{patient}", key].append((patient, medication, due))
    for message in by_key:
        if message not in doses_of:
            fault(f"G1: {message} was delivered and is in no dose's history")
    for dose, found in lines.items():
        openid = f"o-{dose[0]}"
        told = sum(by_key[openid, key] for key in found[0]["messages"])
        line = found[0]
        if told > 1:
            fault(f"G3: {dose} was told of {told} times")
        if line["reminded"] and told == 0:
            fault(f"G1: {dose} counts as reminded and no message was delivered: {line}")
        if told and not line["reminded"] and not line["in_doubt"]:
            fault(f"G1: {dose} was told of and counts as not reminded: {line}")
        if line["state"] in ("missed", "taken") and not (line["reminded"] or line["in_doubt"]):
            fault(f"G1: {dose} is {line['state']} and nobody was told: {line}")

    # G2: nothing before its instant, nothing after its window.
    for message, doses in doses_of.items():
        known = [dose for dose in doses if dose in clinic.expected]
        if not known or not timely:
            continue
        first = min(due for _, _, due in known)
        last = min(clinic.expected[dose] for dose in known)
        for call in tries[message]:
            if call["shown"] < first - early:
                fault(f"G2: {message} came {first - call['shown']:.3f} s early")
            if call["shown"] > last + slack:
                fault(f"G2: {message} came {call['shown'] - last:.3f} s after its window")
        # The text says the scheduled time, the earliest of several.
        for call in deliveries[message]:
            text = local_minute(first, zone_of(known[0][0]))
            if call["data"] and call["data"].get("time3") not in (text, None):
                fault(f"G2: {message} says {call['data']['time3']} and is due {text}")

    # G9: one reminder per patient and instant.
    at_instant = Counter()
    for (openid, key), doses in doses_of.items():
        if by_key[openid, key]:
            at_instant[openid, min(due for _, _, due in doses)] += 1
    judgement.most_at_instant = max(at_instant.values(), default=0)

    assert not judgement.faults, (
        f"{len(judgement.faults)} faults ({judgement}):\n" + "\n".join(judgement.faults[:20]))
    return judgement


def uncertain(call):
    """Whether the daemon cannot know from the answer if the message was taken."""
    return call["answer"] not in (0, 45009, 45011, 40001, 42001, 43004, 40003, 43117, 47003)
