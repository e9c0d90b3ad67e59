"""The scenarios by name, and the stage on which one plays."""

import contextlib
import importlib
import random
from pathlib import Path

from clinic import Clinic

SCENARIOS = {}


class Scenario:
    def __init__(self, play, root, needs, alone, seconds, seconds_long):
        self.play = play
        self.root = root
        self.needs = needs
        self.alone = alone
        self.seconds = seconds
        self.seconds_long = seconds_long


def scenario(root=False, needs=(), alone=False, seconds=180, seconds_long=3600):
    """Registers a function under its name, which is the claim. `needs` are commands; `alone`: it
    measures time and shares the machine with no other scenario."""
    needs = (*needs, "ip") if root else needs

    def register(play):
        SCENARIOS[play.__name__] = Scenario(play, root, needs, alone, seconds, seconds_long)
        return play
    return register


class Stage(contextlib.ExitStack):
    """A directory, the binary, and what is to be closed at the end."""

    def __init__(self, directory, binary, long):
        super().__init__()
        self.directory = directory
        self.binary = binary
        self.long = long
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"  seed {seed}")
        self.random = random.Random(seed)
        self.clinics = 0

    def clinic(self, at, **settings):
        self.clinics += 1
        directory = settings.pop("directory", None) or self.directory / f"clinic-{self.clinics}"
        clinic = Clinic(directory, self.binary, at, **settings)
        self.callback(clinic.close)
        return clinic

    def figure(self, text):
        """Something measured: shown also when the scenario passes."""
        print(f"  {text}", flush=True)


for module in sorted(Path(__file__).parent.glob("on_*.py")):
    importlib.import_module(module.stem)
