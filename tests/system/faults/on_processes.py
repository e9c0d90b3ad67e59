"""Signals in storms, two daemons on one store, and what a crash leaves of a store's creation."""

import os
import subprocess
import time

from clinic import HUP, Ended, shown, wait_for
from judge import judge
from scenario import scenario

START = shown("2026-03-24T08:00:00")


@scenario(seconds=120)
def a_thousand_sighups_in_a_burst_disturb_nobody(stage):
    clinic = stage.clinic(START - 600)
    for number in range(300):
        clinic.plan(f"p{number:04}", [("二甲双胍", 'at = "08:00"\nwindow = "30 min"')])
        clinic.expect(f"p{number:04}", "二甲双胍", START, 1800)
    clinic.order(faults=[{"delay": 0.05}])
    # A plan that is first read after its dose's instant has it tomorrow.
    clinic.start().stop()
    clinic.set_clock(START - 4)
    daemon = clinic.start()
    clinic.wait_until(START - 1)
    for number in range(1000):
        daemon.signal(HUP)
        if number == 500:
            # In the middle of it a plan is edited: the last state of the files counts.
            clinic.plan("late", [("二甲双胍", 'at = "08:00"\nwindow = "30 min"')])
        if number == 900:
            clinic.plan("late", [("氨氯地平", 'once = 2026-03-24T08:00:12\nwindow = "30 min"')])
            clinic.expect("late", "氨氯地平", START + 12, 1800)
        time.sleep(0.004)
    wait_for("all are told", lambda: clinic.order()["delivered"] >= 301, 60)
    clinic.drained(daemon)
    assert daemon.process.poll() is None
    assert daemon.get("/readyz")[0] == 200
    reloads = daemon.log().count("plans applied")
    assert daemon.stop() == 0
    stage.figure(f"1,000 SIGHUP, {reloads} readings of the plans; "
                 f"{judge(clinic, clinic.history('--until', '2026-03-25'))}")


@scenario()
def a_second_daemon_on_the_store_is_refused_and_disturbs_nothing(stage):
    clinic = stage.clinic(START - 60)
    for number in range(100):
        clinic.plan(f"p{number:04}", [("二甲双胍", 'at = "08:00"\nwindow = "30 min"')])
        clinic.expect(f"p{number:04}", "二甲双胍", START, 1800)
    clinic.set_clock(START - 8)
    first = clinic.start()
    for _ in range(2):
        second = clinic.spawn()
        try:
            second.ready(30)
            raise AssertionError("two daemons run on one store")
        except Ended as ended:
            assert ended.code == 75, ended
    wait_for("all are told", lambda: clinic.order()["delivered"] >= 100, 60)
    clinic.drained(first)
    # The socket of the first is still there and its own.
    reload = clinic.cli("reload")
    assert reload.returncode == 0, reload.stderr
    assert first.stop() == 0
    stage.figure(str(judge(clinic, clinic.history("--until", "2026-03-25"))))


@scenario()
def what_a_crash_leaves_of_a_creation_is_cleared_away(stage):
    clinic = stage.clinic(START - 600)
    clinic.plan("p0000", [("二甲双胍", 'at = "08:00"\nwindow = "30 min"')])
    clinic.expect("p0000", "二甲双胍", START, 1800)
    gone = subprocess.Popen(["true"])
    gone.wait()
    dead = clinic.directory / f".dosed.redb.creating-{gone.pid}"
    alive = clinic.directory / f".dosed.redb.creating-{os.getpid()}"
    dead.write_bytes(os.urandom(100_000))
    alive.write_bytes(b"another is just making one")
    # This one makes the store.
    clinic.start().stop()
    clinic.set_clock(START - 3)
    daemon = clinic.start()
    wait_for("the dose is told of", lambda: clinic.order()["delivered"] == 1, 30)
    clinic.drained(daemon)
    assert daemon.stop() == 0
    assert not dead.exists(), "the leftover of a process that is gone stays"
    assert alive.exists(), "the file of a process that runs was taken away"
    stage.figure(str(judge(clinic, clinic.history("--until", "2026-03-25"))))
