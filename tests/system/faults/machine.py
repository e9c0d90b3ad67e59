"""What scenarios need of the machine: Debian packages, mounts, faults of file systems.

A scenario that needs root runs in namespaces of its own for mounts, network and processes: what it
mounts, drops and starts is gone when it ends, however it ends."""

import contextlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

# Command, or `python3:` and a module -> Debian package.
PACKAGES = {
    "python3:cryptography": "python3-cryptography",
    "faketime": "faketime",
    "fiu-run": "fiu-utils",
    "ip": "iproute2",
    "iptables": "iptables",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "strace": "strace",
    "timedatectl": "systemd",
    "xfs_io": "xfsprogs",
}


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
    return done.stdout


def as_root(*command):
    return list(command) if os.geteuid() == 0 else ["sudo", "-n", *command]


def find(command):
    tool, _, module = command.partition(":")
    if tool == "python3" and module:
        return importlib.util.find_spec(module)
    return shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def install(commands):
    """Installs the packages of commands and modules that are missing."""
    missing = sorted({PACKAGES[it] for it in commands if not find(it)})
    if missing:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(as_root("apt-get", "update", "-qq"), env=environment,
                       stdout=subprocess.DEVNULL)
        run(*as_root("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing),
            env=environment)


def namespaces(command):
    """The command as root with its own mounts, network and process numbers."""
    unshare = ["unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork",
               "--kill-child", "--mount-proc", "--"]
    return as_root(*unshare, *command)


def loopback():
    """A fresh network namespace has its loopback interface down."""
    run(find("ip"), "link", "set", "lo", "up")


@contextlib.contextmanager
def mounted(kind, directory, image, megabytes, options="noatime"):
    """A file system on a loop device."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with open(image, "wb") as file:
        file.truncate(megabytes << 20)
    flags = {"ext4": ["-q", "-F"], "xfs": ["-q", "-f"]}[kind]
    run(find(f"mkfs.{kind}"), *flags, image)
    mount(kind, directory, image, options)
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], capture_output=True)


def mount(kind, directory, image, options="noatime"):
    run("mount", "-t", kind, "-o", f"loop,{options}", image, directory)


def cut_power(directory):
    """From here on nothing reaches the disk, what was not synced is lost."""
    run(find("xfs_io"), "-x", "-c", "shutdown", directory)
