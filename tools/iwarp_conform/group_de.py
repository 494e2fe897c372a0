# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Groups D and E: FPDU framing, CRC, markers."""

import struct
import time

from . import wire
from .cases import case
from .conn import Fail
from .dut import RECV


def digest(data):
    """The digest the agent computes (FNV-1a, 64 bit)."""
    h = 0xcbf29ce484222325
    for octet in data:
        h = (h ^ octet) * 0x100000001b3 & wire.ALL_ONES
    return '%016x' % h


# --- D: framing and CRC ---

def split_everywhere(t, s, c):
    """Three Sends as one string of octets, cut once at each place."""
    done = 1
    texts = (b'ping', b'hello', b'bye!')
    size = len(b''.join(wire.fpdu(wire.untagged(wire.SEND, 1, x)) for x in texts))
    for cut in range(1, size):
        if s.agent is None and cut > 2:
            t.note('no agent to post receives: only the first cuts')
            return done
        if cut % 20 == 1 and s.agent:
            s.ask('REPOST', count=60)
        data = b''.join(c.frame(c.untagged(op, x))
                        for op, x in zip((wire.SEND, wire.SEND_SE, wire.SEND), texts))
        c.send(data[:cut])
        time.sleep(0.002)
        c.send(data[cut:])
        done += 3
    return done


