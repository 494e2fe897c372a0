# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""One TCP connection of PEER: raw octets, MPA startup, FPDUs, and a trace of it all."""

import select
import socket
import struct
import time

from . import wire

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
REPAIR_OFF_NO_PROBE = -1
SEND_QUEUE = 2


class Fail(Exception):
    """The endpoint under test did not do what the case expects."""


class Skip(Exception):
    """The case cannot be run here; the text says why."""


class Trace:
    """What happened on one connection: (time, kind, data); kinds < > F f R r and notes #."""

    def __init__(self, local, remote):
        self.local, self.remote = local, remote
        self.start = time.time()
        self.items = []

    def add(self, kind, data=b''):
        """kind: '>' sent, '<' received, 'F' FIN sent, 'f' FIN received, 'R'/'r' RST, '#' note."""
        self.items.append((time.time() - self.start, kind, data))


def start_sequence(sock, value):
    """Choose the initial sequence number of an unconnected socket; needs CAP_NET_ADMIN."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack('=I', value))
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, REPAIR_OFF_NO_PROBE)
    except OSError as err:
        raise Skip('cannot choose a TCP sequence number: %s' % err.strerror) from err


class Conn:
    """A connected TCP socket with MPA state on top."""

    def __init__(self, sock, slack=1.0):
        self.sock = sock
        self.slack = slack
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.trace = Trace(sock.getsockname(), sock.getpeername())
        self.rx = bytearray()
        self.fin = self.rst = self.closed = False
        self.hold = False               # True: leave octets in the socket
        self.rx_pos = self.tx_pos = 0   # stream offsets since full operation began
        self.rx_markers = self.tx_markers = False
        self.crc = True
        self.request = self.reply = None
        self.fpdus = []
        self.problems = []
        self.tx_msn = {}
        self.rx_msn = {}
        self.partial = {}
        self.terminated = False
        self.adv = {}
        self.last = b''
        self.wild = False               # rules for DUT output are off
        self.holds_first = False        # DUT is Responder: the first FPDU is ours
        self.dut_starts = False         # DUT is Initiator
        self.nudges = 0

    # --- octets ---

    @property
    def ended(self):
        """The DUT has closed its direction or reset the connection."""
        return self.fin or self.rst

    def _read_some(self):
        try:
            data = self.sock.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            self._reset()
            return
        if data:
            self.trace.add('<', data)
            self.rx += data
            self._audit_first()
        elif not self.fin:
            self.fin = True
            self.trace.add('f')

    def _reset(self):
        if not self.rst:
            self.rst = True
            self.trace.add('r')

    def pump(self, until, timeout, out=b''):
        """Move octets both ways until until() is true, the stream ends or time is over.

        Returns what could not be sent.
        """
        end = time.monotonic() + timeout
        out = memoryview(out)
        while not self.closed and not self.rst and (out or not until()):
            left = end - time.monotonic()
            if left <= 0 or self.fin and not out:
                break
            ready = self._ready(left, bool(out))
            if ready & ~select.POLLOUT:
                self._read_some()
            if ready & select.POLLOUT and out and not self.rst:
                out = self._write_some(out)
        return bytes(out)

    def _ready(self, left, writing):
        """Poll events of the socket after at most left seconds."""
        mask = (0 if self.hold or self.fin else select.POLLIN) | \
            (select.POLLOUT if writing else 0)
        if not mask:
            time.sleep(min(left, 0.05))
            return 0
        poller = select.poll()
        poller.register(self.sock, mask)
        ready = poller.poll(left * 1000)
        if not ready:
            return 0
        if self.hold and ready[0][1] & (select.POLLERR | select.POLLHUP):
            self._reset()
            return 0
        return ready[0][1]

    def _write_some(self, out):
        try:
            sent = self.sock.send(out)
        except BlockingIOError:
            return out
        except OSError:
            self._reset()
            return out[len(out):]
        self.trace.add('>', bytes(out[:sent]))
        return out[sent:]

    def send(self, data, timeout=20):
        """Send all octets while reading; returns what did not go out."""
        return self.pump(lambda: True, timeout * self.slack, data)

    def dribble(self, data, delay=0.01):
        """One octet a TCP segment."""
        for octet in data:
            self.send(bytes((octet,)))
            time.sleep(delay)

    def fill(self, count, timeout=5):
        """Wait until count unparsed octets are there."""
        self.pump(lambda: len(self.rx) >= count, timeout * self.slack)
        return len(self.rx) >= count

    def silence(self, seconds):
        """No octet and no end of stream for this long."""
        before = len(self.rx)
        self.pump(lambda: len(self.rx) > before, seconds)
        return len(self.rx) == before and not self.ended

    def wait_end(self, timeout=5):
        """'FIN', 'RST' or None."""
        self.pump(lambda: False, timeout * self.slack)
        return 'RST' if self.rst else 'FIN' if self.fin else None

    def shutdown(self):
        """Send FIN, keep receiving."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.trace.add('F')
        except OSError:
            self._reset()

    def abort(self):
        """Send RST."""
        if not self.closed:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            self.trace.add('R')
            self.close()

    def close(self):
        """Close the socket."""
        if not self.closed:
            self.closed = True
            self.sock.close()

    def segment_size(self):
        """The effective segment size TCP uses here, from TCP_INFO."""
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
        return struct.unpack_from('=I', info, 16)[0]

    # --- startup ---

    def send_request(self, flags=wire.C, rev=1, pd=b'', enhanced=None, tail=b''):
        """Send a Request; enhanced adds its four octets in front of pd."""
        if enhanced is not None:
            flags |= wire.S
            pd = enhanced.encode() + pd
        self.request = wire.Startup(wire.REQUEST_KEY, flags, rev, pd)
        self.send(self.request.encode() + tail)

    def take_startup(self, key, timeout=10):
        """Receive a startup frame with this key."""
        self.pump(lambda: wire.parse_startup(self.rx), timeout * self.slack)
        got = wire.parse_startup(self.rx)
        if got is None:
            raise Fail('no startup frame, got %d octets, %s' % (len(self.rx), self.how_ended()))
        frame, used = got
        del self.rx[:used]
        if frame.key != key:
            raise Fail('startup frame with key %r' % frame.key)
        return frame

    def take_reply(self, timeout=10):
        """Receive the Reply and enter full operation if it accepts."""
        self.reply = self.take_startup(wire.REPLY_KEY, timeout)
        self._start(self.request, self.reply, self.reply)
        self.holds_first = not self.reply.flags & wire.R
        self._audit_first()
        return self.reply

    def take_request(self, timeout=10):
        """Receive the Request of an Initiator."""
        self.request = self.take_startup(wire.REQUEST_KEY, timeout)
        return self.request

    def send_reply(self, reply, tail=b'', delay=None):
        """Answer the Request and enter full operation."""
        self.reply = reply
        self.dut_starts = True
        data = reply.encode() + tail
        if delay:
            self.dribble(data, delay)
        else:
            self.send(data)
        self._start(self.request, reply, self.request)

    def _start(self, request, reply, theirs):
        ours = request if theirs is reply else reply
        self.tx_markers = bool(theirs.flags & wire.M)
        self.rx_markers = bool(ours.flags & wire.M)
        self.crc = bool((request.flags | reply.flags) & wire.C)
        self.rx_pos = self.tx_pos = 0

    # --- full operation, sending ---

    def next_msn(self, qn, count=True):
        """The MSN due on a queue of our direction."""
        msn = self.tx_msn.get(qn, 1)
        if count:
            self.tx_msn[qn] = msn + 1
        return msn

    def frame(self, ulpdu, **how):
        """Wrap a ULPDU for the current place in our stream."""
        self.last = ulpdu
        pos = self.tx_pos if self.tx_markers else None
        data = wire.fpdu(ulpdu, pos, **how)
        self.tx_pos += len(data)
        return data

    def post(self, ulpdu, **how):
        """Send one FPDU."""
        return self.send(self.frame(ulpdu, **how))

    def untagged(self, op, payload=b'', *, msn=None, count=None, **how):
        """An untagged segment with the MSN that is due, unless one is given."""
        qn = how.get('qn')
        qn = wire.QUEUE.get(op, 0) if qn is None else qn
        if msn is None:
            last = how.get('last', True) if count is None else count
            msn = self.next_msn(qn, last)
        return wire.untagged(op, msn, payload, **how)

    def send_msg(self, payload=b'ping', op=wire.SEND, **how):
        """A Send family message in one FPDU."""
        self.post(self.untagged(op, payload, **how))

    def write(self, stag, to, payload, **how):
        """An RDMA Write in one segment."""
        self.post(wire.tagged(wire.WRITE, stag, to, payload, **how))

    def read(self, size, stag, to, sink=(1, 0), **how):
        """An RDMA Read Request."""
        self.post(self.untagged(wire.READ_REQ, wire.read_request(*sink, size, stag, to), **how))

    # --- full operation, receiving ---

    def next_fpdu(self, timeout=5):
        """The next FPDU of the DUT, or None."""
        pos = self.rx_pos if self.rx_markers else None
        got = wire.parse_fpdu(self.rx, pos)
        if got is None:
            self.pump(lambda: self._have_fpdu(pos), timeout * self.slack)
            got = wire.parse_fpdu(self.rx, pos)
        if got is None:
            return None
        fpdu, used = got
        del self.rx[:used]
        self.rx_pos += used
        self.fpdus.append(fpdu)
        self.trace.add('#', 'FPDU from DUT: %s' % fpdu)
        self._audit(fpdu)
        if self._is_nudge(fpdu):
            self.nudges += 1
            return self.next_fpdu(timeout)
        return fpdu

    def _is_nudge(self, fpdu):
        """The Write RTR once more: an Initiator may remind a silent Responder, it means nothing."""
        return (self.dut_starts and len(self.fpdus) > 1 and not self.tx_pos and
                fpdu.ulpdu == self.fpdus[0].ulpdu and fpdu.t and len(fpdu.ulpdu) == 14 and
                fpdu.op == wire.WRITE)

    def _have_fpdu(self, pos):
        if pos is None and len(self.rx) >= 2:
            return len(self.rx) >= wire.fpdu_size(self.rx[0] << 8 | self.rx[1])
        return wire.parse_fpdu(self.rx, pos) is not None

    def take(self, op, timeout=5):
        """The next FPDU, which must have this opcode."""
        fpdu = self.next_fpdu(timeout)
        if fpdu is None:
            raise Fail('no %s from DUT, %s' % (wire.OPCODES[op], self.how_ended()))
        if len(fpdu.ulpdu) < 2 or fpdu.op != op:
            raise Fail('expected %s, got %s' % (wire.OPCODES[op], fpdu))
        return fpdu

    def take_message(self, op, timeout=10):
        """All segments of one message: (first segment, whole payload)."""
        first = part = self.take(op, timeout)
        data = bytearray(part.payload)
        while not part.last:
            part = self.take(op, timeout)
            data += part.payload
        return first, bytes(data)

    def how_ended(self):
        """Words for the state of the connection."""
        return 'RST' if self.rst else 'FIN' if self.fin else 'connection open'

    # --- rules that hold for everything a DUT sends ---

    def _audit_first(self):
        if self.holds_first and self.rx:
            if not self.tx_pos:
                self.problems.append('MPA-09: Responder sends before our first FPDU')
            self.holds_first = False

    def _audit(self, fpdu):
        if self.wild:
            return
        size = len(fpdu.ulpdu)
        if self.crc and not fpdu.crc_ok:
            self.problems.append('MPA-44: wrong CRC in %s' % fpdu)
        if any(fpdu.pad):
            self.problems.append('MPA-42: pad octets %s' % fpdu.pad.hex())
        if size > wire.MAX_ULPDU or size < 14 or not fpdu.t and size < 18:
            self.problems.append('MPA-55: ULPDU of %d octets' % size)
            return
        if self.terminated:
            self.problems.append('RDM-33: FPDU after a Terminate: %s' % fpdu)
        self._audit_markers(fpdu)
        self._audit_header(fpdu)
        if fpdu.t:
            self._audit_tagged(fpdu)
        else:
            self._audit_untagged(fpdu)
        self.terminated |= fpdu.op == wire.TERMINATE

    def _audit_markers(self, fpdu):
        """Place is right by construction of the parser; check what is in them."""
        start = 4 if fpdu.markers and fpdu.markers[0][0] == 0 else 0
        for at, reserved, pointer in fpdu.markers:
            want = 0 if at == 0 else at - start
            if reserved or pointer != want:
                self.problems.append('MPA-48: marker %04x %d at %d, wanted FPDUPTR %d'
                                     % (reserved, pointer, at, want))

    def _audit_header(self, fpdu):
        first, second = fpdu.ulpdu[0], fpdu.ulpdu[1]
        if first & 0x3c or second & 0x30:
            self.problems.append('DDP-03/RDM-02: reserved bits %02x %02x' % (first, second))
        if fpdu.dv != 1 or fpdu.rv != 1:
            self.problems.append('DDP-04/RDM-01: DV %d RV %d' % (fpdu.dv, fpdu.rv))
        if fpdu.op > wire.ATOMIC_RESP or fpdu.t != (fpdu.op in wire.TAGGED_OPS):
            self.problems.append('RDM-04: opcode %x with T=%d' % (fpdu.op, fpdu.t))

    def _audit_tagged(self, fpdu):
        key = ('t', fpdu.op)
        before = self.partial.pop(key, None)
        if before and before != (fpdu.stag, fpdu.to):
            self.problems.append('DDP-05/09: segment %s, wanted STag %08x TO %x'
                                 % (fpdu, *before))
        if not fpdu.last:
            self.partial[key] = fpdu.stag, fpdu.to + len(fpdu.payload)

    def _audit_untagged(self, fpdu):
        want = self.rx_msn.get(fpdu.qn, 1)
        mo, rest = self.partial.pop(('u', fpdu.qn), (0, fpdu.ulpdu[1:6]))
        if fpdu.qn != wire.QUEUE.get(fpdu.op):
            self.problems.append('RDM-04: %s on QN %d' % (fpdu, fpdu.qn))
        if fpdu.msn != want or fpdu.mo != mo or fpdu.ulpdu[1:6] != rest:
            self.problems.append('DDP-06/07/08: %s, wanted MSN %d MO %d' % (fpdu, want, mo))
        if fpdu.op not in (wire.SEND_INV, wire.SEND_SE_INV) and fpdu.inv:
            self.problems.append('RDM-05/SEC-11: octets 2-5 are %08x in %s' % (fpdu.inv, fpdu))
        if fpdu.last:
            self.rx_msn[fpdu.qn] = (fpdu.msn + 1) & 0xffffffff
        else:
            self.partial['u', fpdu.qn] = mo + len(fpdu.payload), fpdu.ulpdu[1:6]
