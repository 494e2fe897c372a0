# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Group H: RDMAP."""

import struct

from . import wire
from .cases import case
from .group_fg import provoke, segments
from .wire import READ_REQ, READ_RESP, SEND, SEND_INV, SEND_SE, WRITE, read_request, tagged

OVERRUN = ('1/2/03', '0/2/07')


@case(94)
def huge_reads(t):
    """Read sizes that look negative."""
    for size in (0x80000000, 0xffffffff):
        provoke(t, lambda c, size=size: c.read(size, c.r1.stag, c.r1.to), '0/1/01')


@case(95)
def rdmap_version(t):
    """RV 0, 2, 3."""
    for first in (False, True):
        for rv in (0, 2, 3):
            provoke(t, lambda c, rv=rv: c.send_msg(rv=rv), '0/2/05', first=first)


@case(96)
def unknown_opcodes(t):
    """Opcodes C to F in both formats."""
    s = t.listen()
    for first in (False, True):
        for op in (12, 13, 14, 15):
            provoke(t, lambda c, op=op: c.send_msg(op=op, qn=0), '0/2/06', first=first, s=s)
            provoke(t, lambda c, op=op:
                    c.post(tagged(op, 0xdeadbeef, 0, b'abcd')), '0/2/06', first=first, s=s)


@case(97)
def wrong_format(t):
    """The T bit contradicts the opcode."""
    provoke(t, lambda c: c.send_msg(op=WRITE, qn=0), '0/2/06', '1/0/00')
    provoke(t, lambda c: c.post(tagged(SEND, c.r1.stag, c.r1.to, b'ping')), '0/2/06', '1/0/00')
    provoke(t, lambda c: c.send_msg(op=READ_RESP, qn=0), '0/2/06', '1/0/00')


@case(98)
def reads(t):
    """Reads of several sizes at odd places."""
    s, c = t.open()
    whole = wire.pattern(65536)
    for size, off in ((1, 3), (2, 4095), (1448, 777), (65535, 1), (65536, 0)):
        t.want(s.fetch(c, c.r5, off, size) == whole[off:off + size], 'Read of %d octets' % size)
    t.saw('%d FPDUs' % len(c.fpdus))


@case(99)
def sink_is_echoed(t):
    """A sink that wraps is none of the DUT's business."""
    _, c = t.open()
    c.read(16, c.r5.stag, c.r5.to, (0xdeadbeef, 0xffffffffffffff00))
    f = c.take(READ_RESP)
    t.want((f.stag, f.to, f.payload) == (0xdeadbeef, 0xffffffffffffff00, wire.pattern(16)),
           'got %s' % f)


@case(100)
def malformed_reads(t):
    """Read Requests wrong in one field each."""
    def read(extra=b'', cut=46, **how):
        def send(c):
            body = read_request(1, 0, 16, c.r5.stag, c.r5.to) + extra
            c.post(c.untagged(READ_REQ, body, **how)[:cut + len(extra)])
        return send
    provoke(t, read(qn=0), ('1/2/01', '0/2/06'))
    provoke(t, read(mo=4), '1/2/04')
    provoke(t, read(msn=2), '1/2/03')
    provoke(t, read(cut=45), '2/0/03')
    provoke(t, read(b'x'), '1/2/05')
    provoke(t, read(last=False), '1/2/05')


@case(101)
def empty_read(t):
    """A zero-length Read of nothing."""
    _, c = t.open()
    t.alive(c, 0xdeadbeef, wire.ALL_ONES)


@case(102)
def read_after_write(t):
    """A Read sees the Write before it."""
    s, c = t.open()
    count = t.scale(150, 1000)
    for i in range(count):
        text = struct.pack('>IIQ', i, ~i & 0xffffffff, i * i)
        body = read_request(1, 0, 16, c.r1.stag, c.r1.to + i % 64)
        c.send(c.frame(tagged(WRITE, c.r1.stag, c.r1.to + i % 64, text))
               + c.frame(c.untagged(READ_REQ, body)))
        t.want(c.take(READ_RESP).payload == text, 'round %d: old data' % i)
    t.saw('%d rounds' % count)


@case(103)
def reads_in_order(t):
    """Four Reads at once."""
    _, c = t.open()
    sizes = (65536, 1, 0, 4096)
    data = b''
    for i, size in enumerate(sizes):
        body = read_request(0x100 + i, 0, size, c.r5.stag, c.r5.to)
        data += c.frame(c.untagged(READ_REQ, body))
    c.send(data)
    for i, size in enumerate(sizes):
        first, got = c.take_message(READ_RESP)
        t.want(first.stag == 0x100 + i and got == wire.pattern(size), 'response %d: %s'
               % (i, first))


