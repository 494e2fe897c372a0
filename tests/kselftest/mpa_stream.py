#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""usage: mpa_stream.py CAPTURE CRC LEAST

Follow both directions of each MPA connection in a pcap file, octet by octet (RFC
5044): the Request and Reply must both ask for markers; a marker stands at each
512th octet and leads to the FPDU around it; pads are zero; the CRC is right if
CRC (on or off) says that there is one, and zero if not. Fails for the first fault, if
CRC was negotiated otherwise, or if a direction of the busiest connection has
fewer markers than LEAST.
"""

import struct
import sys

from fpdu_cuts import collect

MARKERS, CRC = 0x80, 0x40
SPACE = 512


def crc_table():
    table = []
    for octet in range(256):
        for _ in range(8):
            octet = octet >> 1 ^ (0x82F63B78 if octet & 1 else 0)
        table.append(octet)
    return table


TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for octet in data:
        crc = crc >> 8 ^ TABLE[(crc ^ octet) & 255]
    return crc ^ 0xFFFFFFFF


def startup(data):
    """Return (flags, octets) of an MPA startup frame, or None."""
    if len(data) < 20 or not data.startswith(b"MPA ID Re"):
        return None
    return data[16], 20 + struct.unpack("!H", data[18:20])[0]


class Walk:
    """A marked stream from its first octet of full operation on."""

    def __init__(self, data, crc):
        self.data, self.crc = data, crc
        self.pos = self.markers = self.fpdus = self.checked = self.edges = 0

    def take(self, count, begin):
        """That many octets without markers; begin: where the FPDU's length is."""
        got = bytearray()
        while len(got) < count:
            if self.pos % SPACE == 0:
                self.marker(begin)
            n = min(count - len(got), SPACE - self.pos % SPACE)
            if self.pos + n > len(self.data):
                raise EOFError
            got += self.data[self.pos:self.pos + n]
            self.pos += n
        return bytes(got)

    def marker(self, begin):
        if self.pos + 4 > len(self.data):
            raise EOFError
        reserved, ptr = struct.unpack_from("!HH", self.data, self.pos)
        back = 0 if begin is None else self.pos - begin
        if reserved or ptr != back:
            sys.exit(f"marker at {self.pos}: {reserved:04x} {ptr}, not 0 {back}")
        self.markers += 1
        self.pos += 4

    def fpdu(self):
        start = self.pos
        if self.pos % SPACE == 0:
            self.marker(None)
        begin = self.pos
        size = struct.unpack("!H", self.take(2, begin))[0]
        self.take(size, begin)
        if any(self.take(-(2 + size) % 4, begin)):
            sys.exit(f"FPDU at {begin}: pad is not zero")
        # a marker in front of the CRC belongs to this FPDU
        if self.pos % SPACE == 0:
            self.marker(begin)
        covered = self.data[start:self.pos]
        field = struct.unpack("<I", self.take(4, begin))[0]
        self.fpdus += 1
        if not self.crc and field:
            sys.exit(f"FPDU at {begin}: CRC {field:08x} though it is off")
        self.edges += self.pos % SPACE == 0
        if self.crc:
            self.checked += 1
            if field != crc32c(covered):
                sys.exit(f"FPDU at {begin}: wrong CRC {field:08x}")

    def run(self):
        try:
            while self.pos < len(self.data):
                self.fpdu()
        except EOFError:
            pass


def main():
    path, crc, least = sys.argv[1], sys.argv[2] == "on", int(sys.argv[3])
    streams = collect(path)
    best = edges = 0
    for (src, sport, dst, dport), s in streams.items():
        back = streams.get((dst, dport, src, sport))
        data = s.octets()
        if not data.startswith(b"MPA ID Req") or back is None:
            continue
        walks = []
        frames = startup(data), startup(back.octets())
        if None in frames:
            sys.exit("no Reply")
        for flags, _ in frames:
            if not flags & MARKERS:
                sys.exit("markers are not asked for in both directions")
        if bool((frames[0][0] | frames[1][0]) & CRC) != crc:
            sys.exit("CRC was negotiated otherwise")
        for octets, (_, skip) in zip((data, back.octets()), frames):
            walk = Walk(octets[skip:], crc)
            walk.run()
            print(f"port {sport if octets is data else dport}: {walk.fpdus} FPDUs, "
                  f"{walk.markers} markers, {walk.checked} CRCs computed")
            walks.append(walk.markers)
            edges += walk.edges
        best = max(best, min(walks))
    print(f"{edges} FPDUs end where a marker begins")
    if best < least:
        sys.exit(f"no connection with {least} markers in both directions")


if __name__ == "__main__":
    main()
