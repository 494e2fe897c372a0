# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""A small endpoint in Python to try the verdicts of iwarp-conform on.

It keeps the rules its cases look at, except those named in `faults`: with a fault the
case that watches the rule has to fail, or its verdict is worth nothing.
"""

import socket
import struct
import threading

from iwarp_conform import wire
from iwarp_conform.wire import (DEPTH, READ_REQ, READ_RESP, SEND, TERMINATE, WRITE, Enhanced,
                                Startup)

RIGHTS = {'R1': 'rw', 'R2': 'r', 'R3': 'w', 'R4': 'rw', 'R5': 'rw'}


class Broken(Exception):
    """The stream has to end with this Terminate."""

    def __init__(self, *triple):
        super().__init__()
        self.triple = triple


class Regions:
    """R1 to R5."""

    def __init__(self):
        self.by_stag = {}
        self.advert = b''
        for i, name in enumerate(RIGHTS):
            size = 65536 if name == 'R5' else 4096
            stag, base = 0x1000 + 0x111 * i, 0x7f0000000040 + 0x100000 * i
            data = bytearray(wire.pattern(size)) if size > 4096 else bytearray(size)
            self.by_stag[stag] = (name, base, data)
            self.advert += struct.pack('>IQI', stag, base, size)

    def find(self, stag, to, size, right, faults):
        """(data, offset) or the error of the tagged checks, code by code."""
        if stag not in self.by_stag:
            raise Broken(0, 0)
        name, base, data = self.by_stag[stag]
        if name == 'R4':
            raise Broken(0, 2)
        if right not in RIGHTS[name] and 'no-rights' not in faults:
            raise Broken(0, 4 if right == 'r' else 0)
        if to + size > 1 << 64:
            raise Broken(0, 3)
        if (to < base or to + size > base + len(data)) and 'no-bounds' not in faults:
            raise Broken(0, 1)
        return data, max(to - base, 0)


# codes of the tagged checks above as triples of a Write and of a Read
AS_WRITE = {0: (1, 1, 0), 1: (1, 1, 1), 2: (1, 1, 2), 3: (1, 1, 3)}
AS_READ = {0: (0, 1, 0), 1: (0, 1, 1), 2: (0, 1, 3), 3: (0, 1, 4), 4: (0, 1, 2)}


class Endpoint(threading.Thread):
    """One connection."""

    def __init__(self, sock, faults, regions=None):
        super().__init__(daemon=True)
        self.sock, self.faults = sock, faults
        self.regions = regions or Regions()
        self.rx = b''
        self.rx_pos = self.tx_pos = 0
        self.tx_markers = False
        self.receives = 9
        self.expect = {}
        self.msn = 0
        self.mo = 0

    # --- octets ---

    def more(self):
        """Receive something; EOFError at the end."""
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.rx += data

    def post(self, ulpdu, **how):
        """Send an FPDU."""
        if 'bad-crc' in self.faults:
            how['flip'] = 1
        if 'bad-pad' in self.faults:
            how['pad'] = b'\xaa' * wire.pad_size(len(ulpdu))
        pos = self.tx_pos if self.tx_markers and 'no-markers' not in self.faults else None
        if 'bad-markers' in self.faults:
            how['marker'] = lambda p: wire.plain_marker(p + 4)
        data = wire.fpdu(ulpdu, pos, **how)
        self.tx_pos += len(data)
        self.sock.sendall(data)

    # --- startup ---

    def frame_ok(self):
        """Wait for a Request; False when it has to be closed."""
        while True:
            if len(self.rx) >= 16 and self.rx[:16] != wire.REQUEST_KEY \
                    and 'any-key' not in self.faults:
                return None
            if len(self.rx) >= 20:
                rev, size = self.rx[17], struct.unpack('>H', self.rx[18:20])[0]
                if not 1 <= rev <= 2 or size > 512 and 'any-length' not in self.faults \
                        or self.rx[16] & wire.S and size < 4:
                    return None
                got = wire.parse_startup(self.rx)
                if got:
                    self.rx = self.rx[got[1]:]
                    return got[0]
            self.more()

    def reply_to(self, request):
        """The Reply that accepts."""
        asked = request.enhanced
        pd, rev, flags = b'', 1, wire.C
        if asked:
            rev, flags = 2, wire.C | wire.S
            mirror = asked.a and 'a-not-mirrored' not in self.faults
            c = mirror and asked.c
            ird = min(max(4, asked.ord), 64) if asked.ord != DEPTH else DEPTH
            order = min(4, asked.ird) if asked.ird != DEPTH else DEPTH
            if 'ord-too-big' in self.faults:
                order = asked.ird + 1
            pd = Enhanced(mirror, mirror and asked.b and not c and not asked.d, c,
                          mirror and asked.d and not c, ird, order).encode()
        if 'reserved-reply' in self.faults:
            flags |= 4
        return Startup(wire.REPLY_KEY, flags, rev, pd)

    def run(self):
        """The life of a connection."""
        try:
            request = self.frame_ok()
            if request is None:
                return
            self.tx_markers = bool(request.flags & wire.M)
            self.sock.sendall(self.reply_to(request).encode())
            if 'sends-early' in self.faults:
                self.advertise()
            self.serve()
        except (EOFError, OSError):
            pass
        finally:
            self.sock.close()

    # --- full operation ---

    def serve(self):
        """Handle FPDUs until the stream ends."""
        while True:
            got = wire.parse_fpdu(self.rx)
            if got is None:
                self.more()
                continue
            fpdu, used = got
            self.rx = self.rx[used:]
            try:
                self.handle(fpdu)
            except Broken as err:
                self.terminate(err.triple, fpdu.ulpdu)
                return
            except struct.error:
                self.terminate((2, 0, 3), None)
                return

    def advertise(self):
        """The Send that names the regions."""
        self.send(SEND, self.regions.advert)

    def send(self, op, payload, msn=None):
        """An untagged message."""
        if op == SEND:
            self.msn += 1
            msn = self.msn
        inv = 0xbad if 'dirty-header' in self.faults else 0
        self.post(wire.untagged(op, msn, payload, inv=inv))

    def terminate(self, triple, ulpdu):
        """Terminate, FIN, drain."""
        faults = self.faults
        if 'no-terminate' in faults:
            return
        if 'wrong-triple' in faults:
            triple = triple[0], triple[1], triple[2] ^ 1
        quoted = None if triple[0] == 2 or 'no-quote' in faults else ulpdu
        read = b''
        if quoted and quoted[1] & 15 == READ_REQ and triple[:2] == (0, 1):
            read = quoted[18:46]
        body = wire.terminate(triple, quoted, read)
        self.send(TERMINATE, body, 2 if 'second-msn' in faults else 1)
        if 'chatty' in faults:
            self.advertise()
        if 'no-fin' not in faults:
            self.sock.shutdown(socket.SHUT_WR)
        while True:
            self.more()

    def handle(self, f):
        """Check and carry out one FPDU."""
        if not f.crc_ok:
            if 'places-first' in self.faults and f.t:
                self.write(f)
            if 'crc-unchecked' not in self.faults:
                raise Broken(2, 0, 2)
        if len(f.ulpdu) < 2 or len(f.ulpdu) < f.header_size:
            raise Broken(2, 0, 3)
        if f.dv != 1 and 'any-version' not in self.faults:
            raise Broken(1, 1 if f.t else 2, 4 if f.t else 6)
        if f.rv != 1:
            raise Broken(0, 2, 5)
        if f.op > TERMINATE or f.t != (f.op in wire.TAGGED_OPS):
            raise Broken(0, 2, 6)
        if f.op == READ_RESP:
            raise Broken(0, 2, 6)
        if f.op == WRITE:
            self.write(f)
        else:
            self.untagged(f)

    def write(self, f):
        """Place a tagged segment."""
        if not f.payload:
            return
        try:
            data, at = self.regions.find(f.stag, f.to, len(f.payload), 'w', self.faults)
        except Broken as err:
            raise Broken(*AS_WRITE[err.triple[1]]) from err
        data[at:at + len(f.payload)] = f.payload

    def untagged(self, f):
        """Queue, MSN, MO, then what the message wants."""
        if f.qn != wire.QUEUE[f.op]:
            raise Broken(1, 2, 1)
        if f.op == TERMINATE:
            raise EOFError
        if f.msn != self.expect.get(f.qn, 1) and 'any-msn' not in self.faults:
            raise Broken(1, 2, 3)
        if f.mo != (self.mo if f.qn == 0 else 0):
            raise Broken(1, 2, 4)
        if f.op == READ_REQ:
            self.read(f)
        elif not self.receives:
            raise Broken(1, 2, 2)
        elif f.mo + len(f.payload) > 64:
            raise Broken(1, 2, 5)
        self.mo = 0 if f.last else f.mo + len(f.payload)
        if not f.last:
            return
        self.expect[f.qn] = f.msn + 1
        if f.qn == 0:
            self.receives -= 1
            if not self.msn:
                self.advertise()

    def read(self, f):
        """Answer a Read Request."""
        if len(f.payload) < 28:
            raise Broken(2, 0, 3)
        if len(f.payload) > 28 or not f.last:
            raise Broken(1, 2, 5)
        sink, to, size, stag, at = struct.unpack('>IQIIQ', f.payload)
        data = b''
        if size:
            try:
                where, off = self.regions.find(stag, at, size, 'r', self.faults)
            except Broken as err:
                raise Broken(*AS_READ[err.triple[1]]) from err
            data = bytes(where[off:off + size])
        if 'stale-read' in self.faults:
            data = bytes(len(data))
        sink ^= 1 if 'sink-changed' in self.faults else 0
        for i in range(0, len(data) or 1, 1400):
            part = data[i:i + 1400]
            self.post(wire.tagged(READ_RESP, sink, to + i, part, last=i + 1400 >= len(data)))


class Server(threading.Thread):
    """Accepts connections, each with regions of its own unless told to share."""

    def __init__(self, faults):
        super().__init__(daemon=True)
        self.faults = faults
        self.sock = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.sock.getsockname()[1]

    def run(self):
        """Accept for ever."""
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            Endpoint(conn, self.faults).start()


class Caller(Endpoint):
    """Connects to PEER again and again, as an Initiator."""

    def __init__(self, port, faults):
        super().__init__(None, faults)
        self.port = port
        self.over = False

    def run(self):
        """Connect until told to end."""
        while not self.over:
            try:
                self.sock = socket.create_connection(('127.0.0.1', self.port), 2)
            except OSError:
                continue
            try:
                self.start_up()
            except (EOFError, OSError):
                pass
            self.sock.close()
            self.__init__(self.port, self.faults)

    def start_up(self):
        """Request, Reply, RTR, ADVERT."""
        flags = wire.C | wire.S | (wire.R if 'reserved-reply' in self.faults else 0)
        e = Enhanced(True, False, True, True, 4, 4)
        self.sock.sendall(Startup(flags=flags, rev=2, pd=e.encode()).encode())
        while wire.parse_startup(self.rx) is None:
            self.more()
            if len(self.rx) >= 20 and self.rx[:16] != wire.REPLY_KEY \
                    and 'any-key' not in self.faults:
                return
        reply, used = wire.parse_startup(self.rx)
        self.rx = self.rx[used:]
        granted = reply.enhanced
        if granted is None or reply.flags & wire.R:
            return
        if 'always-write' in self.faults or granted.c:
            self.post(wire.tagged(WRITE, 1, 0))
        elif granted.d:
            self.post(wire.untagged(READ_REQ, 1, wire.read_request(1, 0, 0, 1, 0)))
            while wire.parse_fpdu(self.rx) is None:
                self.more()
            self.rx = self.rx[wire.parse_fpdu(self.rx)[1]:]
        else:
            self.terminate((2, 0, 7), None)
            return
        self.advertise()
        self.serve()
