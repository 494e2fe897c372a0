# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Groups F and G: untagged and tagged DDP."""

from . import wire
from .cases import case
from .conn import Fail, Skip
from .wire import READ_REQ, SEND

TOP = wire.ALL_ONES


def provoke(t, send, strict, alt=(), first=False, s=None, delivered=None, **how):
    """On a fresh connection send() must bring the Terminate and leave memory alone.

    delivered: how many receives may have completed well.
    """
    s = s or t.listen()
    c = s.start() if first else s.open()
    before = s.digest()
    send(c)
    t.got.clear()
    if first and t.env.lenient:
        how['close_ok'] = True
    f = t.term(c, strict, alt, **how)
    t.untouched(s, before)
    if delivered is not None and s.agent:
        good = [e for e in s.cqes() if e['name'] == 'recv' and not e['status']]
        t.want(len(good) == delivered, '%d receives completed, expected %d'
               % (len(good), delivered))
    return f


def segments(c, texts, op=SEND, **how):
    """Send one untagged message in several segments."""
    mo = 0
    for i, text in enumerate(texts):
        last = i == len(texts) - 1
        c.post(c.untagged(op, text, mo=mo, last=last, **how))
        mo += len(text)


# --- F: untagged ---

@case(72)
def ddp_version_untagged(t):
    """DV 0, 2, 3 in a Send."""
    for first in (False, True):
        for dv in (0, 2, 3):
            provoke(t, lambda c, dv=dv: c.send_msg(dv=dv), '1/2/06', first=first)


@case(73)
def reserved_header_bits(t):
    """All reserved bits of a Send set."""
    s, c = t.open()
    c.send_msg(b'bits', rsvd=15, rsv=3)
    t.alive(c)
    if s.agent:
        t.want(s.recvs(2)[1]['data'] == b'bits', 'wrong data')


@case(74)
def wrong_queue(t):
    """A Send on other queues than 0."""
    for qn in (1, 2, 3, 4, 0xffffffff):
        provoke(t, lambda c, qn=qn: c.send_msg(qn=qn), '1/2/01', '0/2/06')


@case(75)
def wrong_msn(t):
    """MSN 0, a gap, a repeat."""
    provoke(t, lambda c: c.send_msg(msn=0), '1/2/03', first=True)
    provoke(t, lambda c: c.send_msg(msn=2), '1/2/03', first=True)
    provoke(t, lambda c: c.send_msg(msn=1), '1/2/03', delivered=1)


@case(76)
def wrong_mo(t):
    """Offsets that don't continue the message."""
    def second(mo):
        def send(c):
            c.post(c.untagged(SEND, b'x' * 16, last=False))
            c.post(c.untagged(SEND, b'y' * 16, mo=mo))
        return send
    provoke(t, lambda c: c.send_msg(mo=4), '1/2/04', delivered=1)
    provoke(t, second(20), '1/2/04', delivered=1)
    provoke(t, second(12), '1/2/04', delivered=1)
    provoke(t, lambda c: c.send_msg(mo=0xfffffffc), '1/2/04', delivered=1)
    provoke(t, second(0xfffffffc), '1/2/04', delivered=1)


@case(77)
def too_long_for_buffer(t):
    """64 octets fit, 65 don't, in one segment or two."""
    s, c = t.open()
    c.send_msg(b'z' * 64)
    t.alive(c)
    if s.agent:
        t.want(s.recvs(2)[1]['len'] == 64, 'length of the receive')
    provoke(t, lambda c: c.send_msg(b'z' * 65), '1/2/05', '1/2/02', delivered=1)
    provoke(t, lambda c: segments(c, (b'z' * 40, b'z' * 25)), '1/2/05', '1/2/02', delivered=1)


@case(78)
def no_receive_posted(t):
    """The ninth Send with eight receives."""
    for last in (b'ping', b''):
        s, c = t.open()
        for i in range(8):
            c.send_msg(bytes([i]))
        t.alive(c)
        before = s.digest()
        c.send_msg(last)
        t.term(c, '1/2/02')
        t.untouched(s, before)
        if s.agent:
            t.want(len(s.recvs(9)) == 9, 'receives completed')


@case(79)
def two_segments(t):
    """A Send in two segments is one receive."""
    s, c = t.open()
    segments(c, (b'ABCDEFGHIJKL', b'MNO'))
    t.alive(c)
    if s.agent:
        got = s.recvs(2)
        t.want(len(got) == 2 and got[1]['data'] == b'ABCDEFGHIJKLMNO', s.brief(got))


@case(80)
def interleaved_sends(t):
    """Another MSN before the message is complete."""
    def send(c):
        c.post(c.untagged(SEND, b'ABCDEFGHIJKL', last=False))
        c.send_msg(b'next', msn=c.next_msn(0, False) + 1)
        c.post(c.untagged(SEND, b'MNO', mo=12))
    f = provoke(t, send, ('1/2/03', '1/2/04', '0/2/06'), delivered=1, quote=False)
    t.note(str(f))


@case(81)
def write_inside_send(t):
    """A Write between the segments of a Send."""
    s, c = t.open()
    before = s.digest()
    c.post(c.untagged(SEND, b'ABCDEFGHIJKL', last=False))
    c.write(c.r1.stag, c.r1.to + 0x100, b'12345678')
    c.post(c.untagged(SEND, b'MNO', mo=12))
    c.read(0, 1, 0)
    f = c.next_fpdu()
    t.want(f, 'no reaction, %s' % c.how_ended())
    t.saw(str(f))
    if f.op == READ_REQ + 1 and s.agent:
        t.want(s.recvs(2)[1]['data'] == b'ABCDEFGHIJKLMNO', 'Send damaged')
        t.want(s.peek('R1', 0x100, 8) == b'12345678', 'Write damaged')
    t.untouched(s, before, but=('R1',))


