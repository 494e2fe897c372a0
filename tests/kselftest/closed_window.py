#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""usage: closed_window.py ADDRESS PORT...

Be a peer that connects to "app serve" on each PORT, offers a buffer for its Writes,
and never reads what comes: TCP's window closes and stays so. Prints "closed" when
all are connected, and ends when its input does.
"""

import socket
import struct
import sys

# RFC 5044 7.1: key, CRC, revision 1, length of the private data
REQUEST = b"MPA ID Req Frame" + struct.pack("!BBH", 0x40, 1, 16)
# what "app" exchanges: address, STag, length
REGION = struct.pack("=QLL", 0x1000, 0x12345678, 65536)


def main():
    crowd = []
    for port in sys.argv[2:]:
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(60)
        s.connect((sys.argv[1], int(port)))
        s.sendall(REQUEST + REGION)
        reply = s.recv(20, socket.MSG_WAITALL)
        if not reply.startswith(b"MPA ID Rep Frame") or reply[16] & 0x20:
            raise SystemExit(f"no reply: {reply}")
        crowd.append(s)
    print("closed", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    sys.exit(main())
