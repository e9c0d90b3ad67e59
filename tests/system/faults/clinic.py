"""A clinic in a directory: configuration, plans, the API's stand-in, and the real daemon."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from wechat import APPID, SECRET, Clock

SHANGHAI = timezone(timedelta(hours=8))

# Exit codes after which the unit file forbids a restart.
NOT_RESTARTED = {64, 65, 66, 77, 78}

CONFIG = """\
[clinic]
name = "Dr Hao Clinic"
timezone = "{zone}"
language = "zh-CN"
plans = "plans.d"
watch = false
{manners}

[store]
path = "{store}"

[http]
private = "127.0.0.1:0"
admin = "{admin}"
{public}

[messaging]
channel = "wechat"
concurrency = {concurrency}
rate = {rate}
timeout = "{timeout}"

[log]
level = "info"
format = "human"

[wechat]
api_base = "http://127.0.0.1:{port}"
appid = "{appid}"
secret_file = "wechat-secret"
{callback}

[wechat.templates.dose]
id = "DOSE"
[wechat.templates.dose.data]
thing1 = "{{{{ patient }}}}"
thing2 = "{{{{ medications }}}}"
time3 = "{{{{ at }}}}"
thing4 = "{{{{ note or '请按医嘱服用' }}}}"
phrase5 = "{{{{ '补发' if late else '按时' }}}}"
[wechat.templates.check_in]
id = "ASK"
[wechat.templates.check_in.data]
thing1 = "{{{{ patient }}}}"
thing2 = "{{{{ question }}}}"
thing3 = "{{{{ answer }}}}"
time4 = "{{{{ at }}}}"
{more}
"""


def shown(text):
    """Seconds since 1970 of an RFC 3339 text, or of a local one in Shanghai."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=SHANGHAI)).timestamp()


def clock_text(at, speed=1):
    """A `--clock` that shows `at` (seconds since 1970) now."""
    def rfc3339(seconds):
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{rfc3339(at)}@{rfc3339(time.time())}*{speed}"


