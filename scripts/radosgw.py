#!/usr/bin/env python3
"""A one-machine S3 store for tests: Ceph's monitor, manager, one in-memory OSD and the gateway.

    scripts/radosgw.py up DIR [--port 8480]     prints endpoint=, access_key=, secret_key=
    scripts/radosgw.py pause DIR                stops the gateway alone: the store is away
    scripts/radosgw.py resume DIR
    scripts/radosgw.py down DIR                 stops everything; DIR may be deleted then

Needs Debian's packages ceph-mon ceph-mgr ceph-osd radosgw ceph-common. Everything listens on
loopback, on the 40 ports from --port on. One day of lifecycle rules lasts --day seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path

TOOLS = (
    "ceph-mon ceph-mgr ceph-osd radosgw ceph ceph-authtool monmaptool radosgw-admin".split()  # noqa: SIM905
)
GATEWAY = "client.rgw.a"
STEP_SECONDS = 60

CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_v2},v1:127.0.0.1:{mon_v1}]
public addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind port min = {first}
ms bind port max = {last}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = true
keyring = {folder}/admin.keyring
run dir = {folder}/run
pid file = {folder}/run/$name.pid
admin socket = {folder}/run/$name.asok
log file = {folder}/log/$name.log
mon allow pool size one = true
mon warn on pool no redundancy = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
[mon]
mon data = {folder}/mon
[mgr]
mgr data = {folder}/mgr
keyring = {folder}/mgr/keyring
[osd]
osd data = {folder}/osd
keyring = {folder}/osd/keyring
osd objectstore = memstore
memstore device bytes = 2147483648
osd class load list = *
osd class default list = *
[{gateway}]
keyring = {folder}/gateway.keyring
rgw data = {folder}/gateway
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw enable apis = s3, admin
rgw lc debug interval = {day}
"""