@case(52)
def any_segmentation(t):
    """FPDUs glued together and cut at every octet."""
    s, c = t.open()
    sent = split_everywhere(t, s, c)
    if s.agent:
        got = s.recvs(sent, 10)
        t.want([e['len'] for e in got] == [4] + [4, 5, 4] * (sent // 3), 'wrong lengths')
        t.want(all(e['data'] in (b'ping', b'hello', b'bye!') for e in got), 'wrong data')
    t.alive(c)
    s, c = t.open()
    c.send(c.frame(c.untagged(wire.SEND, b'ping')) + c.frame(c.untagged(wire.SEND_SE, b'hello'))
           + c.frame(c.untagged(wire.SEND_INV, b'bye!', inv=c.r1.stag)))
    if s.agent:
        t.want([e['data'] for e in s.recvs(4)[1:]] == [b'ping', b'hello', b'bye!'], 'wrong data')
    t.alive(c)


@case(53)
def pad_sizes(t):
    """Writes of 0 to 3 octets."""
    s, c = t.open()
    want = bytearray(s.fetch(c, c.r1, 0, 64))
    for n in range(4):
        data = bytes([0xa0 + n]) * n
        c.write(c.r1.stag, c.r1.to + 8 + 8 * n, data)
        want[8 + 8 * n:8 + 9 * n] = data
    t.want(s.fetch(c, c.r1, 0, 64) == want, 'data or slack wrong')
    t.saw('data exact')


@case(54)
def pad_content(t):
    """Pad octets that are not zero."""
    s, c = t.open()
    c.post(c.untagged(wire.SEND_SE, b'hello'), pad=b'\xff\xff\xff')
    t.alive(c)
    if s.agent:
        t.want(s.recvs(2)[1]['data'] == b'hello', 'wrong data')


def flip_batch(t, s, bits):
    """A connection for each bit; returns how many ended by a stall."""
    conns = []
    for bit in bits:
        c = s.open()
        data = bytearray(c.frame(c.untagged(wire.SEND, b'ping')))
        data[bit // 8] ^= 0x80 >> bit % 8
        c.send(bytes(data))
        conns.append((bit, c))
    stalls = 0
    for bit, c in conns:
        # all stall at the same time: the first one waits for all
        if bit < 16 and not c.next_fpdu(0.1 if stalls else 1):
            t.want(not c.ended, 'length bit %d: closed without a Terminate' % bit)
            c.shutdown()
            t.want(c.wait_end(5), 'length bit %d: no end after FIN' % bit)
            stalls += 1
        elif bit < 16:
            t.want(c.fpdus[-1].triple in ((2, 0, 2), (2, 0, 3)) or t.env.lenient,
                   'length bit %d: %s' % (bit, c.fpdus[-1]))
            t.want(c.wait_end(5), 'no FIN')
        else:
            t.got.clear()
            t.term(c, '2/0/02', bad=b'')
        c.close()
    return stalls


@case(55)
def every_bit(t):
    """F01 with each bit flipped."""
    s = t.listen(**({'cq': 64, 'keep': 100} if t.env.agent else {}))
    stalls = sum(flip_batch(t, s, range(at, at + 32)) for at in range(0, 224, 32))
    if s.agent:
        for i in range(224):
            good = [e for e in s.cqes(conn=i) if e['name'] == 'recv' and not e['status']]
            t.want(len(good) == 1, 'a damaged Send was delivered (bit %d)' % i)
    t.saw('224 bits, %d of them stalled' % stalls)


@case(56)
def altered_write(t):
    """TO changed behind the CRC's back."""
    s, c = t.open()
    before = s.digest()
    data = bytearray(c.frame(wire.tagged(wire.WRITE, c.r1.stag, c.r1.to, b'\xff' * 32)))
    data[15] ^= 0x40
    c.send(bytes(data))
    t.term(c, '2/0/02')
    t.untouched(s, before)


@case(57)
def nothing_after_error(t):
    """A good Write behind a bad FPDU."""
    s, c = t.open()
    before = s.digest()
    bad = c.frame(wire.tagged(wire.WRITE, c.r1.stag, c.r1.to, b'\xff' * 32), flip=1 << 31)
    c.send(bad + c.frame(wire.tagged(wire.WRITE, c.r1.stag, c.r1.to, b'\xee' * 32)))
    t.term(c, '2/0/02')
    t.untouched(s, before)


@case(58)
def short_ulpdu(t):
    """ULPDUs shorter than their header."""
    s = t.listen()
    write = wire.tagged(wire.WRITE, 1, 0)
    send = wire.untagged(wire.SEND, 1)
    for first in (False, True):
        for ulpdu in (b'', write[:1], write[:2], write[:13], send[:17]):
            c = s.start() if first else s.open()
            c.post(ulpdu)
            t.got.clear()
            t.term(c, '2/0/03', '1/0/00', bad=b'', close_ok=first and t.env.lenient)
    t.alive(s.open())


@case(59)
def longest_ulpdu(t):
    """64768 and 65535 octets."""
    s, c = t.open()
    for size in (64768, 65535):
        data = wire.pattern(size - 14, 7)
        c.write(c.r5.stag, c.r5.to, data)
        try:
            t.want(s.fetch(c, c.r5, 0, len(data)) == data, 'wrong data')
            t.saw('%d placed' % size)
        except Fail:
            t.want(size > wire.MAX_ULPDU and c.terminated, 'ULPDU of %d octets' % size)
            t.saw('%d: %s' % (size, c.fpdus[-1]))


@case(60)
def half_fpdu(t):
    """FIN in the middle of a Send."""
    s, c = t.open()
    before = s.digest()
    c.send(c.frame(c.untagged(wire.SEND, b'x' * 40))[:30])
    c.shutdown()
    t.ends(c)
    if s.agent:
        s.wait('DISCONNECTED')
        good = [e for e in s.cqes() if e['op'] >= RECV and not e['status']]
        t.want(len(good) == 1, 'part of a message was delivered')
    t.untouched(s, before)


def mulpdu(emss, markers=False):
    """Section 1.6."""
    size = emss - (6 + emss % 4 + (4 * -(-emss // 512) if markers else 0))
    return max(128, min(size, wire.MAX_ULPDU))


def big_write(t, maxseg=None, size=1 << 20):
    """The DUT writes to PEER; every FPDU fits the segment size."""
    s = t.listen()
    c = s.open(maxseg=maxseg)
    emss = c.segment_size()
    s.post('write', len=size, stag=0x7777, to=0x10000)
    first, data = c.take_message(wire.WRITE, 60)
    t.want((first.stag, first.to) == (0x7777, 0x10000), 'addressed to %s' % first)
    t.want(data == wire.pattern(size), 'wrong data')
    parts = [f for f in c.fpdus if f.t]
    longest = max(len(f.raw) for f in parts)
    t.prefer(longest <= emss, 'FPDU of %d octets, EMSS %d' % (longest, emss))
    longest = max(len(f.ulpdu) for f in parts)
    t.prefer(longest <= mulpdu(emss), 'ULPDU of %d octets, MULPDU %d' % (longest, mulpdu(emss)))
    t.saw('EMSS %d: %d FPDUs, longest ULPDU %d' % (emss, len(parts), longest))


@case(61, alone=True)
def fpdu_sizes(t):
    """A big Write at several segment sizes."""
    big_write(t)
    big_write(t, 1200, 1 << 17)
    big_write(t, 548, 1 << 16)
    if not t.env.switch_cmd:
        t.note('no --switch command: EMSS 1460 and 8948 not tried')
        return
    t.switch('timestamps', 'off')
    big_write(t, size=1 << 18)
    t.switch('timestamps', 'on')
    t.switch('mtu', '9000')
    big_write(t)


@case(62, alone=True)
def path_mtu_drops(t):
    """The path gets narrower under a transfer."""
    s, c = t.open()
    c.hold = True
    for _ in range(2):
        s.post('write', len=4 << 20, stag=0x7777, to=0)
    time.sleep(0.3)
    t.switch('mtu', '1300')
    c.hold = False
    for _ in range(2):
        t.want(c.take_message(wire.WRITE, 60)[1] == wire.pattern(4 << 20), 'wrong data')
    sizes = [len(f.raw) for f in c.fpdus if f.t and not f.last]
    t.prefer(max(sizes[-200:]) <= 1248, 'FPDUs of %d octets at MTU 1300' % max(sizes[-200:]))
    t.saw('FPDUs from %d to %d octets' % (sizes[0], sizes[-1]))


# --- E: markers ---

@case(63)
def dut_sends_markers(t):
    """Sends of all lengths and a big Write with markers."""
    s = t.listen()
    c = s.open(flags=wire.C | wire.M)
    for n in range(0, 601, t.scale(11, 1)):
        s.post('send', len=n)
        t.want(c.take_message(wire.SEND)[1] == wire.pattern(n), 'Send of %d octets' % n)
    s.post('write', len=65536, stag=1, to=2)
    t.want(c.take_message(wire.WRITE)[1] == wire.pattern(65536), 'Write data')
    count = sum(len(f.markers) for f in c.fpdus)
    t.want(count >= c.rx_pos // 512, 'too few markers')
    t.saw('%d markers in %d octets' % (count, c.rx_pos))


@case(64)
def first_marker(t):
    """Full operation begins with a marker."""
    s = t.listen()
    c = s.start(flags=wire.C | wire.M)
    c.send_msg()
    c.fill(6)
    t.want(c.rx[:4] == bytes(4), 'first octets %s' % bytes(c.rx[:6]).hex())
    length = struct.unpack('>H', bytes(c.rx[4:6]))[0]
    s.advert(c)
    t.want(length == len(c.fpdus[0].ulpdu), 'no ULPDU_Length behind the marker')
    t.saw('00000000 then ULPDU_Length %d' % length)


@case(65)
def marker_in_terminate(t):
    """A Terminate that spans a marker."""
    s = t.listen()
    c = s.open(flags=wire.C | wire.M)
    if s.agent:
        room = (496 - c.rx_pos) % 512
        s.post('send', len=(room - 24 if room >= 24 else room + 484) & ~3)
        c.take_message(wire.SEND)
    c.write(0xdeadbeef, 0, b'1234')
    f = t.term(c, '1/1/00', ('0/1/00',))
    t.want(not s.agent or f.markers, 'the Terminate has no marker inside')
    t.saw('%d markers in it' % len(f.markers))


def marked(t, **how):
    """A connection on which PEER must send markers."""
    t.switch('markers', 'on')
    s = t.listen(rsize=2048, recvs=32)
    c = s.open(**how)
    t.want(c.tx_markers, 'DUT set to want markers does not ask for them: %s' % c.reply)
    return s, c


def move_to(c, place):
    """Fill with Writes to R1 until the stream is at this offset modulo 512."""
    for n in range(0, 1200, 4):
        data = wire.fpdu(wire.tagged(wire.WRITE, c.r1.stag, c.r1.to, bytes(n)), c.tx_pos)
        if (c.tx_pos + len(data)) % 512 == place:
            c.write(c.r1.stag, c.r1.to, bytes(n))
            return
    raise Fail('no way to offset %d' % place)


@case(66, alone=True)
def dut_gets_markers(t):
    """The places of M01 to M06."""
    s, c = marked(t)
    data = bytes(i & 255 for i in range(1200))
    sent = [b'ping']
    for place in (0x1ec, 0x1e8, 0x1e4, 0):
        move_to(c, place)
        sent.append(b'ping' if place else data)
        c.send_msg(sent[-1])
        if place == 0x1e4:
            sent.append(b'pong')
            c.send_msg(b'pong')
    move_to(c, 0x20)
    c.write(c.r1.stag, c.r1.to, data)
    t.want(s.fetch(c, c.r1, 0, 1200) == data, 'M06: wrong data')
    t.want([e['sum'] for e in s.recvs(len(sent))] == [digest(x) for x in sent],
           'M01-M05: wrong data')
    t.saw('all payloads exact')


@case(67, alone=True)
def marker_reserved(t):
    """Reserved bits of markers."""
    s, c = marked(t)
    for n in (600, 1200):
        c.post(c.untagged(wire.SEND, wire.pattern(n)),
               marker=lambda p: struct.pack('>HH', 0xffff, p | 3))
    t.alive(c)
    t.want(s.recvs(3)[2]['sum'] == digest(wire.pattern(1200)), 'wrong data')


@case(68, alone=True)
def marker_wrong(t):
    """A pointer off by four."""
    s, c = marked(t)
    c.post(c.untagged(wire.SEND, wire.pattern(1200)), marker=lambda p: wire.plain_marker(p + 4))
    c.read(0, 1, 0)
    f = c.next_fpdu()
    t.want(f, 'no reaction, %s' % c.how_ended())
    if f.op == wire.TERMINATE:
        t.want(f.triple[1:] in ((0, 3), (3, 3)), str(f))
    t.saw(str(f))


@case(69, alone=True)
def marker_missing(t):
    """No marker where one is due."""
    s, c = marked(t)
    before = s.digest()
    data = c.frame(c.untagged(wire.SEND, wire.pattern(1200)), marker=lambda p: b'')
    c.send(data + bytes(64))
    t.term(c, ('2/0/02', '2/0/03'), bad=b'')
    t.untouched(s, before)


@case(70, alone=True)
def sequence_wrap(t):
    """Markers across the wrap of TCP's sequence numbers."""
    s, c = marked(t, sequence=(1 << 32) - 900)
    for n in range(1, 12):
        c.write(c.r1.stag, c.r1.to, wire.pattern(100 * n, n))
    t.want(s.fetch(c, c.r1, 0, 1100) == wire.pattern(1100, 11), 'wrong data')
    t.alive(c)


@case(71)
def markers_unasked(t):
    """PEER sends markers nobody wants."""
    s, c = t.open()
    before = s.digest()
    c.tx_markers = True
    c.send_msg(wire.pattern(60))
    for _ in range(4):
        data = c.frame(wire.tagged(wire.WRITE, c.r1.stag, c.r1.to, b'\xff' * 200))
        c.send(data)
        if len(data) > wire.fpdu_size(214):
            break
    c.send(bytes(64))
    t.term(c, ('2/0/02', '2/0/03'), bad=b'')
    t.untouched(s, before, but=('R1',))
    c = s.start()
    c.tx_markers = True
    c.send_msg()
    t.term(c, ('2/0/02', '2/0/03'), bad=b'', close_ok=t.env.lenient)
