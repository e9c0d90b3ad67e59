"""Runs the fault scenarios; `tests/system/run` is the door.

    python3 tests/system/faults --dosed BINARY [--long] [--list] [NAME]

Each scenario is a process of its own with a directory of its own. Prints `ok` or `FAILED` for each,
with what was measured, and at the end a line `N passed, N failed`."""

import argparse
import concurrent.futures
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import machine
from scenario import SCENARIOS, Stage

HERE = Path(__file__).resolve().parent

# Sessions of scenarios that play: process number -> whether it is root's.
PLAYING = {}


def conduct(name, options):
    """Runs one scenario in this process. It has failed if this raises."""
    chosen = SCENARIOS[name]
    if chosen.root:
        machine.loopback()
    with Stage(Path(options.directory), options.dosed, options.long) as stage:
        chosen.play(stage)


def start(name, options, directory):
    """Runs one scenario as a process; (passed, output, seconds)."""
    chosen = SCENARIOS[name]
    command = [sys.executable, "-B", str(HERE), "--dosed", options.dosed, "--conduct", name,
               "--directory", str(directory), *(["--long"] if options.long else [])]
    if chosen.root:
        command = machine.namespaces(command)
    began = time.monotonic()
    limit = chosen.seconds_long if options.long else chosen.seconds
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace",
                               start_new_session=True)
    PLAYING[process.pid] = chosen.root
    try:
        output, _ = process.communicate(timeout=limit)
        passed = process.returncode == 0
    except subprocess.TimeoutExpired:
        end_session(process.pid, chosen.root)
        output, _ = process.communicate()
        output += f"\nit did not end within {limit} s"
        passed = False
    finally:
        end_session(process.pid, chosen.root)
        del PLAYING[process.pid]
    return passed, output, time.monotonic() - began


def end_session(number, root):
    """Kills whatever a scenario has left running: it is of its session's process group."""
    if root and os.geteuid() != 0:
        subprocess.run(machine.as_root("kill", "-KILL", "--", f"-{number}"), capture_output=True)
        return
    try:
        os.killpg(number, signal.SIGKILL)
    except ProcessLookupError:
        pass


def remove(directory):
    """Also what a scenario made as root."""
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        subprocess.run(machine.as_root("rm", "-rf", "--one-file-system", str(directory)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name", nargs="?", default="")
    parser.add_argument("--dosed", required=True)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--keep", action="store_true", help="keep the directories")
    parser.add_argument("--conduct")
    parser.add_argument("--directory")
    options = parser.parse_args()
    options.dosed = os.path.abspath(options.dosed)
    if options.conduct:
        # An orderly end, so that what was started is stopped.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            conduct(options.conduct, options)
        except Exception:  # noqa: BLE001: whatever it is, the scenario has failed
            traceback.print_exc()
            sys.exit(1)
        return 0
    names = [name for name in SCENARIOS if options.name in name]
    if options.list:
        print("\n".join(names))
        return 0
    if not names:
        print("0 passed, 0 failed")
        return 0
    machine.install({command for name in names for command in SCENARIOS[name].needs})
    work = Path(tempfile.mkdtemp(prefix="dosed-faults-"))
    failed = []

    def interrupted(number, _):
        for session, root in list(PLAYING.items()):
            end_session(session, root)
        remove(work)
        os._exit(128 + number)
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGTERM, interrupted)

    def report(name, result):
        passed, output, took = result
        print(f"{'ok    ' if passed else 'FAILED'}  {name.replace('_', ' ')} ({took:.0f} s)")
        for line in output.splitlines():
            if not passed or line.startswith("  "):
                print(f"        {line.strip() if passed else line}")
        sys.stdout.flush()
        if not passed:
            failed.append(name)

    def one(name):
        # Short: the path of a socket has room for a hundred bytes.
        directory = work / str(names.index(name))
        directory.mkdir()
        result = start(name, options, directory)
        if not options.keep:
            remove(directory)
        return result

    # Those that measure time have the machine for themselves.
    together = [name for name in names if not SCENARIOS[name].alone]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        running = {pool.submit(one, name): name for name in together}
        for done in concurrent.futures.as_completed(running):
            report(running[done], done.result())
    for name in names:
        if SCENARIOS[name].alone:
            report(name, one(name))
    if options.keep:
        print(f"kept: {work}")
    else:
        remove(work)
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
