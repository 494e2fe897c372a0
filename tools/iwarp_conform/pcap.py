# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A capture file made from traces: Ethernet, IP and TCP around the octets seen by PEER."""

import ipaddress
import struct

MAGIC, ETHERNET = 0xa1b2c3d4, 1
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SEGMENT = 16384         # octets a frame at most
SNAP = 65535


def checksum(data):
    """The Internet checksum."""
    if len(data) % 2:
        data += b'\0'
    total = sum(struct.unpack('>%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Flow:
    """Both directions of one TCP connection."""

    def __init__(self, trace):
        self.ends = [self._end(trace.local), self._end(trace.remote)]
        self.seq = [1000, 5000]

    @staticmethod
    def _end(address):
        host = ipaddress.ip_address(address[0].split('%')[0])
        if host.version == 6 and host.ipv4_mapped:
            host = host.ipv4_mapped
        return host, address[1]

    def frame(self, way, flags, data=b''):
        """A frame sent by PEER (way 0) or by the DUT (way 1)."""
        (src, sport), (dst, dport) = self.ends[way], self.ends[1 - way]
        ack = self.seq[1 - way] if flags & ACK else 0
        tcp = struct.pack('>HHIIBBHHH', sport, dport, self.seq[way] & 0xffffffff,
                          ack & 0xffffffff, 5 << 4, flags, 65535, 0, 0)
        pseudo = src.packed + dst.packed + struct.pack(
            '>BBH' if src.version == 4 else '>IHBB',
            *((0, 6, 20 + len(data)) if src.version == 4 else (20 + len(data), 0, 0, 6)))
        tcp = tcp[:16] + struct.pack('>H', checksum(pseudo + tcp + data)) + tcp[18:]
        self.seq[way] += len(data) + (1 if flags & (SYN | FIN) else 0)
        return self._ethernet(way, self._ip(src, dst, tcp + data))

    @staticmethod
    def _ip(src, dst, body):
        if src.version == 6:
            return (struct.pack('>IHBB', 6 << 28, len(body), 6, 64) + src.packed + dst.packed
                    + body)
        head = struct.pack('>BBHHHBBH', 0x45, 0, 20 + len(body), 1, 0x4000, 64, 6, 0)
        head += src.packed + dst.packed
        return head[:10] + struct.pack('>H', checksum(head)) + head[12:] + body

    def _ethernet(self, way, packet):
        macs = b'\x02\0\0\0\0\x01', b'\x02\0\0\0\0\x02'
        kind = 0x0800 if self.ends[0][0].version == 4 else 0x86dd
        return macs[1 - way] + macs[way] + struct.pack('>H', kind) + packet


def _frames(trace):
    """(time, frame) of one connection."""
    flow = Flow(trace)
    yield 0, flow.frame(0, SYN)
    yield 0, flow.frame(1, SYN | ACK)
    yield 0, flow.frame(0, ACK)
    for at, kind, data in trace.items:
        if kind in '<>':
            way = 0 if kind == '>' else 1
            for i in range(0, len(data), SEGMENT):
                yield at, flow.frame(way, PSH | ACK, bytes(data[i:i + SEGMENT]))
        elif kind in 'FfRr':
            yield at, flow.frame(0 if kind in 'FR' else 1, (FIN if kind in 'Ff' else RST) | ACK)


def write(path, traces):
    """All connections of a case into one file, in the order of time."""
    frames = sorted(((t.start + at, n, frame) for n, t in enumerate(traces)
                     for at, frame in _frames(t)), key=lambda x: x[0])
    with open(path, 'wb') as out:
        out.write(struct.pack('>IHHiIII', MAGIC, 2, 4, 0, 0, SNAP, ETHERNET))
        for when, _, frame in frames:
            out.write(struct.pack('>IIII', int(when), int(when % 1 * 1e6), len(frame),
                                  len(frame)) + frame)
