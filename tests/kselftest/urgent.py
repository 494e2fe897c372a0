#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""usage: urgent.py ADDRESS PORT

Be a peer that marks an octet in the middle of an FPDU as urgent (TCP's, RFC 6093),
then breaks a rule of RDMAP. Who reads on answers with a Terminate.
"""

import socket
import struct
import sys

from mpa_stream import crc32c

REQUEST = b"MPA ID Req Frame" + struct.pack("!BBH", 0x40, 1, 16)
# what "app" exchanges: address, STag, length
REGION = struct.pack("=QLL", 0x1000, 0x12345678, 65536)
TERMINATE = 7


def write_of_nothing(version):
    ulpdu = struct.pack("!BBLQ", 0xC1, version << 6, 0x12345678, 0x1000)
    fpdu = struct.pack("!H", len(ulpdu)) + ulpdu
    return fpdu + struct.pack("<I", crc32c(fpdu))


def take(s, count):
    data = s.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        raise SystemExit("the stream ends without a Terminate")
    return data


def main():
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.settimeout(10)
    s.connect((sys.argv[1], int(sys.argv[2])))
    s.sendall(REQUEST + REGION)
    reply = take(s, 20)
    take(s, struct.unpack("!H", reply[18:])[0])
    good = write_of_nothing(1)
    s.send(good[:7])
    s.send(good[7:8], socket.MSG_OOB)
    s.sendall(good[8:] + write_of_nothing(3))
    while True:
        size = struct.unpack("!H", take(s, 2))[0]
        fpdu = take(s, size + -(2 + size) % 4 + 4)
        if fpdu[1] & 15 == TERMINATE:
            break
    # behind the DDP header: layer and type, code
    layer, code = fpdu[18], fpdu[19]
    print(f"Terminate {layer >> 4} {layer & 15} {code}")
    if (layer, code) != (0x02, 5):
        raise SystemExit("not RDMAP's: invalid version")


if __name__ == "__main__":
    sys.exit(main())
