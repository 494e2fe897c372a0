#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""usage: lifecycle.py PROGRAMS SEED SECONDS

Users of siw1 and siw2 come and go while everything below them does, too.
Several users at once connect, transfer, run test cases, read what there is to read,
and are killed somewhere in between; one administrator deletes and adds links,
netdevs, addresses, namespaces and the module, in any order.

Nobody minds what a user is told. What counts is that each command of the
administrator succeeds in bounded time, that each user can be killed, and (lifecycle.sh
looks) that nothing is left and the kernel is silent.

What each of them does, and in which order, follows from SEED; when, from the
machine. PROGRAMS is the folder of the test programs.
"""

import collections
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

USERS = 4
SLOW = float(os.environ.get("KSFT_SLOW", "1"))
SIW_KO = os.environ.get("SIW_KO", "")
# Seconds after which a command of the administrator, or the end of a process
# that was killed, hangs. Many are busy at the same time.
LIMIT = 40 * SLOW
CLONE_NEWNET = 0x40000000

CASES = {
    "cm_test": ["basic", "pdata", "reject", "depths", "loop", "many_client",
                "restart", "server_", "self_", "listen_tcp", "bye_exit"],
    "data_test": ["write_sizes", "read_sizes", "send_sizes", "both_ways",
                  "threads", "srq_shared", "late_receives", "order"],
    "error_test": ["flush_", "viol_", "destroy_busy", "recv_",
                   "scribbled_rings"],
    "verbs_test": ["qp_", "mr_", "cq_", "srq_", "ring_memlock", "abandon"],
    "mw_test": ["type1_", "type2_", "left_bound", "refuses_"],
    "rdv_test": ["active_first", "passive_first", "work_waits_", "self",
                 "many", "destroy_waiting", "nobody", "hostile", "triangle"],
}

LOOKS = [
    "rdma resource show", "rdma -d resource show qp",
    "rdma -d resource show cm_id", "rdma -d resource show mr",
    "rdma resource show cq", "rdma resource show pd", "rdma -d link show",
    "rdma statistic show", "ibv_devinfo -v",
    "grep -rsH . /sys/class/infiniband",
]


class Hang(Exception):
    """Something did not end in time."""


class Storm:
    """What the threads share."""

    def __init__(self, programs, seed, seconds):
        self.programs, self.seed = programs, seed
        self.end = time.monotonic() + seconds
        self.start = time.monotonic()
        self.count = collections.Counter()
        self.lock = threading.Lock()
        self.trouble = []
        path = "/out/lifecycle.log" if os.path.isdir("/out") else \
            os.path.join(tempfile.gettempdir(), "lifecycle.log")
        self.log = open(path, "w", encoding="utf-8")

    def over(self):
        return self.trouble or time.monotonic() >= self.end

    def did(self, who, what):
        with self.lock:
            self.count[what.split(":")[0]] += 1
            self.log.write("%8.3f %s %s\n" %
                           (time.monotonic() - self.start, who, what))
            self.log.flush()

    def thread(self, who, turn):
        """Take turns until the end, or until something is wrong."""
        rng = random.Random(f"{self.seed}/{who}")
        try:
            while not self.over():
                turn(rng)
        except Exception as e:  # pylint: disable=broad-except
            with self.lock:
                self.trouble.append(f"{who}: {type(e).__name__}: {e}")


# ---------------------------------------------------------------- processes

def start(args, out=subprocess.DEVNULL):
    return subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=out,
                            stderr=subprocess.STDOUT, start_new_session=True)


def kill(p, sig=signal.SIGKILL):
    try:
        os.killpg(p.pid, sig)
    except ProcessLookupError:
        pass


def reap(p):
    """The end of a process that was killed."""
    kill(p)
    try:
        p.wait(LIMIT)
    except subprocess.TimeoutExpired as e:
        raise Hang(f"process {p.pid} cannot be killed: {p.args}") from e


def command(args):
    """A command that must end; returns (status, output)."""
    with tempfile.TemporaryFile() as out:
        p = start(args, out)
        try:
            p.wait(LIMIT)
        except subprocess.TimeoutExpired as e:
            with open("/proc/sysrq-trigger", "w", encoding="ascii") as f:
                f.write("w")
            raise Hang(f"no end of {' '.join(args)}") from e
        out.seek(0)
        return p.returncode, out.read().decode(errors="replace").strip()


# -------------------------------------------------------------------- users

def says(p, path, word, seconds):
    """Does it, before it ends, and in time?"""
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        over = p.poll() is not None
        with open(path, encoding="utf-8", errors="replace") as f:
            if word in f.read():
                return True
        if over:
            return False
        time.sleep(0.05)
    return False


class User:
    """Someone who uses the devices."""

    def __init__(self, storm, number):
        self.storm, self.who = storm, f"user{number}"
        self.port = 20000 + 5000 * number
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.acts = [self.talk] * 5 + [self.case] * 4 + \
            [self.look] * 2 + [self.hold, self.strange]

    def turn(self, rng):
        rng.choice(self.acts)(rng)

    def program(self, name):
        return os.path.join(self.storm.programs, name)

    def talk(self, rng, patience=5):
        """Two processes in full traffic, ended in any way."""
        how = rng.choice(["client", "server", "both", "stopped", "term"])
        lives = rng.uniform(0, 1.5) * SLOW
        self.port += 1
        with tempfile.NamedTemporaryFile() as out, \
                tempfile.NamedTemporaryFile() as told:
            server = start([self.program("app"), "serve", "10.0.0.1",
                            str(self.port)], out)
            says(server, out.name, "listening", patience)
            client = start([self.program("app"), "stream", "10.0.0.1",
                            str(self.port)], told)
            try:
                if says(client, told.name, "running", patience):
                    self.storm.did(self.who, "traffic:")
                time.sleep(lives)
                if how == "stopped":
                    kill(server, signal.SIGSTOP)
                    time.sleep(lives / 2)
                elif how == "term":
                    kill(client, signal.SIGTERM)
                    says(server, out.name, "told", 1)
                first = client if how == "client" else server
                kill(first)
                if how != "both":
                    time.sleep(rng.uniform(0, 0.2))
            finally:
                reap(server)
                reap(client)
        self.storm.did(self.who, f"talk: {how}")

    def case(self, rng):
        """A test program, killed in the middle of what it tests."""
        name = rng.choice(sorted(CASES))
        what = rng.choice(CASES[name])
        six = rng.choice([[], ["-6"]]) if name == "cm_test" else []
        lives = rng.uniform(0.1, 3) * SLOW
        p = start([self.program(name), *six, what])
        try:
            p.wait(lives)
        except subprocess.TimeoutExpired:
            pass
        finally:
            reap(p)
        self.storm.did(self.who, f"case: {name} {what}")

    def hold(self, rng):
        p = start([self.program("app"), "hold", rng.choice(["siw1", "siw2"])])
        try:
            p.wait(rng.uniform(0.1, 2) * SLOW)
        except subprocess.TimeoutExpired:
            pass
        finally:
            reap(p)
        self.storm.did(self.who, "hold:")

    def look(self, rng):
        what = rng.choice(LOOKS)
        command(what.split())
        self.storm.did(self.who, f"look: {what}")

    def socket_in(self, name):
        """A TCP socket in a namespace, which it keeps alive."""
        old = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        new = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            if self.libc.setns(new, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            return socket.socket()
        finally:
            self.libc.setns(old, CLONE_NEWNET)
            os.close(old)
            os.close(new)

    def strange(self, rng):
        """TCP peers that connect to a listener and send nothing of sense."""
        self.port += 1
        crowd = []
        lives = rng.uniform(0, 2) * SLOW
        frames = [rng.choice([b"", b"MPA ID Req Frame", rng.randbytes(100)])
                  for _ in range(16)]
        server = start([self.program("app"), "serve", "10.0.0.1",
                        str(self.port)])
        time.sleep(0.3 * SLOW)
        for frame in frames:
            try:
                s = self.socket_in("h2")
                crowd.append(s)
                s.settimeout(0.5)
                s.connect(("10.0.0.1", self.port))
                s.sendall(frame)
            except OSError:
                pass
        time.sleep(lives)
        reap(server)
        for s in crowd:
            s.close()
        self.storm.did(self.who, "strange:")


# ------------------------------------------------------------ administrator

class Admin:
    """The one who changes what the users stand on."""

    def __init__(self, storm):
        self.storm, self.who = storm, "admin"
        self.acts = [self.del_link] * 4 + [self.flap] * 2 + \
            [self.addresses] * 3 + [self.set_mtu, self.rename, self.settings,
                                    self.del_netdev, self.del_netdev,
                                    self.move, self.del_netns, self.reload,
                                    self.reload]

    def do(self, text):
        """A command that has no reason to fail."""
        status, out = command(text.split())
        if status:
            raise Hang(f"status {status} of {text}: {out}")

    def try_(self, text):
        return command(text.split())[0] == 0

    def turn(self, rng):
        act = rng.choice(self.acts)
        time.sleep(rng.uniform(0, 0.8) * SLOW)
        pause = rng.uniform(0, 0.3) * SLOW
        what = act(rng, pause) or ""
        self.build()
        self.storm.did(self.who, f"{act.__name__}: {what}")

    def build(self):
        """Whatever is missing."""
        if not os.path.isdir("/sys/module/siw"):
            self.do(f"insmod {SIW_KO}" if SIW_KO else "modprobe siw")
        for n in "12":
            if not os.path.exists(f"/run/netns/h{n}"):
                self.do(f"ip netns add h{n}")
                self.do(f"ip -n h{n} link set lo up")
        if not self.try_("ip -n h1 link show eth1"):
            self.try_("ip -n h2 link del eth2")
            self.cable()
        for n in "12":
            if not os.path.exists(f"/sys/class/infiniband/siw{n}"):
                self.do(f"ip netns exec h{n} rdma link add siw{n} type siw "
                        f"netdev eth{n}")

    def gone(self, devices="12"):
        """They follow their netdevs, which are no more."""
        end = time.monotonic() + LIMIT
        for n in devices:
            while os.path.exists(f"/sys/class/infiniband/siw{n}"):
                if time.monotonic() > end:
                    raise Hang(f"siw{n} outlives its netdev")
                time.sleep(0.05)

    def cable(self):
        self.do("ip link add eth1 netns h1 type veth peer name eth2 netns h2")
        for n in "12":
            self.dress(n)

    def dress(self, n):
        """Addresses of a netdev that is new in its namespace."""
        self.do(f"ip -n h{n} addr replace 10.0.0.{n}/24 dev eth{n}")
        self.do(f"ip -n h{n} link set eth{n} up")
        # not with an MTU below 1280
        self.try_(f"ip -n h{n} addr replace fd00::{n}/64 dev eth{n} nodad")

    def del_link(self, rng, pause):
        n = rng.choice(["1", "2", "12"])
        for d in n:
            self.do(f"rdma link del siw{d}")
        time.sleep(pause)
        return n

    def flap(self, rng, pause):
        n = rng.choice("12")
        self.do(f"ip -n h{n} link set eth{n} down")
        time.sleep(pause)
        self.dress(n)
        return n

    def addresses(self, rng, pause):
        n = rng.choice("12")
        own = rng.random() < 0.5
        a = f"10.0.0.{n}/24" if own else f"10.0.77.{n}/24"
        if not own:
            self.do(f"ip -n h{n} addr add {a} dev eth{n}")
        time.sleep(pause)
        self.do(f"ip -n h{n} addr del {a} dev eth{n}")
        if own:
            self.do(f"ip -n h{n} addr add {a} dev eth{n}")
        return a

    def set_mtu(self, rng, _):
        mtu = rng.choice([600, 1450, 1500, 9000])
        for n in "12":
            self.do(f"ip -n h{n} link set eth{n} mtu {mtu}")
            self.dress(n)
        return mtu

    def rename(self, rng, pause):
        n = rng.choice("12")
        self.do(f"rdma dev set siw{n} name siwx")
        time.sleep(pause)
        self.do(f"rdma dev set siwx name siw{n}")
        return n

    def settings(self, rng, _):
        n = rng.choice("12")
        name, value = rng.choice([
            ("crc", "off"), ("crc", "on"), ("markers", "on"),
            ("markers", "off"), ("mpa_rev", "1"), ("mpa_rev", "2"),
            ("rtr", "read"), ("rtr", "write"), ("rnr_wait", "0"),
            ("rnr_wait", "1000"), ("p2p", "0"), ("p2p", "1")])
        path = f"/sys/class/infiniband/siw{n}/siw/{name}"
        with open(path, "w", encoding="ascii") as f:
            f.write(value)
        return f"siw{n} {name} {value}"

    def del_netdev(self, rng, pause):
        n = rng.choice("12")
        self.do(f"ip -n h{n} link del eth{n}")
        time.sleep(pause)
        self.gone()
        return n

    def move(self, rng, pause):
        """To another namespace and back; its addresses do not travel."""
        n = rng.choice("12")
        self.do("ip netns add h3")
        self.do(f"ip -n h{n} link set eth{n} netns h3")
        time.sleep(pause)
        self.do(f"ip -n h3 link set eth{n} netns h{n}")
        self.do("ip netns del h3")
        self.dress(n)
        return n

    def del_netns(self, rng, pause):
        """It ends for good when its last user does, its netdev here."""
        n = rng.choice("12")
        self.do(f"ip netns del h{n}")
        time.sleep(pause)
        self.try_(f"ip -n h{3 - int(n)} link del eth{3 - int(n)}")
        self.gone()
        return n

    def reload(self, rng, pause):
        for n in "12":
            self.do(f"rdma link del siw{n}")
        end = time.monotonic() + LIMIT
        while not self.try_("rmmod siw"):
            if time.monotonic() > end:
                self.do("rmmod siw")
            time.sleep(0.1)
        time.sleep(pause)


def main():
    programs, seed, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    storm = Storm(programs, seed, seconds)
    threads = [threading.Thread(target=storm.thread,
                                args=("admin", Admin(storm).turn))]
    for i in range(USERS):
        u = User(storm, i)
        threads.append(threading.Thread(target=storm.thread,
                                        args=(u.who, u.turn)))
    # One in peace: afterwards it may be that nobody gets a connection.
    User(storm, USERS).talk(random.Random(seed), 40)
    if not storm.count["traffic"]:
        print("no connection in peace")
        return 1
    storm.end += time.monotonic() - storm.start
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(f"seed {seed}, {time.monotonic() - storm.start:.0f} s:",
          ", ".join(f"{n} {what}" for what, n in
                    sorted(storm.count.items())))
    for text in storm.trouble:
        print(text)
    if storm.trouble:
        storm.log.close()
        with open(storm.log.name, encoding="utf-8") as f:
            sys.stdout.writelines(f.readlines()[-30:])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