@case(82)
def empty_send(t):
    """A zero-length Send uses a receive."""
    s, c = t.open()
    c.send_msg(b'')
    t.alive(c)
    if s.agent:
        got = s.recvs(2)
        t.want(got[1]['len'] == 0, s.brief(got))


# --- G: tagged ---

@case(83)
def writes_to_edges(t):
    """First and last octet, then all of R1."""
    s, c = t.open()
    before = s.digest()
    want = bytearray(s.fetch(c, c.r1, 0, 4096))
    for off in (0, 4095):
        want[off] ^= 0xff
        c.write(c.r1.stag, c.r1.to + off, want[off:off + 1])
    t.want(s.fetch(c, c.r1, 0, 4096) == want, 'single octets')
    whole = wire.pattern(4096, 99)
    c.write(c.r1.stag, c.r1.to, whole)
    t.want(s.fetch(c, c.r1, 0, 4096) == whole, 'whole region')
    t.untouched(s, before, but=('R1',))
    if s.agent:
        t.want(len([e for e in s.cqes() if e['name'] == 'recv']) == 1, 'a Write completed')


@case(84)
def out_of_bounds(t):
    """Around the edges of R1."""
    s = t.listen()
    for off, n in ((-1, 1), (-1, 2), (4096, 1), (4095, 2), (0, 4097)):
        provoke(t, lambda c, off=off, n=n: c.write(c.r1.stag, c.r1.to + off, b'\xff' * n),
                '1/1/01', '0/1/01', s=s)


@case(85)
def address_wrap(t):
    """TO + length beyond 2^64."""
    s = t.listen()
    provoke(t, lambda c: c.write(c.r1.stag, TOP - 7, b'\xff' * 16), '1/1/03',
            ('0/1/04', '1/0/00'), s=s)
    try:
        top = s.ask('TOP').fields
    except Skip as why:
        t.note('no region at the top of the address range: %s' % why)
        return
    stag = int(top['stag'], 16)
    provoke(t, lambda c: c.write(stag, TOP - 7, b'\xff' * 16), '1/1/03',
            ('0/1/04', '1/0/00', '1/1/01', '0/1/01'), s=s)
    t.want(s.ask('TOP').fields['digest'] == top['digest'], 'the top region was written')


@case(86)
def unknown_stags(t):
    """STags nobody handed out."""
    s = t.listen()
    probe = s.open()
    known = {r.stag for r in probe.adv.values()}
    probe.abort()
    stags = [0, 0xffffffff] + [probe.r1.stag ^ 1 << bit for bit in range(32)]
    for stag in stags:
        if stag not in known:
            provoke(t, lambda c, stag=stag: c.write(stag, c.r1.to, b'\xff' * 8), '1/1/00',
                    '0/1/00', s=s)


@case(87)
def write_read_only(t):
    """Write to R2."""
    provoke(t, lambda c: c.write(c.r2.stag, c.r2.to, b'\xff' * 8), '1/1/00', '0/1/02')


@case(88)
def read_write_only(t):
    """Read of R3."""
    provoke(t, lambda c: c.read(16, c.r3.stag, c.r3.to), '0/1/02')


@case(89)
def other_domain(t):
    """R4 belongs to another protection domain."""
    provoke(t, lambda c: c.write(c.r4.stag, c.r4.to, b'\xff' * 8), '1/1/02', '0/1/03')
    provoke(t, lambda c: c.read(16, c.r4.stag, c.r4.to), '0/1/03')
    provoke(t, lambda c: c.send_msg(b'inv', wire.SEND_INV, inv=c.r4.stag), '0/1/09',
            '0/2/09', delivered=1)


@case(90)
def empty_writes(t):
    """Zero-length Writes need no STag."""
    s, c = t.open()
    before = s.digest()
    c.write(0, 0, b'')
    c.write(0xdeadbeef, TOP, b'')
    t.alive(c)
    t.untouched(s, before)


@case(91)
def second_segment_outside(t):
    """The second half of a Write leaves R1."""
    s, c = t.open()
    before = s.digest()
    c.write(c.r1.stag, c.r1.to + 4088, b'\xff' * 8, last=False)
    c.write(c.r1.stag, c.r1.to + 4096, b'\xff' * 8)
    t.term(c, '1/1/01', '0/1/01')
    t.untouched(s, before, but=('R1',))


def accepted_or_error(t, send):
    """No crash and nothing outside R1, whatever the DUT thinks of it."""
    s, c = t.open()
    before = s.digest()
    send(c)
    c.read(0, 1, 0)
    f = c.next_fpdu()
    t.want(f or c.ended, 'no reaction')
    t.saw(str(f))
    t.untouched(s, before, but=('R1',))
    t.alive(s.open())
    return s, f


@case(92)
def empty_first_segment(t):
    """A segment without payload and without L, then a good one."""
    def send(c):
        c.write(0xdeadbeef, 0, b'', last=False)
        c.write(c.r1.stag, c.r1.to, b'12345678')
    accepted_or_error(t, send)


@case(93)
def inconsistent_segments(t):
    """The second segment goes elsewhere."""
    def other_stag(c):
        c.write(c.r1.stag, c.r1.to, b'1' * 8, last=False)
        c.write(c.r4.stag, c.r4.to + 8, b'2' * 8)

    def other_place(c):
        c.write(c.r1.stag, c.r1.to, b'1' * 8, last=False)
        c.write(c.r1.stag, c.r1.to + 512, b'2' * 8)
    _, f = accepted_or_error(t, other_stag)
    if f is not None and f.op != wire.TERMINATE:
        raise Fail('a Write into another protection domain was taken')
    accepted_or_error(t, other_place)
