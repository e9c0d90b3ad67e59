"""A long run with faults: memory stays flat, the file stays small."""

from statistics import mean

from clinic import shown
from judge import judge
from scenario import scenario

START = shown("2026-03-24T08:00:00")
PER_SECOND = 50
HOUR = 3600
BYTES_A_DOSE = 400
BYTES_AT_REST = 8 << 20
# Of the mean of the last third over that of the first. Within a minute caches still fill.
GROWTH_MAX, GROWTH_MAX_SHORT = 0.05, 0.10


@scenario(alone=True, seconds=420, seconds_long=3000)
def a_soak_with_faults_stays_small_and_flat(stage):
    """Fifty patients a second of the machine's time. The daemon's clock is faster, so that each
    patient, who has a dose an hour, is met several times."""
    seconds = 30 * 60 if stage.long else 60
    speed = 12 if stage.long else 120
    hours = seconds * speed / HOUR
    patients = round(PER_SECOND * HOUR / speed)
    window = 20
    clinic = stage.clinic(START - 600, concurrency=64, timeout="2 s")
    for number in range(patients):
        patient = f"p{number:05}"
        due = START + number * HOUR / patients
        clock = f"{int(due - START) // 60:02}:{int(due - START) % 60:02}"
        clinic.plan(patient, [("二甲双胍", f'every = "60 minutes"\nfirst = 2026-03-24T08:{clock}\n'
                               f'window = "{window} min"\ndoses = {int(hours)}')])
        for dose in range(int(hours)):
            clinic.expect(patient, "二甲双胍", int(due) + dose * HOUR, window * 60)
    clinic.start(seconds=120).stop()
    # Of everything something, all the time; now and then an outage of all.
    rare = [{"share": 0.01, "errcode": -1}, {"share": 0.01, "errcode": -1, "taken": True},
            {"share": 0.01, "status": 502}, {"share": 0.005, "reset": True, "taken": True},
            {"share": 0.005, "reset": True}, {"share": 0.005, "cut": True, "taken": True},
            {"share": 0.01, "delay": 0.2}, {"share": 0.002, "hang": 3, "taken": True},
            {"share": 0.002, "errcode": 45011}, {"call": "token", "share": 0.1, "errcode": -1}]
    step = seconds * speed / 6
    outages = [{"from": START + turn * step, "until": START + turn * step + 3 * speed, **fault}
               for turn, fault in zip((1, 3, 5), ({"errcode": -1}, {"status": 503}, {"errcode": 45009}))]
    clinic.order(faults=outages + rare)
    clinic.set_clock(START - 2 * speed, speed)
    daemon = clinic.start(seconds=120)
    memory = []
    end = START + seconds * speed
    while clinic.now() < end:
        memory.append(daemon.status("VmRSS"))
        clinic.order(forget_before=True)
        clinic.wait_until(min(end, clinic.now() + 0.5 * speed))
    clinic.wait_until(end + (window + 5) * 60)
    clinic.drained(daemon, 120)
    size = clinic.store.stat().st_size
    assert daemon.stop() == 0
    history = clinic.history("--until", "2026-03-27")
    judgement = judge(clinic, history, slack=2 * speed, early=0.05 * speed)
    doses = len(history)
    third = len(memory) // 3
    # The first seconds fill caches: a start is no part of a soak.
    first, last = mean(memory[third // 2:third + third // 2]), mean(memory[-third:])
    stage.figure(f"{doses} doses of {patients} patients at {PER_SECOND}/s for {seconds} s "
                 f"({hours:.1f} h of the daemon's time); {judgement}")
    stage.figure(f"memory: first third {first / 1024:.1f} MiB, last third {last / 1024:.1f} MiB "
                 f"({last / first - 1:+.1%}), most {max(memory) / 1024:.1f} MiB")
    stage.figure(f"file: {size / 1e6:.1f} MB of at most "
                 f"{(doses * BYTES_A_DOSE + BYTES_AT_REST) / 1e6:.1f} MB")
    growth = GROWTH_MAX if stage.long else GROWTH_MAX_SHORT
    assert last <= first * (1 + growth), "memory grows"
    assert size <= doses * BYTES_A_DOSE + BYTES_AT_REST, "the file grows too much"
    done = sum(line["reminded"] is not None or line["in_doubt"] for line in history)
    assert done >= 0.99 * doses, f"only {done} of {doses} were told of"
