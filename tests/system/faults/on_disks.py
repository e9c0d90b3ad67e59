"""Disks that are full, that err, and that become read-only."""

import os
import subprocess
import time

import machine
from clinic import Ended, Unit, seconds_of, shown, wait_for
from judge import judge
from scenario import scenario

START = shown("2026-03-24T08:00:00")
MINUTE = 60


def doses_each_minute(clinic, minutes, patients):
    """Each minute `patients` with a dose of an hour's window, and one with a window of a minute."""
    for minute in range(1, minutes + 1):
        due = START + minute * MINUTE
        at = f"08:{minute:02}"
        for number in range(patients):
            patient = f"m{minute:02}-{number:04}"
            clinic.plan(patient, [("二甲双胍", f'at = "{at}"\nwindow = "60 min"')])
            clinic.expect(patient, "二甲双胍", due, 60 * MINUTE)
        patient = f"m{minute:02}-soon"
        clinic.plan(patient, [("二甲双胍", f'at = "{at}"\nwindow = "1 min"')])
        clinic.expect(patient, "二甲双胍", due, MINUTE)


def not_ready(unit):
    """The reasons why the present daemon is not ready; empty while it is, None while none runs."""
    try:
        daemon = unit.daemon
        if not daemon.ready_file.exists():
            return None
        daemon.ready(1)
        status, body = daemon.get("/readyz")
    except (AssertionError, Ended, OSError):
        return None
    return body if status == 503 else ("" if status == 200 else None)


def watch_readiness(unit, clinic, seconds, begin):
    """Looks at readiness for so long; (all reasons with the shown instant at which each was seen
    first, share of looks at which none ran). A daemon that systemd has started meanwhile meets the
    same trouble."""
    reasons, absent, looks = {}, 0, 0
    troubled = unit.daemon
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if unit.daemon is not troubled:
            troubled = unit.daemon
            begin(troubled)
        said = not_ready(unit)
        looks += 1
        absent += said is None
        if said:
            reasons.setdefault(said.strip(), clinic.now())
        time.sleep(0.05)
    return reasons, absent / looks


def trouble_from_minute_2_to_7(stage, clinic, speed, begin, end, wrapper=(), environment=None):
    """Doses fall due in each of nine minutes; from the second to the seventh the disk is in
    trouble. All that could be reminded of is, the rest expired; nobody lends a hand."""
    clinic.start().stop()
    clinic.set_clock(START + 0.5 * MINUTE, speed)
    unit = Unit(lambda: clinic.spawn(wrapper, environment))
    stage.callback(lambda: unit.ending.set())
    unit.ready()
    wait_for("the first minute's doses", lambda: clinic.order()["delivered"] >= 3, 60)
    clinic.wait_until(START + 1.5 * MINUTE)
    begin(unit.daemon)
    reasons, absent = watch_readiness(unit, clinic, 5 * MINUTE / speed, begin)
    end(unit.daemon)
    unit.ready(120)
    back = (clinic.now() - START) / MINUTE
    clinic.wait_until(START + 10 * MINUTE)
    wait_for("all open doses are reminded of", lambda: unit.daemon.metric("dosed_outbox_depth") == 0, 60)
    wait_for("the last short window is closed",
             lambda: unit.daemon.get("/readyz")[0] == 200 and clinic.now() > START + 10.2 * MINUTE, 60)
    log = "".join((clinic.directory / f"log-{n}").read_text() for n in range(1, clinic.runs + 1))
    assert unit.stop() == 0
    history = clinic.history("--until", "2026-03-25")
    judgement = judge(clinic, history, ended=START + 10 * MINUTE, slack=2 * speed)
    long_windows = [line for line in history if not line["patient"].endswith("soon")]
    for line in long_windows:
        assert line["state"] == "open" and line["reminded"], f"not reminded after the trouble: {line}"
    expired = [line for line in history if line["state"] == "expired"]
    stage.figure(f"{judgement}")
    stage.figure(f"ready again {back - 6.5:.1f} min (daemon's time) after the trouble; "
                 f"{len(unit.starts) - 1} restarts by systemd (codes {unit.codes}); "
                 f"{len(expired)} expired in the trouble")
    held_up = [seconds_of(line["due"]) for line in history if line["state"] == "expired"
               or seconds_of(line["reminded"]) > seconds_of(line["due"]) + 0.5 * speed]
    return reasons, absent, expired, min(held_up, default=None), log


