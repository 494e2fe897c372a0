# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What the programs of tests/bench share: building, guests, tables."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.join(TOP, "build", "bench")
TOOLS = os.path.join(TOP, "build", "tools")

# In the order of the tables' columns.
NAMES = {"tcp": "TCP, blocking", "tcp-poll": "TCP, polling",
         "mainline": "mainline siw", "ours": "siw, CRC off",
         "ours-crc": "siw, CRC on",
         "ours-provider": "siw, CRC off, our provider"}

SPDX = ".. SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause"


def newest_kernel():
    return subprocess.check_output(
        [os.path.join(TOP, "tests/vm/kvers")], text=True).split()[-1]


def sh(*args, **kwargs):
    subprocess.run(args, check=True, cwd=TOP, **kwargs)


def make(*args):
    sh("make", "--no-print-directory", "-s", *args,
       stdout=subprocess.DEVNULL)


def module(kver):
    """The module that is measured: SIW_KO, or what this tree builds."""
    return os.environ.get("SIW_KO") or os.path.join(
        TOP, "build", kver, "siw.ko")


def build_tool(name, *more):
    sh("cc", "-O2", "-g", "-Wall", "-o", os.path.join(TOOLS, name),
       f"tests/bench/{name}.c", *more)


def build(kver, contenders):
    print("Building ...", flush=True)
    if not os.environ.get("SIW_KO"):
        make("module", "KVER=" + kver)
    os.makedirs(TOOLS, exist_ok=True)
    os.makedirs(OUT, exist_ok=True)
    build_tool("tcp_pp")
    build_tool("verbs_load", "tests/kselftest/rig.c", "-lrdmacm",
               "-libverbs", "-lpthread")
    sh("tests/interop/build-bindaddr")
    if "mainline" in contenders:
        sh("tests/interop/build-mainline", kver)
    if "ours-provider" in contenders and not os.environ.get(
            "SIW_BENCH_PROVIDER"):
        make("provider")


def guest(kver, name, limit, *command, options=()):
    """Run a script in a guest; its status."""
    return subprocess.call(
        ["tests/vm/run", "--kver", kver, "--time-limit", str(limit),
         "--name", name, *options, "--", *command], cwd=TOP)


def fetch(name, file, target):
    """Keep what a guest left in /out; False if it left nothing."""
    src = os.path.join(TOP, "build/vm", name, "out", file)
    if not os.path.exists(src):
        return False
    # copy() would copy a mode that only root can read
    shutil.copyfile(src, os.path.join(OUT, target))
    return True


def table(rows):
    """A table of reStructuredText, which is readable as it is; first row: head."""
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    rule = "  ".join("=" * w for w in widths)
    # An empty first cell would continue the row above, so none is.
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths)).rstrip()
             for r in rows]
    return [rule, lines[0], rule, *lines[1:], rule]


def publish(source, name):
    path = os.path.join(OUT, source)
    if os.path.exists(path):
        shutil.copyfile(path, os.path.join(TOP, "Documentation", name))


def check_contenders(parser, text):
    names = text.split(",")
    if not set(names) <= set(NAMES):
        parser.error("contenders are: " + " ".join(NAMES))
    # what waits by polling is measured in one go with what sleeps
    return [n for n in names if n != "tcp-poll"]


def number(value):
    """Three digits that count, more only where there are more before the point."""
    if value >= 100:
        return "%.0f" % value
    return "%.1f" % value if value >= 10 else "%.2f" % value


def exit_with(status):
    sys.stdout.flush()
    sys.exit(status)