class Cluster:
    """The files and processes of one store below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.configuration = self.folder / "ceph.conf"

    def up(self, port: int, day_seconds: int) -> dict[str, str]:
        for name in ("mon", "mgr", "osd", "gateway", "run", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        fsid = str(uuid.uuid4())
        self.configuration.write_text(
            CONFIGURATION.format(
                fsid=fsid,
                folder=self.folder,
                gateway=GATEWAY,
                port=port,
                mon_v2=port + 1,
                mon_v1=port + 2,
                first=port + 3,
                last=port + 39,
                day=day_seconds,
            )
        )
        self._start_monitor(fsid, port)
        self._start_manager()
        self._start_disk()
        caps = ["mon", "allow rw", "osd", "allow rwx", "mgr", "allow rw"]
        self._save("gateway.keyring", self._ceph("auth", "get-or-create", GATEWAY, *caps))
        self.resume()
        return {"endpoint": self.endpoint, **self._make_user()}

    @property
    def endpoint(self) -> str:
        line = next(line for line in self.configuration.read_text().splitlines() if "beast" in line)
        return "http://" + line.rpartition("=")[2]

    def pause(self) -> None:
        self._stop(self.folder / "run" / f"{GATEWAY}.pid")

    def resume(self) -> None:
        self._run("radosgw", "-n", GATEWAY)
        wait_until(self._answers, f"the gateway at {self.endpoint} does not answer")

    def down(self) -> None:
        """The gateway first, the monitor last: each still needs the ones that go after it."""
        order = ("client", "osd", "mgr", "mon")
        pids = (self.folder / "run").glob("*.pid")
        for pid_file in sorted(pids, key=lambda file: order.index(file.name.split(".")[0])):
            self._stop(pid_file)

    def _start_monitor(self, fsid: str, port: int) -> None:
        mon, admin, monmap = (
            str(self.folder / name) for name in ("mon.keyring", "admin.keyring", "monmap")
        )
        every = [part for who in ("mon", "osd", "mgr") for part in ("--cap", who, "allow *")]
        create = ("--create-keyring", "--gen-key", "-n")
        self._run("ceph-authtool", mon, *create, "mon.", "--cap", "mon", "allow *")
        self._run("ceph-authtool", admin, *create, "client.admin", *every)
        self._run("ceph-authtool", mon, "--import-keyring", admin)
        address = f"[v2:127.0.0.1:{port + 1},v1:127.0.0.1:{port + 2}]"
        self._run("monmaptool", "--create", "--addv", "a", address, "--fsid", fsid, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", mon)
        self._run("ceph-mon", "-i", "a")

    def _start_manager(self) -> None:
        caps = ["mon", "allow profile mgr", "osd", "allow *"]
        self._save("mgr/keyring", self._ceph("auth", "get-or-create", "mgr.x", *caps))
        self._run("ceph-mgr", "-i", "x")

    def _start_disk(self) -> None:
        secret = self._run("ceph-authtool", "--gen-print-key").strip()
        name = str(uuid.uuid4())
        self._ceph("osd", "new", name, "-i", "-", stdin=json.dumps({"cephx_secret": secret}))
        keyring = str(self.folder / "osd" / "keyring")
        self._run("ceph-authtool", keyring, "--create-keyring", "-n", "osd.0", "--add-key", secret)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", name)
        self._run("ceph-osd", "-i", "0")
        wait_until(self._disk_is_up, "the OSD does not come up")

    def _disk_is_up(self) -> bool:
        return json.loads(self._ceph("osd", "stat", "-f", "json"))["num_up_osds"] == 1

    def _make_user(self) -> dict[str, str]:
        who = ("--uid=callcore", "--display-name=callcore")
        user = json.loads(self._run("radosgw-admin", "user", "create", *who))
        keys = user["keys"][0]
        return {"access_key": keys["access_key"], "secret_key": keys["secret_key"]}

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.endpoint, timeout=2):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    def _ceph(self, *arguments: str, stdin: str = "") -> str:
        return self._run("ceph", "--connect-timeout", "30", *arguments, stdin=stdin)

    def _run(self, tool: str, *arguments: str, stdin: str = "") -> str:
        """Daemons put themselves into the background; their output must not keep ours open."""
        log = self.folder / "log" / "commands.log"
        with open(log, "a", encoding="utf-8") as errors:
            done = subprocess.run(
                [tool, *arguments],
                input=stdin,
                stdout=subprocess.PIPE if not is_daemon(tool, arguments) else errors,
                stderr=errors,
                text=True,
                timeout=STEP_SECONDS,
                env={**os.environ, "CEPH_CONF": str(self.configuration)},
                check=False,
            )
        if done.returncode:
            sys.exit(f"{tool} {' '.join(arguments)} failed ({done.returncode}): see {log}")
        return done.stdout or ""

    def _save(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def _stop(self, pid_file: Path) -> None:
        """At once: all of it is in memory, and a clean end of the gateway takes 20 seconds."""
        try:
            pid = int(pid_file.read_text())
            os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return
        wait_until(lambda: not is_alive(pid), f"process {pid} does not end")
        pid_file.unlink(missing_ok=True)


def is_daemon(tool: str, arguments: tuple[str, ...]) -> bool:
    return tool in ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw") and "--mkfs" not in arguments


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait(condition, patience_seconds: float) -> bool:
    end = time.monotonic() + patience_seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return bool(condition())


def wait_until(condition, otherwise: str) -> None:
    if not wait(condition, STEP_SECONDS):
        sys.exit(otherwise)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["up", "pause", "resume", "down"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8480)
    parser.add_argument("--day", type=int, default=10, help="seconds a lifecycle day lasts")
    options = parser.parse_args()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        print(f"missing: {' '.join(missing)}", file=sys.stderr)
        sys.exit("install them: apt-get install ceph-mon ceph-mgr ceph-osd radosgw ceph-common")
    cluster = Cluster(options.folder)
    if options.what == "up":
        for name, value in cluster.up(options.port, options.day).items():
            print(f"{name}={value}")
    else:
        getattr(cluster, options.what)()


if __name__ == "__main__":
    main()
