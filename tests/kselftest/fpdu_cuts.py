#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""usage: fpdu_cuts.py CAPTURE LEAST_PERCENT

Follow the MPA streams of a pcap file. Where TCP cuts the stream, that is at
the start of each packet and within a super-segment after every MSS octets, an
FPDU should start (RFC 5044, section 5). Prints for the busiest stream the
share of super-segments and of all packets whose every cut does. Fails if that
of the super-segments is below LEAST_PERCENT, or if there are none. A single
segment may be the rest of one that a full window split.
"""

import struct
import sys


def packets(path):
    """Yield the Ethernet frames of a pcap file."""
    with open(path, "rb") as f:
        data = f.read()
    magic = struct.unpack("<I", data[:4])[0]
    if magic not in (0xA1B2C3D4, 0xA1B23C4D):
        sys.exit("not a little-endian pcap file")
    pos = 24
    while pos + 16 <= len(data):
        caplen = struct.unpack("<I", data[pos + 8:pos + 12])[0]
        yield data[pos + 16:pos + 16 + caplen]
        pos += 16 + caplen


def tcp_of(frame):
    """Return (source, destination, TCP segment) or None."""
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == 0x0800:
        ip = frame[14:]
        head = (ip[0] & 15) * 4
        total = struct.unpack("!H", ip[2:4])[0] or len(ip)
        if ip[9] != 6:
            return None
        return ip[12:16], ip[16:20], ip[head:total]
    if kind == 0x86DD:
        ip = frame[14:]
        if ip[6] != 6:
            return None
        return ip[8:24], ip[24:40], ip[40:]
    return None


def options(opts):
    """Return (MSS or None, timestamps?)."""
    mss, stamps, i = None, False, 0
    while i < len(opts) and opts[i]:
        if opts[i] == 1:
            i += 1
            continue
        if opts[i] == 2:
            mss = struct.unpack("!H", opts[i + 2:i + 4])[0]
        if opts[i] == 8:
            stamps = True
        i += opts[i + 1] or 1
    return mss, stamps


class Stream:
    """One direction of a connection."""

    def __init__(self):
        self.isn = None
        self.mss = None
        self.stamps = False
        self.parts = {}
        self.segs = []

    def add(self, seq, payload):
        off = (seq - self.isn - 1) & 0xFFFFFFFF
        if off in self.parts:
            return
        self.parts[off] = payload
        self.segs.append((off, len(payload)))

    def octets(self):
        data = bytearray()
        for off in sorted(self.parts):
            if off > len(data):
                break
            data[off:off + len(self.parts[off])] = self.parts[off]
        return bytes(data)


def collect(path):
    streams = {}
    for frame in packets(path):
        tcp = tcp_of(frame)
        if not tcp:
            continue
        src, dst, seg = tcp
        sport, dport, seq = struct.unpack("!HHI", seg[:8])
        head = (seg[12] >> 4) * 4
        key = (src, sport, dst, dport)
        s = streams.setdefault(key, Stream())
        if seg[13] & 2:
            s.isn = seq
            s.mss, s.stamps = options(seg[20:head])
        elif s.isn is not None and len(seg) > head:
            s.add(seq, seg[head:])
    return streams


def fpdu_starts(data):
    """Offsets of FPDUs in a stream that begins with an MPA frame."""
    if not data.startswith(b"MPA ID Re"):
        return None
    pos = 20 + struct.unpack("!H", data[18:20])[0]
    starts = {0, pos}
    while pos + 2 <= len(data):
        length = struct.unpack("!H", data[pos:pos + 2])[0]
        pos += (2 + length + 3) // 4 * 4 + 4
        starts.add(pos)
    return starts


def main():
    path, least = sys.argv[1], float(sys.argv[2])
    streams = collect(path)
    if not streams:
        sys.exit("no TCP in the capture")
    key, s = max(streams.items(),
                 key=lambda kv: sum(n for _, n in kv[1].segs))
    back = streams.get((key[2], key[3], key[0], key[1]))
    starts = fpdu_starts(s.octets())
    if starts is None:
        sys.exit("the busiest stream is no MPA stream")
    mss = min(s.mss, back.mss) - (12 if s.stamps and back.stamps else 0)
    good = supers = good_supers = 0
    worst = []
    for off, n in s.segs:
        cuts = range(off, off + n, mss)
        bad = [c - off for c in cuts if c not in starts]
        good += not bad
        supers += n > mss
        good_supers += n > mss and not bad
        if bad:
            worst.append((off, n, bad[:3]))
    total = len(s.segs)
    share = 100 * good_supers / max(supers, 1)
    largest = max(n for _, n in s.segs)
    print(f"effective MSS {mss}, {total} packets, {supers} super-segments, "
          f"largest {largest}")
    print(f"{len(starts)} FPDUs, {share:.1f} % of the super-segments and "
          f"{100 * good / total:.1f} % of all packets are cut at FPDUs")
    for off, n, bad in worst[:5]:
        print(f"  packet at {off}, {n} octets: no FPDU starts at {bad}")
    if largest < 16384:
        sys.exit("no super-segment worth the name")
    if share < least:
        sys.exit(f"less than {least} %")


if __name__ == "__main__":
    main()
