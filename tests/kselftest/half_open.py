#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""usage: half_open.py ADDRESS PORT NUMBER SECONDS

Open NUMBER TCP connections to an iWARP listener and never send the MPA frame
that should come first. Ends when nothing has happened for SECONDS and says
how many were closed by the listener, and after what time. The others are
connections that its TCP had no room for and forgot; only this end, which never
sends, takes them for established.
"""

import errno
import resource
import select
import socket
import sys
import time


def begin(addr):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setblocking(False)
    err = s.connect_ex(addr)
    if err not in (0, errno.EINPROGRESS):
        raise OSError(err, "connect")
    return s


def main():
    addr = (sys.argv[1], int(sys.argv[2]))
    number, seconds = int(sys.argv[3]), float(sys.argv[4])
    resource.setrlimit(resource.RLIMIT_NOFILE, (number + 64, number + 64))
    poll = select.poll()
    start = time.monotonic()
    last = 0
    up, waiting, lives = {}, {}, []
    for _ in range(number):
        s = begin(addr)
        waiting[s.fileno()] = s
        poll.register(s, select.POLLOUT)
    while up or waiting:
        events = poll.poll(seconds * 1000)
        if not events:
            break
        for fd, what in events:
            if fd in waiting and not what & (select.POLLERR | select.POLLHUP):
                up[fd] = (waiting.pop(fd), time.monotonic())
                poll.modify(fd, select.POLLIN)
                continue
            poll.unregister(fd)
            last = time.monotonic() - start
            if fd in up:
                s, since = up.pop(fd)
                lives.append(time.monotonic() - since)
            else:
                s = waiting.pop(fd)
            s.close()
    print("%d were closed, after %.1f to %.1f s, the last at %.1f s"
          % (len(lives), min(lives, default=0), max(lives, default=0), last))
    print("%d are left, %d of them never connected" %
          (len(up) + len(waiting), len(waiting)))


if __name__ == "__main__":
    sys.exit(main())