@case(104)
def too_many_reads(t):
    """More Reads than IRD, with nothing taken from the socket."""
    s, c = t.open()
    c.hold = True
    data = b''
    count = 120
    for _ in range(count):
        body = read_request(1, 0, 65536, c.r5.stag, c.r5.to)
        data += c.frame(c.untagged(READ_REQ, body))
    c.send(data, 3)
    c.pump(lambda: False, 1)
    c.hold = False
    served = 0
    while True:
        f = c.next_fpdu(10)
        if f is None or f.op != READ_RESP:
            break
        served += f.last
    if f is None and served == count:
        t.saw('all %d served: back-pressure' % served)
        return
    t.want(f is not None, 'no Terminate after %d responses, %s' % (served, c.how_ended()))
    text = '%x/%x/%02x' % f.triple
    t.prefer(text == '1/2/02', 'TERM %s is an alternative' % text)
    t.want(text in ('1/2/02', *OVERRUN), 'TERM ' + text)
    t.want(c.wait_end(5), 'no FIN')
    t.saw('%d served, TERM %s' % (served, text))
    t.alive(s.open())


def sink_of(f):
    """Sink STag and TO of a Read Request."""
    return struct.unpack_from('>IQ', f.payload)


@case(105)
def obeys_ord(t):
    """8 Reads with ORD 2."""
    s = t.listen(ord=2)
    c = s.open()
    s.post('read', count=8, len=16, stag=0x5000, to=0x100, step=16)
    waiting = [c.take(READ_REQ), c.take(READ_REQ)]
    t.silent(c, 0.5)
    for i in range(8):
        c.post(tagged(READ_RESP, *sink_of(waiting.pop(0)), bytes([i]) * 16))
        if i < 6:
            waiting.append(c.take(READ_REQ))
            t.want(not c.rx, 'more than two outstanding')
    done = [e for e in s.cqes(10) if e['name'] == 'read' and not e['status']]
    t.want(len(done) == 8, '%d Reads completed' % len(done))


def bad_response(t, answer, strict, reads_posted=1):
    """The DUT reads, PEER answers wrongly; nothing but the sink may change."""
    s, c = t.open()
    sinks = []
    if reads_posted:
        s.post('read', count=reads_posted, len=32, stag=0x5000, to=0x100, step=64)
        sinks = [sink_of(c.take(READ_REQ)) for _ in range(reads_posted)]
    before = s.digest()
    rest = s.peek('K', 32, 256)
    answer(c, sinks)
    t.got.clear()
    t.term(c, strict, ('1/0/00', '0/2/06', '0/1/00', '0/1/01'), quote=False)
    t.want(s.peek('K', 32, 32) == rest[:32] and s.peek('K', 96, 192) == rest[64:],
           'octets beyond the sink buffers changed')
    t.untouched(s, before, but=('K',))
    t.want(not [e for e in s.cqes() if e['name'] == 'read' and not e['status']],
           'a Read completed well')


@case(106)
def wrong_responses(t):
    """Wrong STag, TO, length; no Read at all."""
    match = ('1/1/00', '1/1/01')
    bad_response(t, lambda c, k: c.post(tagged(READ_RESP, k[0][0] ^ 0x100, k[0][1], b'r' * 32)),
                 match)
    bad_response(t, lambda c, k: c.post(tagged(READ_RESP, k[0][0], k[0][1] + 64, b'r' * 32)),
                 match)
    bad_response(t, lambda c, k: c.post(tagged(READ_RESP, *k[0], b'r' * 33)), match)
    bad_response(t, lambda c, k: c.post(tagged(READ_RESP, *k[0], b'r' * 31)), match)
    bad_response(t, lambda c, k: c.post(tagged(READ_RESP, 0x1234, 0, b'r' * 32)), '0/2/06', 0)


@case(107)
def responses_swapped(t):
    """The second Read is answered first."""
    bad_response(t, lambda c, k: c.post(tagged(READ_RESP, *k[1], b'r' * 32)),
                 ('1/1/00', '1/1/01'), 2)


@case(108)
def completions_in_order(t):
    """A Send behind a Read."""
    s, c = t.open()
    s.cqes(2)
    s.post('read', len=32, stag=0x5000, to=0x100)
    s.post('send', len=4)
    request, send = None, None
    while request is None:
        f = c.next_fpdu()
        t.want(f, 'no Read Request')
        request, send = (f, send) if f.op == READ_REQ else (request, f)
    c.pump(lambda: False, 0.5)
    t.want([e['name'] for e in s.cqes()].count('send') == 1, 'the Send completed early')
    c.post(tagged(READ_RESP, *sink_of(request), b'r' * 32))
    if send is None:
        c.take(SEND)
    names = [e['name'] for e in s.cqes(4)]
    t.want(names[-2:] == ['read', 'send'], 'order %s' % names)


