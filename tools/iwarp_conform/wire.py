# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""MPA, DDP and RDMAP on the wire: encode and decode, with nothing checked on the way out.

Written from RFC 5040, 5041, 5044, 6581 and 7306.  The encoders let the caller set every
field to any value, because most of the test cases are about wrong values.
"""

import functools
import struct
from dataclasses import dataclass, field

REQUEST_KEY = b'MPA ID Req Frame'
REPLY_KEY = b'MPA ID Rep Frame'

M, C, R, S = 0x80, 0x40, 0x20, 0x10     # flags of a startup frame
FLAG_A = FLAG_C = 0x8000                # of the enhanced header: first and second word
FLAG_B = FLAG_D = 0x4000
DEPTH = 0x3fff

WRITE, READ_REQ, READ_RESP, SEND, SEND_INV, SEND_SE, SEND_SE_INV, TERMINATE, IMM, IMM_SE, \
    ATOMIC_REQ, ATOMIC_RESP = range(12)
OPCODES = ('Write', 'Read Request', 'Read Response', 'Send', 'Send with Invalidate',
           'Send with SE', 'Send with SE and Invalidate', 'Terminate', 'Immediate Data',
           'Immediate Data with SE', 'Atomic Request', 'Atomic Response')
TAGGED_OPS = (WRITE, READ_RESP)
QUEUE = {READ_REQ: 1, SEND: 0, SEND_INV: 0, SEND_SE: 0, SEND_SE_INV: 0, TERMINATE: 2,
         IMM: 0, IMM_SE: 0, ATOMIC_REQ: 1, ATOMIC_RESP: 3}

MARKER_GAP = 512
MAX_ULPDU = 64768
FETCH_ADD, CMP_SWAP = 0, 2
ALL_ONES = (1 << 64) - 1


def _byte_table():
    """The 256 entries of the reflected CRC-32C, generator 0x82F63B78."""
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    return table


_T8 = _byte_table()


@functools.lru_cache(maxsize=None)
def _wide_tables():
    """Two tables of 65536 entries: four octets a step, for data of some length."""
    low = [_T8[_T8[n & 255] & 255 ^ (n >> 8)] ^ _T8[n & 255] >> 8 for n in range(65536)]
    step = [_T8[n & 255] ^ n >> 8 for n in low]
    return [_T8[n & 255] ^ n >> 8 for n in step], low


def crc32c(data, crc=0):
    """CRC-32C of data (RFC 5044 section 4.4), continuing from an earlier value."""
    crc ^= 0xffffffff
    done = 0
    if len(data) >= 512:
        done = len(data) & ~3
        first, second = _wide_tables()
        for word in struct.unpack('<%dI' % (done >> 2), data[:done]):
            crc ^= word
            crc = first[crc & 0xffff] ^ second[crc >> 16]
    for octet in data[done:]:
        crc = _T8[(crc ^ octet) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def pattern(length, start=0):
    """Octet i is (start + i) mod 251, the contents of region R5."""
    whole = bytes(range(251)) * ((length + 251) // 251 + 1)
    return whole[start % 251:start % 251 + length]


# --- startup frames (RFC 5044 section 7.1.1, RFC 6581 section 9) ---

@dataclass
class Startup:
    """A Request or Reply frame."""
    key: bytes = REQUEST_KEY
    flags: int = C
    rev: int = 1
    pd: bytes = b''

    def encode(self, pd_length=None):
        """The octets of the frame; pd_length overrides the true length."""
        size = len(self.pd) if pd_length is None else pd_length
        return self.key + struct.pack('>BBH', self.flags, self.rev, size) + self.pd

    @property
    def enhanced(self):
        """The decoded enhanced header, or None without one."""
        if not self.flags & S or len(self.pd) < 4:
            return None
        first, second = struct.unpack('>HH', self.pd[:4])
        return Enhanced(bool(first & FLAG_A), bool(first & FLAG_B), bool(second & FLAG_C),
                        bool(second & FLAG_D), first & DEPTH, second & DEPTH)

    @property
    def ulp(self):
        """Private data of the application: without the enhanced header."""
        return self.pd[4:] if self.flags & S else self.pd

    def __str__(self):
        names = ''.join(n for n, bit in zip('MCRS', (M, C, R, S)) if self.flags & bit)
        kind = {REQUEST_KEY: 'Request', REPLY_KEY: 'Reply'}.get(self.key, repr(self.key))
        return '%s flags %02x (%s) Rev %d PD %d%s' % (
            kind, self.flags, names, self.rev, len(self.pd),
            ' ' + str(self.enhanced) if self.enhanced else '')


@dataclass
class Enhanced:
    """The four octets of RFC 6581 section 9."""
    a: bool = False
    b: bool = False
    c: bool = False
    d: bool = False
    ird: int = 4
    ord: int = 4

    def encode(self):
        """Four octets in network order."""
        first = self.ird | (FLAG_A if self.a else 0) | (FLAG_B if self.b else 0)
        second = self.ord | (FLAG_C if self.c else 0) | (FLAG_D if self.d else 0)
        return struct.pack('>HH', first, second)

    def __str__(self):
        flags = ''.join(n for n, on in zip('ABCD', (self.a, self.b, self.c, self.d)) if on)
        return '%s IRD %d ORD %d' % (flags or '-', self.ird, self.ord)


def parse_startup(data):
    """(frame, octets used) or None when more octets are needed."""
    if len(data) < 20:
        return None
    flags, rev, size = struct.unpack('>BBH', bytes(data[16:20]))
    if len(data) < 20 + size:
        return None
    return Startup(bytes(data[:16]), flags, rev, bytes(data[20:20 + size])), 20 + size


# --- DDP segments and RDMAP headers ---

def _control(op, t, last, dv, rv, rsvd, rsv):
    ddp = (0x80 if t else 0) | (0x40 if last else 0) | (rsvd & 0x0f) << 2 | dv
    return bytes((ddp, rv << 6 | (rsv & 3) << 4 | op))


def tagged(op, stag, to, payload=b'', *, last=True, t=True, dv=1, rv=1, rsvd=0, rsv=0):
    """A tagged DDP segment (RFC 5041 section 4.2)."""
    return _control(op, t, last, dv, rv, rsvd, rsv) + struct.pack('>IQ', stag, to) + payload


def untagged(op, msn, payload=b'', *, qn=None, mo=0, inv=0, last=True, t=False, dv=1, rv=1,
             rsvd=0, rsv=0):
    """An untagged DDP segment (RFC 5041 section 4.3); inv fills octets 2 to 5."""
    qn = QUEUE.get(op, 0) if qn is None else qn
    return (_control(op, t, last, dv, rv, rsvd, rsv)
            + struct.pack('>IIII', inv, qn, msn & 0xffffffff, mo) + payload)


def read_request(sink_stag, sink_to, size, src_stag, src_to):
    """The 28 octets of RFC 5040 section 4.4."""
    return struct.pack('>IQIIQ', sink_stag, sink_to, size, src_stag, src_to)


def atomic_request(op, ident, stag, to, data, mask, compare=0, cmask=ALL_ONES):
    """The 52 octets of RFC 7306 section 5.2.1."""
    return struct.pack('>IIIQQQQQ', op, ident, stag, to, data, mask, compare, cmask)


def atomic_response(ident, value):
    """The 12 octets of RFC 7306 section 5.2.2."""
    return struct.pack('>IQ', ident, value)


def terminate(triple, segment=None, read_header=b'', hdrct=None):
    """Payload of a Terminate (RFC 5040 section 4.8) quoting the given segment."""
    layer, etype, code = triple
    bits = 0
    quoted = b''
    if segment is not None:
        size = 14 if segment[0] & 0x80 else 18
        bits = 0xc0
        quoted = struct.pack('>H', len(segment)) + segment[:size]
    if read_header:
        bits |= 0x20
    bits = bits if hdrct is None else hdrct
    return bytes((layer << 4 | etype, code, bits, 0)) + quoted + read_header


# --- FPDUs (RFC 5044 section 4) ---

def pad_size(length):
    """Pad octets of an FPDU whose ULPDU has this length."""
    return -(2 + length) % 4


def fpdu_size(length):
    """Octets of an FPDU without markers."""
    return 2 + length + pad_size(length) + 4


def plain_marker(pointer):
    """A marker as the RFC wants it."""
    return struct.pack('>HH', 0, pointer & 0xffff)


def _with_markers(body, pos, marker):
    """Insert markers into the octets that precede the CRC."""
    out = bytearray()
    start = None
    done = 0
    while done < len(body):
        if (pos + len(out)) % MARKER_GAP == 0:
            out += marker(0 if start is None else len(out) - start)
        if start is None:
            start = len(out)
        size = MARKER_GAP - (pos + len(out)) % MARKER_GAP
        out += body[done:done + size]
        done += size
    if (pos + len(out)) % MARKER_GAP == 0:
        out += marker(len(out) - start)
    return bytes(out)


def fpdu(ulpdu, pos=None, *, length=None, pad=None, crc=None, flip=0, marker=plain_marker):
    """One FPDU; pos is the stream offset when this direction carries markers.

    length, pad and crc override the right values; flip is XORed to the right CRC.
    """
    length = len(ulpdu) if length is None else length
    pad = bytes(pad_size(len(ulpdu))) if pad is None else pad
    covered = struct.pack('>H', length) + ulpdu + pad
    if pos is not None:
        covered = _with_markers(covered, pos, marker)
    value = (crc32c(covered) ^ flip) if crc is None else crc
    return covered + struct.pack('<I', value)


@dataclass
class Fpdu:
    """A received FPDU with everything a verdict may need."""
    ulpdu: bytes
    pad: bytes
    crc_ok: bool
    crc: int
    raw: bytes
    markers: list = field(default_factory=list)     # (offset in FPDU, reserved, pointer)

    @property
    def t(self):
        """Tagged bit."""
        return bool(self.ulpdu[0] & 0x80)

    @property
    def last(self):
        """Last-segment bit."""
        return bool(self.ulpdu[0] & 0x40)

    @property
    def dv(self):
        """DDP version."""
        return self.ulpdu[0] & 3

    @property
    def rv(self):
        """RDMAP version."""
        return self.ulpdu[1] >> 6

    @property
    def op(self):
        """RDMAP opcode."""
        return self.ulpdu[1] & 15

    @property
    def header_size(self):
        """Octets of the DDP header."""
        return 14 if self.t else 18

    def _word(self, at):
        return struct.unpack_from('>I', self.ulpdu, at)[0]

    stag = property(lambda self: self._word(2))
    to = property(lambda self: struct.unpack_from('>Q', self.ulpdu, 6)[0])
    inv = property(lambda self: self._word(2))
    qn = property(lambda self: self._word(6))
    msn = property(lambda self: self._word(10))
    mo = property(lambda self: self._word(14))

    @property
    def payload(self):
        """What follows the DDP header."""
        return self.ulpdu[self.header_size:]

    @property
    def triple(self):
        """Layer, error type and code of a Terminate."""
        return self.payload[0] >> 4, self.payload[0] & 15, self.payload[1]

    def __str__(self):
        if len(self.ulpdu) < 14 or not self.t and len(self.ulpdu) < 18:
            return 'FPDU with ULPDU %s' % self.ulpdu.hex()
        name = OPCODES[self.op] if self.op < 12 else 'opcode %x' % self.op
        if self.t:
            where = 'STag %08x TO %x' % (self.stag, self.to)
        else:
            where = 'QN %d MSN %d MO %d' % (self.qn, self.msn, self.mo)
        text = '%s %s L=%d %d octets' % (name, where, self.last, len(self.payload))
        if self.op == TERMINATE and not self.t and len(self.payload) >= 4:
            text += ' [%x/%x/%02x HdrCt %02x]' % (*self.triple, self.payload[2])
        return text + ('' if self.crc_ok else ' CRC BAD')


def _strip_markers(buf, pos):
    """(octets without markers but with CRC, markers, octets used) or None for more."""
    body = bytearray()
    markers = []
    at = 0
    want = 2
    while len(body) < want:
        if (pos + at) % MARKER_GAP == 0:
            if len(buf) < at + 4:
                return None
            markers.append((at, *struct.unpack('>HH', bytes(buf[at:at + 4]))))
            at += 4
        size = min(MARKER_GAP - (pos + at) % MARKER_GAP, want - len(body))
        if len(buf) < at + size:
            return None
        body += buf[at:at + size]
        at += size
        if len(body) == 2 and want == 2:
            want = fpdu_size(struct.unpack('>H', body)[0])
    return bytes(body), markers, at


def parse_fpdu(buf, pos=None):
    """(Fpdu, octets used) or None when more octets are needed."""
    if pos is not None:
        got = _strip_markers(buf, pos)
        if got is None:
            return None
        body, markers, used = got
    else:
        if len(buf) < 2:
            return None
        used = fpdu_size(struct.unpack('>H', bytes(buf[:2]))[0])
        if len(buf) < used:
            return None
        body, markers = bytes(buf[:used]), []
    raw = bytes(buf[:used])
    length = struct.unpack('>H', body[:2])[0]
    value = struct.unpack('<I', body[-4:])[0]
    return Fpdu(body[2:2 + length], body[2 + length:-4], crc32c(raw[:-4]) == value, value, raw,
                markers), used
