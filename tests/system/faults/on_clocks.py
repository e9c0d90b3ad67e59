"""Wall clocks that step, stop being plausible, and change to summer time, under libfaketime.

The daemon's clock is faked and the API keeps its own, as in the world. Steady clocks stay true."""

import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import machine
from clinic import shown, wait_for
from judge import judge
from scenario import scenario

HOUR, DAY = 3600, 86400


def library():
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is not installed"
    return str(found[0])


COMMON = {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
          "TZ": "UTC"}


class FakeClock:
    """The wall clock of a daemon, moved through a file."""

    def __init__(self, directory, at):
        self.file = Path(directory) / "faketime"
        self.steps = []
        self.set(at)

    def set(self, at):
        """From now on the clock shows `at` and runs."""
        offset = at - time.time()
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset:+.6f}\n")
        fresh.rename(self.file)
        self.steps.append((time.time(), offset))

    def step(self, seconds):
        self.set(self.now() + seconds)

    def now(self):
        return self.of(time.time())

    def of(self, real):
        """What the clock showed at an instant of the machine's."""
        return real + max((step for step in self.steps if step[0] <= real),
                          default=self.steps[0])[1]

    def environment(self):
        return {**COMMON, "LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(self.file),
                "FAKETIME_NO_CACHE": "1"}


def kernel_says(synchronised):
    """A wrapper under which the kernel says whether its clock is synchronised (`adjtimex`), as the
    machine that the tests run on may or may not be."""
    code = 0 if synchronised else 5  # TIME_OK, TIME_ERROR
    return ["strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null",
            "-e", "trace=adjtimex,clock_adjtime",
            "-e", f"inject=adjtimex,clock_adjtime:retval={code}"]


TIMEDATECTL = """\
#!/bin/sh
# What timedated would say of the kernel's clock.
offset=$(cut -d. -f1 '{clock}')
echo "NTPSynchronized=$(cat '{word}')"
date -u -d "@$(($(date +%s) + ${{offset#+}}))" '+TimeUSec=%a %Y-%m-%d %H:%M:%S UTC'
"""


def timedated_says(word, fake):
    """In this scenario's mounts `timedatectl` passes on the kernel's word, which is in a file."""
    script = fake.file.with_name("timedatectl")
    script.write_text(TIMEDATECTL.format(clock=fake.file, word=word))
    script.chmod(0o755)
    machine.run("mount", "--bind", script, machine.find("timedatectl"))


class Played:
    """A clinic whose daemon runs on a fake clock."""

    def __init__(self, stage, at, zone="Asia/Shanghai"):
        self.clinic = stage.clinic(at, use_clock=False, zone=zone)
        self.at = at
        self.fake = FakeClock(self.clinic.directory, at)
        self.plans_are_known = False
        self.synchronised = False
        calls = self.clinic.calls

        def by_the_daemons_clock(name="send"):
            return [{**call, "shown": self.fake.of(call["t"])} for call in calls(name)]
        self.clinic.calls = by_the_daemons_clock

    def start(self):
        if not self.plans_are_known:
            # A plan that is first read after its dose's instant has it tomorrow.
            self.plans_are_known = True
            self.fake.set(self.at - 600)
            self.start()
            self.stop()
            self.fake.set(self.at)
            del self.fake.steps[:-1]
        self.daemon = self.clinic.start(kernel_says(self.synchronised), self.fake.environment())
        return self.daemon

    def kill(self):
        self.daemon.kill()

    def stop(self):
        assert self.daemon.stop() == 0

    def dose(self, patient, at, window_minutes, due=None, days=1):
        """A patient with a daily dose; expected from `due` on, on so many days, unless None."""
        self.clinic.plan(patient, [("二甲双胍", f'at = "{at}"\nwindow = "{window_minutes} min"')])
        for day in range(days if due else 0):
            self.clinic.expect(patient, "二甲双胍", shown(due) + day * DAY, window_minutes * 60)

    def told(self, patient):
        return sum(call["new"] for call in self.clinic.calls() if call["openid"] == f"o-{patient}")

    def turns(self, count=3):
        """Waits until the scheduler has looked at the clock several times."""
        time.sleep(count)

    def wait_told(self, patient, count=1):
        wait_for(f"{patient} is told {count} times", lambda: self.told(patient) >= count, 15)
        # A step while an answer is under way is for the simulation.
        self.clinic.drained(self.daemon)

    def held(self):
        """Whether sending is held for the clock; health and readiness agree on it."""
        def look():
            status, body = self.daemon.get("/readyz")
            check = self.daemon.check("clock:step")
            clock = status == 503 and "clock" in body
            # The two are asked one after the other.
            return (clock,) if clock == (check["status"] == "fail") else None
        return wait_for("health and readiness agree", look, 5)[0]

    def wait_held(self, wanted=True):
        wait_for(f"held: {wanted}", lambda: self.held() == wanted, 15, 0.1)

    def history(self):
        return self.clinic.history("--until", "2026-12-31", environment=None)


