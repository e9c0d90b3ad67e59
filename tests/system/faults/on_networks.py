"""Lost packets, resets and black holes on the way to the API, in a network of the scenario's own."""

import time

import machine
from clinic import shown, wait_for
from judge import judge
from scenario import scenario

START = shown("2026-03-24T08:00:00")


def rule(port, direction, *target):
    """A rule for packets to (`--dport`) or from (`--sport`) the API."""
    machine.run(machine.find("iptables"), "-A", "INPUT", "-p", "tcp", direction, str(port), *target)


def lift():
    machine.run(machine.find("iptables"), "-F", "INPUT")


def crowd(clinic, patients, window_minutes):
    for number in range(patients):
        patient = f"p{number:04}"
        clinic.plan(patient, [("二甲双胍", f'at = "08:00"\nwindow = "{window_minutes} min"')])
        clinic.expect(patient, "二甲双胍", START, window_minutes * 60)


def outcomes(daemon):
    return {name: int(daemon.metric("dosed_send_attempts_total", outcome=name))
            for name in ("accepted", "unknown", "retry_soon")}


def told_and_settled(stage, clinic, daemon, seconds=150):
    wait_for("everything is settled", lambda: daemon.metric("dosed_outbox_depth") == 0, seconds, 0.2)
    counted = outcomes(daemon)
    assert daemon.stop() == 0
    history = clinic.history("--until", "2026-03-25")
    judgement = judge(clinic, history, slack=4)
    stage.figure(f"{judgement}; tries by outcome {counted}")
    return history, counted


@scenario(root=True, needs=("iptables",))
def a_third_of_packets_lost_is_ridden_out(stage):
    # So short a limit that a lost first packet of a connection is a failed try.
    clinic = stage.clinic(START - 600, timeout="1 s")
    crowd(clinic, 200, 30)
    # It brings the token: how often in a row that is not reached would be chance, and long.
    clinic.plan("first", [("二甲双胍", 'at = "07:59"\nwindow = "30 min"')])
    clinic.expect("first", "二甲双胍", START - 60, 1800)
    # A plan that is first read after its dose's instant has it tomorrow.
    clinic.start().stop()
    clinic.set_clock(START - 68, 4)
    daemon = clinic.start()
    wait_for("the first has arrived", lambda: clinic.order()["delivered"] == 1)
    for direction in ("--dport", "--sport"):
        rule(clinic.port, direction, "-m", "statistic", "--mode", "random",
             "--probability", "0.3", "-j", "DROP")
    wait_for("nine in ten have arrived", lambda: clinic.order()["delivered"] >= 180, 120, 0.2)
    lift()
    history, counted = told_and_settled(stage, clinic, daemon)
    assert counted["unknown"] + counted["retry_soon"] > 0, "no packet was missed"
    assert all(line["reminded"] or line["in_doubt"] for line in history)
    assert sum(line["reminded"] is not None for line in history) >= 195


@scenario(root=True, needs=("iptables",))
def resets_are_told_from_refusals_and_ridden_out(stage):
    clinic = stage.clinic(START - 600)
    crowd(clinic, 400, 30)
    clinic.order(faults=[{"delay": 0.1}])
    # A plan that is first read after its dose's instant has it tomorrow.
    clinic.start().stop()
    clinic.set_clock(START - 8, 4)
    daemon = clinic.start()
    for share in (0.1, 0.5):
        wait_for("the burst goes on", lambda: clinic.order()["delivered"] >= share * 400, 60, 0.01)
        # What is under way is reset; what begins is refused before a byte was written.
        rule(clinic.port, "--dport", "-j", "REJECT", "--reject-with", "tcp-reset")
        time.sleep(4)
        lift()
    history, counted = told_and_settled(stage, clinic, daemon)
    assert counted["unknown"] > 0, "a reset under way is an unknown outcome"
    assert counted["retry_soon"] > 0, "a refused connection is surely nothing sent"
    assert all(line["reminded"] and not line["in_doubt"] for line in history)


def black_hole(stage, minutes, speed):
    """All packets vanish for so many minutes in the middle of a burst; gives the history and the
    number of messages whose first try the API saw and whose answer was lost."""
    clinic = stage.clinic(START - 600)
    crowd(clinic, 400, 60)
    clinic.order(faults=[{"delay": 0.2}])
    # A plan that is first read after its dose's instant has it tomorrow.
    clinic.start().stop()
    clinic.set_clock(START - 2 * speed, speed)
    daemon = clinic.start()
    wait_for("the burst goes on", lambda: clinic.order()["delivered"] >= 100, 60, 0.005)
    began = clinic.now()
    for direction in ("--dport", "--sport"):
        rule(clinic.port, direction, "-j", "DROP")
    told = None
    while clinic.now() < began + minutes * 60:
        if told is None and daemon.check("messaging:send").get("status") == "warn":
            told = clinic.now() - began
        time.sleep(0.1)
    lift()
    history, counted = told_and_settled(stage, clinic, daemon)
    stage.figure(f"health told of it after {told:.0f} s (daemon's time)")
    assert told <= 60, f"health told of it only after {told:.0f} s"
    assert counted["unknown"] > 0 and counted["retry_soon"] > 0, counted
    # Only what was under way when the packets vanished can be in doubt.
    touched = {line["patient"] for line in history if line["in_doubt"]}
    assert len(touched) <= 2 * 32, f"{len(touched)} in doubt"
    assert all(line["reminded"] for line in history if not line["in_doubt"])
    return touched


@scenario(root=True, needs=("iptables",))
def a_black_hole_of_three_minutes_leaves_nothing_in_doubt(stage):
    touched = black_hole(stage, 3, 8)
    assert not touched, f"{len(touched)} in doubt although the API still knew their keys"


@scenario(root=True, needs=("iptables",), seconds=300)
def a_black_hole_of_twelve_minutes_leaves_in_doubt_only_what_was_under_way(stage):
    touched = black_hole(stage, 12, 8)
    assert touched, "what was under way cannot be known to have arrived"
