# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What the raw samples of tests/bench/guest say: table and goals."""

import csv
import statistics

import common

# What of TCP a test is compared with, by those who wait in the same way.
STREAMS = ("write_bw", "send_bw", "read_bw")
TCP = {**{t: "stream" for t in STREAMS},
       "send_lat": "pingpong", "write_lat": "pingpong",
       "send_lat_events": "pingpong", "memory": "memory",
       "memory_all": "memory_all", "sweep_bw": "sweep_bw",
       "sweep_lat": "sweep_lat"}


def load(path):
    """({(test, size, mtu): {contender: {round: value}}}, {test: unit})"""
    samples, units = {}, {}
    with open(path, encoding="utf-8", newline="") as f:
        for r in csv.DictReader(f):
            key = r["test"], int(r["size"]), int(r["mtu"])
            cells = samples.setdefault(key, {})
            cells.setdefault(r["contender"], {})[int(r["round"])] = float(
                r["value"])
            units[r["test"]] = r["unit"]
    return samples, units


def load_costs(path):
    """{(contender, test, size, mtu): [instructions a message]}"""
    found = {}
    with open(path, encoding="utf-8", newline="") as f:
        for r in csv.DictReader(f):
            key = (r["contender"], r["test"], int(r["size"]), int(r["mtu"]))
            found.setdefault(key, []).append(float(r["instructions"]))
    return found


def of(samples, test, size, mtu, contender):
    """The samples by round; TCP has its own test for each of verbs."""
    if contender.startswith("tcp"):
        test = TCP.get(test, test)
    return samples.get((test, size, mtu), {}).get(contender, {})


def ratios(mine, other):
    """Paired: each round by itself."""
    return [mine[r] / other[r] for r in sorted(mine)
            if other.get(r)]


def spread(values, digits=None):
    if not values:
        return "--"

    def show(v):
        return common.number(v) if digits is None else "%.*f" % (digits, v)
    return "%s (%s-%s)" % (show(statistics.median(values)),
                           show(min(values)), show(max(values)))


def is_row(key):
    return not key[0].startswith("sweep_") and key[0] not in (
        "stream", "pingpong", "qperf_stream", "qperf_pingpong")


def columns(samples):
    seen = {c for cells in samples.values() for c in cells}
    return [n for n in common.NAMES if n in seen]


def figures(samples, units):
    """Rows of the table of medians: a column for each contender."""
    names = columns(samples)
    rows = [["test", "octets", "MTU", "unit"] +
            [common.NAMES[n] for n in names]]
    for key in samples:
        if is_row(key):
            cells = [spread(list(of(samples, *key, n).values()))
                     for n in names]
            rows.append([key[0], str(key[1]) if key[1] else "--",
                         str(key[2]), units[key[0]]] + cells)
    for test in ("qperf_stream", "qperf_pingpong"):
        for key in samples:
            if key[0] == test:
                rows.append([test, str(key[1]), str(key[2]), units[test]] + [
                    spread(list(samples[key].get(n, {}).values()))
                    for n in names])
    return rows


# ---------------------------------------------------------------------- goals

class Goal:
    """One thing that must be reached: a ratio, or a value, and its bound.

    what: of whom or what the figure is; mine, other: (test, size, mtu) and who;
    without other the value itself counts. at_least tells the direction.
    """

    def __init__(self, title, what, bound, mine, other=None, at_least=True):
        self.title = title
        self.what = what
        self.bound = bound
        self.mine = mine
        self.other = other
        self.at_least = at_least

    def values(self, samples, contender):
        mine = of(samples, *self.mine, contender)
        if self.other is None:
            return list(mine.values())
        key, name = self.other
        return ratios(mine, of(samples, *key, name or contender))

    def verdict(self, value):
        good = value >= self.bound if self.at_least else value <= self.bound
        return "yes" if good else "NO"

    def must(self):
        return "%s %.3g" % (">=" if self.at_least else "<=", self.bound)