@scenario(root=True)
def a_full_disk_holds_sending_until_there_is_room(stage):
    speed = 20
    disk = stage.directory / "disk"
    disk.mkdir()
    machine.run("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk)
    clinic = stage.clinic(START - 600, store=disk / "dosed.redb")
    clinic.configure(admin=stage.directory / "dosed.sock")
    doses_each_minute(clinic, 9, 20)
    filler = disk / "filler"

    def fill(_):
        # The store is cut back to what it holds, as on a disk on which others write too.
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass

    def room(_):
        filler.unlink()

    reasons, absent, expired, held_up, log = trouble_from_minute_2_to_7(
        stage, clinic, speed, fill, room)
    told = min((at for reason, at in reasons.items() if "store" in reason), default=None)
    assert told is not None, f"readiness never said why: {reasons}"
    # There may be room within the file for those of the first minute.
    assert held_up is not None, "the disk was never full"
    told -= held_up
    assert told <= 60, f"readiness said so only after {told:.0f} s"
    assert expired, "the disk was full for no dose's whole window"
    reasons_given = {line["reason"] for line in expired}
    assert reasons_given == {"daemon_down"}, f"it was the store that failed: {reasons_given}"
    stage.figure(f"readiness said: {sorted(reasons)}, {max(0, told):.0f} s after the first dose that was "
                 "held up")


def fiu(command, daemon, prefix):
    machine.run("fiu-ctrl", "-f", prefix, "-c", command, str(daemon.process.pid), timeout=5)


def erring(stage, errno):
    speed = 20
    clinic = stage.clinic(START - 600)
    doses_each_minute(clinic, 9, 20)
    prefix = str(stage.directory / "fiu")
    points = ("posix/io/rw/pwrite", "posix/io/sync/fdatasync", "posix/io/sync/fsync")
    # fiu-run gives its control pipes the number of the process that it starts.
    wrapper = ["fiu-run", "-x", "-f", prefix]

    def told(daemon, command):
        """Orders libfiu inside the daemon; one that is just ending hears nothing any more."""
        pipe = f"{prefix}-{daemon.process.pid}.in"
        wait_for("its control pipe", lambda: os.path.exists(pipe) or daemon.process.poll(), 10)
        for point in points:
            try:
                fiu(command.format(point), daemon, prefix)
            except (AssertionError, subprocess.TimeoutExpired):
                if daemon.process.poll() is None:
                    raise

    def begin(daemon):
        told(daemon, f"enable_random name={{}},probability=0.2,failinfo={errno}")

    def end(daemon):
        told(daemon, "disable name={}")

    reasons, absent, expired, _, log = trouble_from_minute_2_to_7(
        stage, clinic, speed, begin, end, wrapper)
    failed = log.count("the store fails") + log.count("cannot be claimed") + log.count(
        "cannot be recorded") + log.count("cannot be read")
    assert failed > 0, "no call has failed"
    stage.figure(f"{failed} failures logged; readiness said: {sorted(reasons)}")


@scenario(needs=("fiu-run",))
def eio_at_random_writes_and_syncs_loses_and_doubles_nothing(stage):
    erring(stage, 5)


@scenario(needs=("fiu-run",))
def enospc_at_random_writes_and_syncs_loses_and_doubles_nothing(stage):
    erring(stage, 28)


@scenario(root=True, needs=("mkfs.ext4",))
def a_file_system_that_turns_read_only_and_comes_back_loses_nothing(stage):
    # The long form: longer than systemd would start a daemon that ends at once again and again.
    speed = 2 if stage.long else 20
    disk = stage.directory / "disk"
    image = stage.directory / "image"
    options = "noatime,errors=remount-ro"
    # Below lies a directory in which nothing can be made: a daemon that is started while the disk
    # is away must not begin a fresh store there (`RequiresMountsFor=` in the unit).
    disk.mkdir()
    machine.run("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk)
    stage.enter_context(machine.mounted("ext4", disk, image, 64, options))
    clinic = stage.clinic(START - 600, store=disk / "dosed.redb")
    clinic.configure(admin=stage.directory / "dosed.sock")
    doses_each_minute(clinic, 9, 20)

    def begin(_):
        if os.statvfs(disk).f_flag & os.ST_RDONLY:
            return  # since the first daemon
        device = machine.run("findmnt", "-n", "-o", "SOURCE", disk).strip()
        # The kernel meets an error in the file system, and from then on refuses to write to it.
        trigger = f"/sys/fs/ext4/{os.path.basename(device)}/trigger_fs_error"
        with open(trigger, "w", encoding="ascii") as file:
            file.write("test")
        try:
            (disk / "witness").write_text("x")
        except OSError:
            return
        raise AssertionError("the file system can still be written")

    def end(_):
        # What an administrator does: check it, mount it again.
        machine.run("umount", "--lazy", disk)
        for _ in range(100):
            checked = os.spawnlp(os.P_WAIT, machine.find("fsck.ext4"), "fsck.ext4", "-fp", str(image))
            if checked in (0, 1):
                break
            time.sleep(0.1)
        assert checked in (0, 1), checked
        machine.mount("ext4", disk, image, options)

    reasons, absent, expired, _, log = trouble_from_minute_2_to_7(
        stage, clinic, speed, begin, end)
    assert expired, "the disk was never read-only"
    stage.figure(f"readiness said: {sorted(reasons)}; not running in {absent:.0%} of all looks")
