#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""usage: rst.py NETDEV PORT PACKETS

Let PACKETS TCP/IPv4 packets of a connection from or to PORT leave through
NETDEV, then forge resets in the name of this end, behind each packet, until nothing
is sent for a second. A reset counts at the other end only where it expects the next
octet: one of them will be right.
"""

import socket
import struct
import sys

ETH, FIN, RST = 14, 1, 4


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def reset_behind(frame):
    """The frame of a reset that follows this one."""
    ip = ETH + 20
    src, dst = frame[ETH + 12:ETH + 16], frame[ETH + 16:ETH + 20]
    ports, seq = frame[ip:ip + 4], struct.unpack("!L", frame[ip + 4:ip + 8])[0]
    length = struct.unpack("!H", frame[ETH + 2:ETH + 4])[0] - 20 - \
        (frame[ip + 12] >> 4) * 4 + (frame[ip + 13] & FIN)
    tcp = ports + struct.pack("!LLBBHHH", (seq + length) & 0xFFFFFFFF, 0,
                              5 << 4, RST, 0, 0, 0)
    pseudo = src + dst + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64,
                       socket.IPPROTO_TCP, 0) + src + dst
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return frame[:ETH] + head + tcp


def main():
    netdev, port, packets = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((netdev, 3))
    s.settimeout(10)
    sent = 0
    while True:
        try:
            frame, addr = s.recvfrom(128)
        except socket.timeout:
            break
        if addr[2] != socket.PACKET_OUTGOING or addr[1] != 0x0800 or \
           frame[ETH + 9] != socket.IPPROTO_TCP or frame[ETH] != 0x45:
            continue
        if port not in struct.unpack("!HH", frame[ETH + 20:ETH + 24]) or \
           frame[ETH + 33] & RST:
            continue
        packets -= 1
        if packets < 0:
            s.send(reset_behind(frame))
            s.settimeout(1)
            sent += 1
    print(f"{sent} resets")
    return 0 if sent else 1


if __name__ == "__main__":
    sys.exit(main())