@scenario(needs=("faketime", "strace"))
def small_steps_of_the_clock_fire_nothing_twice_and_lose_nothing(stage):
    world = Played(stage, shown("2026-03-24T07:59:57"))
    world.dose("first", "08:00", 30, "2026-03-24T08:00:00", 2)
    world.dose("second", "08:01", 30, "2026-03-24T08:01:00", 2)
    world.dose("late", "08:40", 45, "2026-03-24T08:40:00", 2)
    world.dose("over", "08:41", 10, "2026-03-24T08:41:00", 2)
    world.dose("before", "07:30", 20, "2026-03-25T07:30:00", 1)
    world.start()
    fake = world.fake
    world.wait_told("first")
    for step in (-1, 1, -61):
        fake.step(step)
        world.turns()
        assert not world.held()
        assert world.told("first") == 1, f"fired again after a step of {step} s"
    # Over the first dose's instant once more, and on to the second.
    fake.set(shown("2026-03-24T07:59:59"))
    world.turns(4)
    assert world.told("first") == 1
    fake.step(61)
    world.wait_told("second")
    # An hour back, over half past seven, and forward again.
    fake.step(-HOUR)
    world.turns()
    fake.set(shown("2026-03-24T07:29:59"))
    world.turns(4)
    assert not world.held()
    assert (world.told("first"), world.told("second"), world.told("before")) == (1, 1, 0)
    fake.set(shown("2026-03-24T08:02:00"))
    world.turns()
    # An hour forward: what was jumped over is overdue, and its window decides.
    fake.step(HOUR)
    world.wait_told("late")
    world.turns()
    assert world.told("over") == 0, "a dose whose window was jumped over was sent"
    # A day forward: the windows of the next morning decide again.
    fake.set(shown("2026-03-25T08:02:00"))
    world.wait_told("first", 2)
    world.wait_told("second", 2)
    assert not world.held()
    fake.set(shown("2026-03-25T08:41:00"))
    world.wait_told("late", 2)
    world.wait_told("over", 1)
    # Nearly a day back: plausible, and nothing fires again.
    told = len([call for call in world.clinic.calls() if call["new"]])
    fake.step(-23 * HOUR)
    world.turns()
    assert not world.held()
    assert len([call for call in world.clinic.calls() if call["new"]]) == told
    fake.set(shown("2026-03-25T09:30:00"))
    world.turns()
    steps = world.daemon.metric("dosed_clock_steps_total")
    assert steps >= 10, f"only {steps} steps were counted"
    world.stop()
    history = [line for line in world.history()]
    judgement = judge(world.clinic, history, ended=shown("2026-03-25T09:25:00"), timely=False)
    over = [line for line in history if line["patient"] in ("over", "before")]
    assert [line["state"] for line in over] == ["expired", "expired", "missed"], over
    stage.figure(f"{len(fake.steps) - 1} steps, {steps:.0f} counted; {judgement}")


@scenario(needs=("faketime", "strace"))
def a_clock_more_than_a_day_back_holds_sending_until_it_is_right(stage):
    world = Played(stage, shown("2026-03-24T07:59:57"))
    world.dose("first", "08:00", 30, "2026-03-24T08:00:00")
    world.dose("second", "09:00", 30, "2026-03-24T09:00:00")
    world.start()
    world.wait_told("first")
    world.fake.step(-25 * HOUR)
    world.wait_held()
    assert world.daemon.health()["status"] == "fail"
    # It holds as long as that clock goes on.
    world.turns(4)
    assert world.held()
    assert world.told("first") == 1
    world.fake.set(shown("2026-03-24T09:00:05"))
    world.wait_held(False)
    world.wait_told("second")
    world.stop()
    stage.figure(str(judge(world.clinic, world.history(), timely=False)))