def bandwidth_goals(mtu, jumbo):
    goals = []
    for size, name in ((65536, "64 KiB"), (1048576, "1 MiB")):
        for test in ("write_bw", "send_bw"):
            key = test, size, mtu
            title = f"{test[:-3]} bandwidth {name}, MTU {mtu}"
            goals += [Goal(title, "mainline", 10, key, (key, "mainline")),
                      Goal(title, "TCP", 0.8, key, (key, "tcp"))]
            if jumbo:
                key = test, size, jumbo
                goals.append(Goal(
                    f"{test[:-3]} bandwidth {name}, MTU {jumbo}", "TCP", 0.95,
                    key, (key, "tcp")))
    goals.sort(key=lambda g: g.mine[2] != mtu)
    key = "write_bw", 4096, mtu
    goals.append(Goal("write bandwidth 4 KiB", "mainline", 5, key,
                      (key, "mainline")))
    key = "read_bw", 65536, mtu
    goals.append(Goal("read bandwidth 64 KiB", "our write", 0.8, key,
                      (("write_bw", 65536, mtu), None)))
    return goals


def latency_goals(mtu):
    goals = []
    for test in ("send_lat", "write_lat"):
        title = f"{test[:-4]} latency 64 B"
        key = test, 64, mtu
        for what, bound, name in (("mainline", 0.85, "mainline"),
                                  ("blocking TCP", 1 / 3, "tcp"),
                                  ("polling TCP", 1.15, "tcp-poll")):
            goals.append(Goal(title, what, bound, key, (key, name), False))
    for test in ("send_lat", "write_lat"):
        key = test, 4096, mtu
        goals.append(Goal(f"{test[:-4]} latency 4 KiB", "mainline", 0.5, key,
                          (key, "mainline"), False))
    for test in ("send_rate", "write_rate"):
        key = test, 64, mtu
        goals.append(Goal(f"{test[:-5]} rate 64 B, lists of 32", "mainline",
                          4, key, (key, "mainline")))
    key = "send_lat_events", 64, mtu
    goals.append(Goal("send latency 64 B, events", "blocking TCP", 1.15, key,
                      (key, "tcp"), False))
    return goals


def many_goals(mtu):
    return [
        Goal("64 QPs, write 64 KiB, total", "one QP", 1,
             ("write_bw_64qps", 65536, mtu),
             (("write_bw", 65536, mtu), None)),
        Goal("64 QPs, mixed sizes, total", "one QP", 1,
             ("mixed_64qps", 0, mtu), (("mixed_1qp", 0, mtu), None)),
        Goal("64 QPs, mixed sizes, best served QP", "worst", 2,
             ("mixed_64qps_spread", 0, mtu), None, False),
        Goal("64 QPs, a size each, best served QP", "worst of its size", 2,
             ("own_64qps_spread", 0, mtu), None, False)]


def memory_rows(samples, mtu, names):
    """Beyond what a TCP socket of an application costs."""
    tcp = of(samples, "memory", 0, mtu, "tcp")
    if not tcp:
        return []
    row = ["memory of an idle QP, octets", "--", "<= 16384"]
    for n in names:
        mine = [v - statistics.median(tcp.values())
                for v in of(samples, "memory", 0, mtu, n).values()]
        row += [spread(mine, 0), "--" if not mine else
                "yes" if statistics.median(mine) <= 16384 else "NO"]
    return [row]


def crc_row(costs, mtu, names):
    """Of instructions, so by tests/bench/cost; our provider changes nothing."""
    off = costs.get(("ours", "write", 65536, mtu))
    on = costs.get(("ours-crc", "write", 65536, mtu))
    row = ["write 64 KiB with CRC, instructions", "CRC off", "<= 1.6"]
    if not off or not on:
        return [row + ["--", "--"] * len(names)]
    ratio = statistics.median(on) / statistics.median(off)
    return [row + ["%.2f" % ratio, "yes" if ratio <= 1.6 else "NO"] +
            ["--", "--"] * (len(names) - 1)]


def goals(samples, costs, mtus, full):
    """Rows of the table of goals; what was not measured shows as "--"."""
    names = [n for n in ("ours", "ours-provider") if n in columns(samples)]
    rows = [["goal", "against", "must reach"]]
    for n in names:
        rows[0] += [common.NAMES[n].replace("siw, CRC off", "siw"), "reached"]
    everything = (bandwidth_goals(mtus[0], mtus[1] if mtus[1:] else 0) +
                  latency_goals(mtus[0]) + many_goals(mtus[0]))
    for g in everything:
        row = [g.title, g.what, g.must()]
        for n in names:
            values = g.values(samples, n)
            row += [spread(values, 2), "--" if not values else
                    g.verdict(statistics.median(values))]
        if full or "--" not in row[3]:
            rows.append(row)
    if full:
        rows += crc_row(costs, mtus[0], names)
        rows += memory_rows(samples, mtus[0], names)
    return [["--" if not c else c for c in r] for r in rows]