@case(109)
def solicited(t):
    """Only Sends with SE wake a solicited CQ."""
    s, c = t.open()
    s.recvs(1)
    s.cqes(2)
    start = int(s.ask('ARM', solicited=1).fields['events'])
    c.send_msg()
    s.recvs(2)
    c.pump(lambda: False, 0.2)
    t.want(int(s.ask('CQES').fields['events']) == start, 'a plain Send raised an event')
    c.send_msg(b'hello', SEND_SE)
    s.recvs(3)
    c.pump(lambda: False, 0.2)
    t.want(int(s.ask('CQES').fields['events']) == start + 1, 'no event for a Send with SE')


def gone(t, s, c):
    """R1's STag is dead: a Write is refused."""
    before = s.digest()
    c.write(c.r1.stag, c.r1.to, b'\xff' * 8)
    t.term(c, '1/1/00', '0/1/00')
    t.untouched(s, before)


def reported(t, s, c, number=-1):
    """The completion names the invalidated STag, where the provider can."""
    if not s.agent:
        return
    e = s.recvs(2)[number]
    if t.env.hello()['provider'] == 'stock' and not e['flags'] & 8:
        t.note('stock provider: completions cannot name the STag')
        return
    t.want(e['flags'] & 8 and int(e['inv'], 16) == c.r1.stag,
           'completion flags %x, invalidated %s' % (e['flags'], e['inv']))


@case(110)
def invalidate(t):
    """Send with Invalidate of R1."""
    s, c = t.open()
    c.send_msg(b'bye!', SEND_INV, inv=c.r1.stag)
    t.alive(c)
    reported(t, s, c)
    gone(t, s, c)


@case(111)
def invalidate_behind_write(t):
    """A Write and the invalidation in one segment."""
    s, c = t.open()
    c.send(c.frame(tagged(WRITE, c.r1.stag, c.r1.to, b'last words'))
           + c.frame(c.untagged(SEND_INV, b'bye!', inv=c.r1.stag)))
    t.alive(c)
    if s.agent:
        s.recvs(2)
        t.want(s.peek('R1', 0, 10) == b'last words', 'the Write was lost')
    gone(t, s, c)


@case(112)
def invalidate_unknown(t):
    """Unknown STag; R1 twice."""
    provoke(t, lambda c: c.send_msg(b'bye!', SEND_INV, inv=0x00123400), '0/2/09', '0/1/09',
            delivered=1)
    s, c = t.open()
    c.send_msg(b'bye!', SEND_INV, inv=c.r1.stag)
    t.alive(c)
    c.send_msg(b'bye!', SEND_INV, inv=c.r1.stag)
    t.term(c, '0/2/09', '0/1/09')


@case(113)
def invalidate_shared(t):
    """R1 is valid on two connections."""
    s = t.listen()
    a, b = s.open(), s.open()
    a.send_msg(b'bye!', SEND_INV, inv=a.r1.stag)
    t.term(a, ('0/2/09', '0/1/09'))
    b.write(b.r1.stag, b.r1.to, b'still here')
    t.want(s.fetch(b, b.r1, 0, 10) == b'still here', 'the other connection lost R1')
    t.saw('other connection unaffected')


@case(114)
def invalidate_field_ignored(t):
    """Octets 2-5 of a plain Send."""
    s, c = t.open()
    c.send_msg(b'plain', inv=c.r1.stag)
    c.write(c.r1.stag, c.r1.to, b'valid')
    t.want(s.fetch(c, c.r1, 0, 5) == b'valid', 'R1 is not valid any more')
    if s.agent:
        e = s.recvs(2)[1]
        t.want(e['data'] == b'plain' and not e['flags'] & 8, 'completion %s' % e)


@case(115)
def invalidate_in_segments(t):
    """Three segments invalidate once, at the end."""
    s, c = t.open()
    stag = c.r1.stag
    for mo in (0, 16):
        c.post(c.untagged(SEND_INV, b'p' * 16, mo=mo, last=False, inv=stag))
    c.shutdown()
    t.ends(c)
    if s.agent:
        s.wait('DISCONNECTED')
        s.ask('DROP', conn=0)
    c = s.open()
    c.write(c.r1.stag, c.r1.to, b'alive')
    t.want(s.fetch(c, c.r1, 0, 5) == b'alive', 'part of a message invalidated R1')
    segments(c, (b'p' * 16, b'q' * 16, b'r' * 8), SEND_INV, inv=stag)
    t.alive(c)
    if s.agent:
        t.want(s.recvs(2)[1]['len'] == 40, 'length of the receive')
    gone(t, s, c)