@scenario(needs=("faketime", "strace"))
def the_year_2000_at_boot_holds_sending_and_loses_no_dose(stage):
    world = Played(stage, shown("2026-03-24T07:59:57"))
    world.dose("first", "08:00", 30, "2026-03-24T08:00:00")
    world.dose("second", "09:00", 30, "2026-03-24T09:00:00")
    world.start()
    world.wait_told("first")
    world.kill()
    world.fake.set(shown("2000-01-01T08:00:00"))
    world.start()
    world.wait_held()
    world.turns(4)
    assert world.told("first") == 1
    # A kill does not make it forget what it has seen.
    world.kill()
    world.start()
    world.wait_held()
    world.fake.set(shown("2026-03-24T09:00:02"))
    world.wait_held(False)
    world.wait_told("second")
    world.stop()
    stage.figure(str(judge(world.clinic, world.history(), timely=False)))


@scenario(needs=("faketime", "strace"))
def a_week_forward_while_running_holds_sending_and_is_not_recorded_as_seen(stage):
    world = Played(stage, shown("2026-03-24T07:59:57"))
    world.dose("first", "08:00", 30, "2026-03-24T08:00:00")
    world.dose("second", "09:00", 30, "2026-03-24T09:00:00")
    world.start()
    world.wait_told("first")
    world.fake.set(shown("2026-04-01T08:00:10"))
    world.wait_held()
    world.turns(4)
    # Nothing of those days was decided: no dose expired, none was sent.
    assert (world.told("first"), world.told("second")) == (1, 0)
    world.fake.set(shown("2026-03-24T08:59:58"))
    world.wait_held(False)
    world.wait_told("second")
    # Neither a kill nor an end in good order records a clock that was not believed: each start
    # compares it with the last one that was.
    world.fake.set(shown("2026-05-03T08:00:10"))
    world.wait_held()
    world.kill()
    world.start()
    world.turns()
    assert world.held()
    world.stop()
    world.fake.set(shown("2026-03-24T09:10:00"))
    world.start()
    world.turns()
    assert not world.held(), "a clock that was not believed was recorded as seen"
    world.stop()
    stage.figure(str(judge(world.clinic, world.history(), timely=False)))


@scenario(needs=("faketime", "strace"))
def six_days_forward_while_running_are_believed_and_their_doses_expire(stage):
    world = Played(stage, shown("2026-03-24T07:59:57"))
    world.dose("first", "08:00", 30, "2026-03-24T08:00:00", 7)
    world.start()
    world.wait_told("first")
    world.fake.set(shown("2026-03-30T08:00:10"))
    world.wait_told("first", 2)
    assert not world.held()
    world.stop()
    history = world.history()
    assert [line["state"] for line in history].count("expired") == 5, history
    stage.figure(str(judge(world.clinic, history, timely=False)))


@scenario(needs=("faketime", "strace"))
def a_start_a_month_ahead_holds_sending_and_is_not_recorded_as_seen(stage):
    world = Played(stage, shown("2026-03-24T07:59:57"))
    world.dose("first", "08:00", 30, "2026-03-24T08:00:00")
    world.dose("second", "09:00", 30, "2026-03-24T09:00:00")
    world.start()
    world.wait_told("first")
    world.stop()
    world.fake.set(shown("2026-04-24T08:00:10"))
    world.start()
    world.wait_held()
    world.turns(4)
    assert (world.told("first"), world.told("second")) == (1, 0)
    world.kill()
    world.fake.set(shown("2026-03-24T09:00:02"))
    world.start()
    world.turns()
    assert not world.held(), "a clock that was not believed was recorded as seen"
    world.wait_told("second")
    world.stop()
    stage.figure(str(judge(world.clinic, world.history(), timely=False)))


@scenario(needs=("faketime", "strace"))
def a_held_clock_is_released_by_dosed_clock_accept(stage):
    world = Played(stage, shown("2026-03-24T07:59:57"))
    world.dose("first", "08:00", 30, "2026-03-24T08:00:00", 11)
    world.start()
    world.wait_told("first")
    world.fake.set(shown("2026-04-03T08:00:10"))
    world.wait_held()
    accepted = world.clinic.cli("clock", "accept")
    assert accepted.returncode == 0, accepted.stderr
    world.wait_held(False)
    world.wait_told("first", 2)
    # It is the clock now, also after a restart.
    world.kill()
    world.start()
    assert not world.held()
    world.stop()
    history = world.history()
    assert [line["state"] for line in history].count("expired") == 9, history
    stage.figure(str(judge(world.clinic, history, timely=False)))


