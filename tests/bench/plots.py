# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Plots of the samples of tests/bench/guest, by gnuplot."""

import statistics
import subprocess
import sys

import common
import report

# (test, title, axis of x, axis of y, smallest y, where the legend goes)
CURVES = [("sweep_bw", "Bandwidth of writes over size", "octets", "MB/s"),
          ("sweep_lat", "Latency of sends over size", "octets",
           "us, one way"),
          ("sweep_qps", "Writes of 64 octets over queue pairs",
           "queue pairs", "messages/s")]


def curve(samples, mtu, test, title, x, y):
    """One plot: a line for each contender with its points."""
    sizes = sorted(k[1] for k in samples if k[0] == test and k[2] == mtu)
    if len(sizes) < 2:
        return ""
    blocks, plots = [], []
    for n in report.columns(samples):
        points = []
        for size in sizes:
            values = list(samples[test, size, mtu].get(n, {}).values())
            if values:
                points.append("%d %g" % (size, statistics.median(values)))
        if points:
            name = f"${test}{len(plots)}"
            blocks.append("%s << EOD\n%s\nEOD" % (name, "\n".join(points)))
            plots.append(f"{name} using 1:2 with linespoints title "
                         f"'{common.NAMES[n]}'")
    return ("\n".join(blocks) + f"\nset title '{title}, MTU {mtu}'\n"
            f"set xlabel '{x}'\nset ylabel '{y}'\n"
            "plot " + ", ".join(plots) + "\n")


def write(samples, path, mtu):
    parts = [p for p in (curve(samples, mtu, *c) for c in CURVES) if p]
    if not parts:
        return
    script = (f"set terminal svg size {480 * len(parts)},420 font 'sans,11'\n"
              f"set output '{path}'\nset multiplot layout 1,{len(parts)}\n"
              "set logscale xy\nset format x '%.0f'\nset format y '%.0f'\n"
              "set xtics rotate by -40\n"
              "set grid\nset key outside below\n" + "".join(parts) +
              "unset multiplot\n")
    try:
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as e:
        print(f"no plot: {e}", file=sys.stderr)