def wait_for(what, condition, seconds=60, every=0.02):
    """Waits until the condition gives something true, and gives that."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


class Ended(Exception):
    """The daemon ended before it was ready."""

    def __init__(self, code, log):
        super().__init__(f"the daemon ended with {code}: {log[-2000:]}")
        self.code = code
        self.log = log


class Daemon:
    """A daemon that was started; `ready()` waits for it."""

    def __init__(self, command, directory, environment, number):
        self.ready_file = directory / f"ready-{number}.json"
        self.log_file = directory / f"log-{number}"
        self.began = time.monotonic()
        self.tracer = command[0] == "strace"
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                [*command, "--ready-file", str(self.ready_file)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory, env=environment)
        self.address = self.public = None

    def ready(self, seconds=60):
        """Waits for the ready file; gives the seconds since the start."""
        def look():
            code = self.process.poll()
            if code is not None:
                raise Ended(code, self.log())
            return self.ready_file.exists()
        wait_for("the daemon is ready", look, seconds, every=0.005)
        took = time.monotonic() - self.began
        written = json.loads(self.ready_file.read_text())
        self.address, self.public = written["private"], written.get("public")
        return took

    def log(self):
        return self.log_file.read_text(errors="replace")

    def get(self, path):
        """(status, body) of a request to the private listener; status 0 when nobody answers."""
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def health(self):
        status, body = self.get("/health")
        return json.loads(body) if status else {}

    def check(self, name):
        """One check of /health; {} when it is not there."""
        return (self.health().get("checks", {}).get(name) or [{}])[0]

    def metric(self, name, **labels):
        """The sum of the series with these labels."""
        total = 0.0
        for line in self.get("/metrics")[1].splitlines():
            series, _, value = line.rpartition(" ")
            found, _, tail = series.partition("{")
            if found == name and all(f'{key}="{want}"' in tail for key, want in labels.items()):
                total += float(value)
        return total

    def status(self, field):
        """A field of /proc/PID/status in kB."""
        for line in Path(f"/proc/{self.pid()}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1])
        raise AssertionError(f"no {field}")

    def pid(self):
        """Of the daemon itself, where a tracer was started around it."""
        if self.tracer:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            for child in children.read_text().split():
                return int(child)
        return self.process.pid

    def waited_for_a_processor(self):
        """Seconds for which the machine had no processor for a thread that was ready to run."""
        waits = [0.0]
        for task in Path(f"/proc/{self.pid()}/task").iterdir():
            try:
                waits.append(int((task / "schedstat").read_text().split()[1]) / 1e9)
            except (FileNotFoundError, ProcessLookupError):
                pass  # a thread that has just ended
        return max(waits)

    def signal(self, number):
        try:
            os.kill(self.pid(), number)
        except (ProcessLookupError, FileNotFoundError):
            pass

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, seconds=20):
        """SIGTERM, and what it ended with."""
        self.signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("the daemon does not end") from None


class Unit:
    """Restarts the daemon as `systemd/dosed.service` lets systemd do it: `Restart=always`, five
    seconds later, but not after codes that only a person can mend, and not more often than ten
    times in five minutes. `starts` are the instants of all starts."""

    def __init__(self, start):
        self.start = start
        self.starts, self.codes = [], []
        self.gave_up = None
        self.daemon = self.fresh()
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def fresh(self):
        self.starts.append(time.monotonic())
        return self.start()

    def watch(self):
        while not self.ending.is_set():
            code = self.daemon.process.poll()
            if code is None:
                time.sleep(0.02)
                continue
            self.codes.append(code)
            if code in NOT_RESTARTED:
                self.gave_up = f"exit code {code} is not restarted"
                return
            if self.ending.wait(5):
                return
            recent = [at for at in self.starts if time.monotonic() - at < 300]
            if len(recent) >= 10:
                self.gave_up = "ten starts in five minutes"
                return
            self.daemon = self.fresh()

    def ready(self, seconds=60):
        """Waits until the present daemon is ready."""
        def look():
            assert not self.gave_up, f"systemd would give up: {self.gave_up}"
            daemon = self.daemon
            try:
                daemon.ready(0.01)
                return daemon.get("/readyz")[0] == 200
            except (AssertionError, Ended, OSError):
                return False
        wait_for("readiness under systemd", look, seconds, every=0.05)

    def stop(self):
        self.ending.set()
        self.thread.join()
        return self.daemon.stop()


class Clinic:
    """All of it, in `directory`. `store` may lie elsewhere."""

    def __init__(self, directory, binary, at, speed=1, zone="Asia/Shanghai", store=None,
                 concurrency=32, rate=0, timeout="3 s", use_clock=True):
        self.directory = Path(directory)
        (self.directory / "plans.d").mkdir(parents=True, exist_ok=True)
        self.binary = binary
        self.zone = zone
        self.runs = 0
        self.use_clock = use_clock
        self.clock = clock_text(at, speed) if use_clock else None
        self.control = str(self.directory / "wechat.sock")
        self.log_path = self.directory / "wechat.log"
        self.wechat = subprocess.Popen(
            [sys.executable, "-B", str(Path(__file__).with_name("wechat.py")),
             "--control", self.control, "--log", str(self.log_path),
             *(["--clock", self.clock] if use_clock else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.wechat.stdout.readline())
        secret = self.directory / "wechat-secret"
        secret.write_text(SECRET + "\n")
        secret.chmod(0o600)
        self.store = Path(store or self.directory / "dosed.redb")
        self.settings = dict(
            zone=zone, store=self.store, port=self.port, appid=APPID, concurrency=concurrency,
            rate=rate, timeout=timeout, admin=self.directory / "dosed.sock",
            public="", manners="", callback="", more="")
        self.configure()
        self.expected = {}  # (patient, medication, due in s) -> end of the window in s

    def configure(self, **changes):
        self.settings.update(changes)
        (self.directory / "dosed.toml").write_text(CONFIG.format(**self.settings))

    def open_callback(self, token, key, mode="secure", lines=""):
        """The account's callback is served, with these secrets."""
        for name, secret in (("wechat-token", token), ("wechat-aes-key", key)):
            file = self.directory / name
            file.write_text(secret + "\n")
            file.chmod(0o600)
        self.configure(public='public = "127.0.0.1:0"', callback=(
            f'token_file = "wechat-token"\naes_key_file = "wechat-aes-key"\nmode = "{mode}"\n'
            f'{lines}'))

    # --- Plans

    def plan(self, patient, medications, head=""):
        """A plan; `medications` are (name, lines)."""
        text = f'name = "患者{patient[-4:]}"\nwechat = "o-{patient}"\n{head}\n'
        for name, lines in medications:
            text += f'\n[[medication]]\nname = "{name}"\ntake = "1片"\n{lines}\n'
        path = self.directory / "plans.d" / f"{patient}.toml"
        path.write_text(text)

    def expect(self, patient, medication, due, window):
        """A dose that there must be: its instant, and how long its window is (seconds)."""
        self.expected[patient, medication, round(due)] = round(due + window)

    # --- The stand-in

    def order(self, **orders):
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(self.control)
            channel.sendall(json.dumps(orders).encode() + b"\n")
            return json.loads(channel.makefile().readline())

    def calls(self, name="send"):
        with open(self.log_path, encoding="utf-8") as log:
            return [call for call in map(json.loads, log) if call["call"] == name]

    def set_clock(self, at, speed=1):
        """From the next start on the clock shows `at` now, for daemon and stand-in."""
        self.clock = clock_text(at, speed)
        self.order(clock=self.clock)

    def now(self):
        return Clock(self.clock).now()

    def wait_until(self, at):
        """Waits for a shown instant."""
        left = (at - self.now()) / Clock(self.clock).speed
        time.sleep(max(0.0, left))

    # --- The daemon

    def environment(self, extra=None):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return {**kept, "NO_COLOR": "1", "LC_ALL": "C.UTF-8", **(extra or {})}

    def command(self, wrapper=()):
        clock = ["--clock", self.clock] if self.use_clock else []
        return [*wrapper, self.binary, "run", "--config", str(self.directory / "dosed.toml"), *clock]

    def spawn(self, wrapper=(), environment=None):
        self.runs += 1
        return Daemon(self.command(wrapper), self.directory, self.environment(environment),
                      self.runs)

    def start(self, wrapper=(), environment=None, seconds=60):
        daemon = self.spawn(wrapper, environment)
        daemon.ready(seconds)
        rejected = daemon.metric("dosed_plans_rejected")
        assert rejected == 0, f"{rejected:.0f} plans of the scenario are rejected: {daemon.log()}"
        return daemon

    def cli(self, *arguments, environment=None):
        return subprocess.run(
            [self.binary, *arguments, "--config", str(self.directory / "dosed.toml")],
            capture_output=True, text=True, cwd=self.directory,
            env=self.environment(environment), timeout=120)

    def history(self, *arguments, environment=None):
        output = self.cli("history", "--json", *arguments, environment=environment)
        assert output.returncode == 0, f"history: {output.returncode} {output.stderr}"
        return [json.loads(line) for line in output.stdout.splitlines()]

    def drained(self, daemon, seconds=60):
        """Waits until nothing is left in the outbox."""
        wait_for("an empty outbox", lambda: daemon.metric("dosed_outbox_depth") == 0, seconds, 0.1)

    def close(self):
        self.wechat.stdin.close()
        self.wechat.wait(10)


def local_minute(at, zone=SHANGHAI):
    return datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M")


def seconds_of(text):
    return datetime.fromisoformat(text).timestamp()


TERM, HUP, STOP, KILL = signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP, signal.SIGKILL