@scenario(root=True, needs=("faketime", "strace", "timedatectl"))
def a_held_clock_is_released_by_the_kernels_word(stage):
    world = Played(stage, shown("2026-03-24T07:59:57"))
    word = world.clinic.directory / "synchronised"
    word.write_text("no\n")
    timedated_says(word, world.fake)
    world.dose("first", "08:00", 30, "2026-03-24T08:00:00", 41)
    world.start()
    world.wait_told("first")
    world.stop()
    world.fake.set(shown("2026-05-03T08:00:10"))
    world.start()
    world.wait_held()
    world.kill()
    world.start()
    world.turns()
    assert world.held(), "a clock that was not believed was recorded as seen"
    world.kill()
    # The same start on a machine whose kernel says that its clock is synchronised.
    world.synchronised = True
    word.write_text("yes\n")
    world.start()
    wait_for("the kernel's word releases", lambda: not world.held(), 75, 0.2)
    world.wait_told("first", 2)
    world.stop()
    history = world.history()
    assert [line["state"] for line in history].count("expired") == 39, history
    stage.figure(str(judge(world.clinic, history, timely=False)))


SLOTS = ["00:30", "01:30", "02:30", "03:30", "04:30"]
WINDOW_MINUTES = 55


def change_of_clocks(stage, zone, night):
    """The hours around a change of the clocks at 600 times the speed."""
    speed = 600
    tz = ZoneInfo(zone)
    # A local time that does not exist moves on by the gap, one that comes twice is the first.
    instants = sorted({datetime.fromisoformat(f"{night}T{slot}").replace(tzinfo=tz).timestamp()
                       for slot in SLOTS})
    # Ten real seconds until the first: a plan that is first read after it has it the next night.
    start = instants[0] - 100 * 60
    # A whole number of hours before the first slot, the elapsed hours of an interval.
    first = datetime.fromtimestamp(instants[0], tz)
    hours = [instants[0] + hour * HOUR
             for hour in range(int((instants[-1] - instants[0]) // HOUR) + 1)]
    clinic = stage.clinic(start, use_clock=False, zone=zone)
    for number in range(20):
        clinic.plan(f"wall{number:02}", [("Metformin", "at = " + str(SLOTS).replace("'", '"')
                                         + f'\nwindow = "{WINDOW_MINUTES} min"')])
        clinic.plan(f"span{number:02}", [("Cefazolin", 'every = "60 minutes"\nfirst = '
                                         f'{first:%Y-%m-%dT%H:%M:%S}\nwindow = '
                                         f'"{WINDOW_MINUTES} min"\ndoses = {len(hours)}')])
        for due in instants:
            clinic.expect(f"wall{number:02}", "Metformin", due, WINDOW_MINUTES * 60)
        for due in hours:
            clinic.expect(f"span{number:02}", "Cefazolin", due, WINDOW_MINUTES * 60)
    offset = start - time.time()
    began = time.time()
    daemon = clinic.start(environment={
        **COMMON, "LD_PRELOAD": library(), "FAKETIME": f"{offset:+.3f} x{speed}"})
    end = instants[-1] + (WINDOW_MINUTES + 2) * 60
    # A look at the clock is up to a second away, and the fake clock began with the process.
    time.sleep((end - start) / speed - (time.time() - began) + 8)
    assert daemon.stop() == 0
    calls = clinic.calls
    clinic.calls = lambda name="send": [
        {**call, "shown": start + (call["t"] - began) * speed} for call in calls(name)]
    history = clinic.history()
    # A second of the machine's is ten minutes here.
    judgement = judge(clinic, history, ended=end - 120, slack=2 * speed, early=speed,
                      zone_of=lambda _: tz)
    for line in history:
        assert line["state"] == "missed" and line["reminded"], f"not reminded of: {line}"
        due, told = (datetime.fromisoformat(line[key]) for key in ("due", "reminded"))
        assert told >= due, f"early by the daemon's own clock: {line}"
    assert len(instants) == (4 if night < "2026-06" else 5) and len(hours) == len(instants) + (
        night > "2026-06")
    stage.figure(f"{zone} {night}: {len(instants)} wall-clock doses, {len(hours)} elapsed hours a "
                 f"patient; {judgement}")


@scenario(needs=("faketime",))
def the_night_of_springs_change_in_berlin_has_each_dose_once(stage):
    change_of_clocks(stage, "Europe/Berlin", "2026-03-29")


@scenario(needs=("faketime",))
def the_night_of_autumns_change_in_berlin_has_each_dose_once(stage):
    change_of_clocks(stage, "Europe/Berlin", "2026-10-25")


@scenario(needs=("faketime",))
def the_night_of_springs_change_in_new_york_has_each_dose_once(stage):
    change_of_clocks(stage, "America/New_York", "2026-03-08")


@scenario(needs=("faketime",))
def the_night_of_autumns_change_in_new_york_has_each_dose_once(stage):
    change_of_clocks(stage, "America/New_York", "2026-11-01")
