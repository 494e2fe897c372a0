# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Groups I and J: Terminate and teardown, RDMAP extensions."""

import random
import struct
import time

from . import wire
from .cases import case
from .conn import Fail, Skip
from .group_fg import provoke
from .wire import (ATOMIC_REQ, ATOMIC_RESP, CMP_SWAP, FETCH_ADD, IMM, IMM_SE, READ_REQ,
                   READ_RESP, SEND, SEND_INV, TERMINATE, WRITE, atomic_request, read_request,
                   tagged, terminate, untagged)

TOP = wire.ALL_ONES
FLUSH_ERR = 5
WITH_IMM = 2
REM_ACCESS_ERR = 10


# --- I: Terminate and teardown ---

def crc_error(c):
    """A Send with a wrong CRC."""
    c.post(c.untagged(SEND, b'ping'), flip=1)


def nine_sends(c):
    """One more than there are receives; only the last is quoted."""
    for _ in range(9):
        c.send_msg()


# triple, alternatives, stimulus
REACHABLE = (
    ('0/1/00', (), lambda c: c.read(8, 0xdeadbeef, 0)),
    ('0/1/01', (), lambda c: c.read(8, c.r5.stag, c.r5.to + 65529)),
    ('0/1/02', (), lambda c: c.read(8, c.r3.stag, c.r3.to)),
    ('0/1/03', (), lambda c: c.read(8, c.r4.stag, c.r4.to)),
    ('0/1/04', (), lambda c: c.read(16, c.r5.stag, TOP - 7)),
    ('0/1/09', ('0/2/09',), lambda c: c.send_msg(b'', SEND_INV, inv=c.r4.stag)),
    ('0/2/05', (), lambda c: c.send_msg(rv=2)),
    ('0/2/06', (), lambda c: c.send_msg(op=14, qn=0)),
    ('0/2/09', ('0/1/09',), lambda c: c.send_msg(b'', SEND_INV, inv=0xdead0000)),
    ('1/1/00', ('0/1/00',), lambda c: c.write(0xdeadbeef, 0, b'1234')),
    ('1/1/01', ('0/1/01',), lambda c: c.write(c.r1.stag, c.r1.to + 4093, b'1234')),
    ('1/1/02', ('0/1/03',), lambda c: c.write(c.r4.stag, c.r4.to, b'1234')),
    ('1/1/03', ('0/1/04', '1/0/00'), lambda c: c.write(c.r1.stag, TOP - 1, b'1234')),
    ('1/1/04', (), lambda c: c.write(c.r1.stag, c.r1.to, b'1234', dv=3)),
    ('1/2/01', ('0/2/06',), lambda c: c.send_msg(qn=5)),
    ('1/2/02', (), nine_sends),
    ('1/2/03', (), lambda c: c.send_msg(msn=7)),
    ('1/2/04', (), lambda c: c.send_msg(mo=8)),
    ('1/2/05', ('1/2/02',), lambda c: c.send_msg(bytes(65))),
    ('1/2/06', (), lambda c: c.send_msg(dv=0)),
    ('2/0/02', (), crc_error),
    ('2/0/03', ('1/0/00',), lambda c: c.post(b'\x41\x43')),
)


@case(116)
def every_triple(t):
    """Each triple a peer can provoke, its frame checked in full.

    2/0/06 and 2/0/07 need the DUT as Initiator: TC-048 and TC-047.
    """
    s = t.listen()
    for strict, alt, send in REACHABLE:
        try:
            provoke(t, send, strict, alt, s=s)
        except Fail as err:
            raise Fail('%s: %s' % (strict, err)) from err
    seen = [strict for strict, _, _ in REACHABLE]
    if t.env.agent and int(t.env.hello()['atomics']):
        provoke(t, lambda c: fetch_add(c, c.r1.to + 4), '0/2/07', s=s)
        seen.append('0/2/07')
    t.got.clear()
    t.saw('%d triples: %s' % (len(seen), ' '.join(seen)))


@case(117)
def terminate_flushes(t):
    """F12 while Reads and Sends are outstanding."""
    s, c = t.open()
    s.cqes(2)
    s.post('read', count=2, len=32, stag=0x5000, to=0x100, step=64)
    s.post('send', count=4, len=4)
    for _ in range(6):
        t.want(c.next_fpdu(), 'Reads and Sends did not come')
    c.send_msg(terminate((2, 0, 2)), TERMINATE)
    how = c.wait_end(5)
    t.want(how, 'the DUT does not close')
    t.want(not c.rx, 'octets after our Terminate: %s' % bytes(c.rx[:32]).hex())
    t.saw(how)
    cqes = s.cqes(16, 5)
    posted = [e['wr'] for e in cqes]
    t.want(len(set(posted)) == len(posted) == 16, 'work requests not flushed exactly once')
    reads = [e for e in cqes if e['wr'] in (0x10000, 0x10001)]
    t.want(all(e['status'] for e in reads), 'a Read completed well')
    for _ in range(20):
        # it may come after the completions
        events = s.ask('ASYNC').lines
        if events:
            break
        time.sleep(0.1)
    t.prefer(events, 'no async event')
    t.saw('async events %s' % ' '.join(e['type'] for e in events))
    # whose fault is it: ibverbs' status of a Read that waits
    request = untagged(READ_REQ, 1, read_request(0x1111, 0x2000, 32, 0x5000, 0x100))
    for triple, about, header, status in (
            ((0, 1, 2), request, request[18:46], REM_ACCESS_ERR),
            ((0, 1, 2), None, b'', REM_ACCESS_ERR),
            ((0, 1, 2), tagged(WRITE, 0x5000, 0x100, b'data'), b'', FLUSH_ERR),
            ((0, 0, 0), None, b'', FLUSH_ERR)):
        s, c = t.open()
        s.cqes(2)
        s.post('read', len=32, stag=0x5000, to=0x100)
        c.take(READ_REQ)
        c.send_msg(terminate(triple, about, header), TERMINATE)
        read = [e['status'] for e in s.cqes(9, 5) if e['wr'] == 0x10000]
        t.prefer(read == [status], 'status %s of a Read after %s about %s'
                 % (read, triple, about and about.hex()))


@case(118)
def terminates_received(t):
    """Variants of Terminate in the field, and a broken one."""
    s = t.listen()
    request = untagged(READ_REQ, 1, read_request(0x1111, 0x2000, 16, 0x2222, 0x3000))
    variants = (terminate((0, 1, 0), request, request[18:46]), terminate((2, 0, 7)),
                terminate((2, 3, 2)), b'\x02\x02\x03\x00', b'\x20\x02\x00')
    for i, payload in enumerate(variants):
        c = s.open()
        c.send_msg(payload, TERMINATE)
        answer = t.ends(c)
        t.want(answer is None or i == len(variants) - 1, 'a Terminate was answered by one')
    t.alive(s.open())


@case(119)
def malformed_terminates(t):
    """Terminates wrong in a header field."""
    s = t.listen()
    body = terminate((2, 0, 2))
    for how in ({'msn': 2}, {'mo': 4}, {'last': False}, None):
        c = s.open()
        if how is None:
            c.post(tagged(TERMINATE, 0, 0, body))
        else:
            c.send_msg(body, TERMINATE, **how)
        t.ends(c)
        t.want(len([f for f in c.fpdus if f.op == TERMINATE]) <= 1, 'two Terminates')
    t.alive(s.open())


@case(120)
def first_error_reported(t):
    """Two bad segments in one TCP segment."""
    _, c = t.open()
    first = tagged(WRITE, 0xdeadbeef, 0x1000, b'first')
    data = c.frame(first) + c.frame(c.untagged(SEND, b'second', rv=0))
    c.send(data)
    t.term(c, '1/1/00', '0/1/00', bad=first)


@case(121)
def terminate_gets_through(t):
    """A megabyte behind the bad segment."""
    s, c = t.open()
    bad = tagged(WRITE, 0xdeadbeef, 0, b'bad')
    good = wire.fpdu(tagged(WRITE, c.r1.stag, c.r1.to, bytes(1024)))
    c.send(c.frame(bad) + good * 1000, 10)
    t.term(c, '1/1/00', '0/1/00', bad=bad)
    # or longer than a patient end lasts
    c = s.open()
    c.send(c.frame(bad))
    for _ in range(7):
        time.sleep(0.5)
        c.send(good * 20)
    t.term(c, '1/1/00', '0/1/00', bad=bad)
    t.alive(s.open())


@case(122)
def fin_when_idle(t):
    """An orderly close by PEER."""
    s, c = t.open()
    c.shutdown()
    how = c.wait_end(5)
    t.want(how == 'FIN', 'answer to FIN: %s' % how)
    t.want(not c.rx, 'octets after our FIN: %s' % bytes(c.rx[:32]).hex())
    t.saw('FIN')
    if s.agent:
        s.wait('DISCONNECTED')
        cqes = s.cqes(10)
        bad = [e for e in cqes if e['status']]
        t.want(len(cqes) == 10 and len(bad) == 8, s.brief(cqes))
        t.want({e['status'] for e in bad} == {5}, 'receives not flushed but failed')


@case(123)
def fin_with_read(t):
    """FIN while a Read of the DUT is unanswered."""
    s, c = t.open()
    s.cqes(2)
    s.post('read', len=32, stag=0x5000, to=0x100)
    c.take(READ_REQ)
    c.shutdown()
    how = c.wait_end(5)
    t.want(how, 'the DUT does not close')
    t.want(not c.rx, 'octets after our FIN: %s' % bytes(c.rx[:32]).hex())
    s.wait('DISCONNECTED')
    read = [e for e in s.cqes(11) if e['wr'] == 0x10000]
    t.want(len(read) == 1 and read[0]['status'], 'the Read was not flushed')
    t.saw(how)


@case(124)
def reset_during_write(t):
    """RST while the DUT sends a megabyte."""
    s, c = t.open()
    s.cqes(2)
    c.hold = True
    s.post('write', count=4, len=1 << 20, stag=1, to=0)
    c.pump(lambda: False, 0.2)
    c.abort()
    s.wait('DISCONNECTED', 10)
    cqes = s.cqes(14, 5)
    t.want(len({e['wr'] for e in cqes}) == 14, 'flush: %s' % s.brief(cqes))
    s.ask('DROP', conn=0)
    t.alive(s.open())


@case(125)
def dut_disconnects(t):
    """The application disconnects behind ten Sends."""
    s, c = t.open()
    s.cqes(2)
    s.post('send', count=10, len=2000)
    s.ask('DISCONNECT')
    got = 0
    while True:
        f = c.next_fpdu()
        if f is None:
            break
        t.want(f.op == SEND, 'got %s' % f)
        got += f.last
    t.want(c.wait_end(5) == 'FIN', 'ended by %s' % c.how_ended())
    c.close()
    done = [e for e in s.cqes(20) if e['wr'] >= 0x10000]
    good = len([e for e in done if not e['status']])
    t.want(len(done) == 10 and good <= 10, s.brief(done))
    t.prefer(got >= good, '%d Sends completed, %d arrived' % (good, got))
    t.saw('%d Sends arrived, %d completed, then FIN' % (got, good))


# --- J: RDMAP extensions ---

def probe_imm(t, c, op, data):
    """Send Immediate Data; False when the DUT says it has none."""
    c.post(c.untagged(op, data))
    bad = c.last
    c.read(0, 1, 0)
    f = c.next_fpdu()
    t.want(f, 'no reaction, %s' % c.how_ended())
    if f.op == READ_RESP:
        return True
    t.want(f.op == TERMINATE, 'answer to Immediate Data: %s' % f)
    t.judge(f, '0/2/06')
    t.prefer(f.payload[6:] == bad[:18], 'quoted header of %s' % f)
    t.saw('not supported')
    return False


IMM_DATA = bytes.fromhex('0123456789abcdef')


@case(126)
def immediate_data(t):
    """Immediate Data without and with SE."""
    s, c = t.open()
    if not probe_imm(t, c, IMM, IMM_DATA):
        probe_imm(t, s.open(), IMM_SE, IMM_DATA)
        return
    if not s.agent:
        return
    s.recvs(2)
    events = int(s.ask('ARM', solicited=1).fields['events'])
    c.send_msg(IMM_DATA, IMM)
    s.recvs(3)
    t.want(int(s.ask('CQES').fields['events']) == events, 'event without SE')
    c.send_msg(IMM_DATA, IMM_SE)
    for e in s.recvs(4)[1:]:
        t.want(e['flags'] & 2 and e['imm'] == '01234567' or
               t.env.hello()['provider'] == 'stock', 'completion %s' % e)
    c.pump(lambda: False, 0.2)
    t.want(int(s.ask('CQES').fields['events']) == events + 1, 'no event with SE')
    t.saw('delivered')


def needs_imm(t):
    """Skip when the DUT has no Immediate Data."""
    s, c = t.open()
    if not probe_imm(t, c, IMM, IMM_DATA):
        raise Skip('no Immediate Data')
    t.got.clear()
    return s


@case(127)
def write_then_imm(t):
    """The Write is there when the Immediate Data are delivered."""
    needs_imm(t)
    s, c = t.open()
    c.send(c.frame(tagged(WRITE, c.r1.stag, c.r1.to, bytes(range(200))))
           + c.frame(c.untagged(IMM, IMM_DATA)))
    e = s.recvs(2)[1]
    t.want(e['r1'] == s.digest()['R1'], 'R1 changed after the completion')
    t.want(s.peek('R1', 0, 200) == bytes(range(200)), 'wrong data')
    # who is not told of the Immediate Data must take it for a receive
    t.want(int(e['flags']) & WITH_IMM or not e['len'], 'a receive of %s octets' % e['len'])


@case(128)
def imm_length(t):
    """7 and 9 octets."""
    needs_imm(t)
    for n in (7, 9):
        provoke(t, lambda c, n=n: c.send_msg(bytes(n), IMM), '0/2/ff', ('1/2/05', '0/2/07'),
                delivered=1)


def needs_atomics(t):
    """Skip when the device has no atomics."""
    if not t.env.agent:
        raise Skip('needs the control connection of the agent (--agent)')
    if not int(t.env.hello()['atomics']):
        raise Skip('no atomics')


def atomic(c, op, to, data, mask, compare=0, cmask=TOP, ident=None, stag=None, **how):
    """Send an Atomic Request; returns its identifier."""
    ident = random.getrandbits(32) if ident is None else ident
    stag = c.r1.stag if stag is None else stag
    c.post(c.untagged(ATOMIC_REQ, atomic_request(op, ident, stag, to, data, mask, compare,
                                                 cmask), **how))
    return ident


def fetch_add(c, to, add=1, mask=0, **how):
    """A FetchAdd."""
    return atomic(c, FETCH_ADD, to, add, mask, **how)


def original(t, c, ident):
    """Value in the Atomic Response."""
    f = c.take(ATOMIC_RESP)
    t.want(len(f.payload) == 12, 'Atomic Response of %d octets' % len(f.payload))
    got, value = struct.unpack('>IQ', f.payload)
    t.want(got == ident, 'identifier %08x, sent %08x' % (got, ident))
    return value


FETCH_ADDS = (
    (0x29, 1, 0, 0x2a), (TOP, 1, 0, 0), (0xffffffff, 1, 0, 0x100000000),
    (0xffffffff, 1, 0x80000000, 0),
    (0x00ff00ff00ff00ff, 0x0001000100010001, 0x8000800080008000, 0x0100010001000100),
    (TOP, 0x0101010101010101, 0x8080808080808080, 0),
    (0x5555555555555555, TOP, TOP, 0xaaaaaaaaaaaaaaaa))
ONES, TWOS = 0x1111111111111111, 0x2222222222222222
SWAPS = (
    (ONES, ONES, TOP, TWOS, TOP, TWOS), (ONES + 1, ONES, TOP, TWOS, TOP, ONES + 1),
    (0x1122334455667788, 0xffffffff55667788, 0x00000000ffffffff, 0xaaaaaaaabbbbbbbb,
     0xffff000000000000, 0xaaaa334455667788),
    (0x1122334455667788, 0, 0, 0xaaaaaaaabbbbbbbb, 0x00000000ffffffff, 0x11223344bbbbbbbb))


def one_atomic(t, s, c, before, after, send):
    """Set the word, run the atomic, check both values."""
    s.ask('POKE', region='R1', off=8, data=struct.pack('=Q', before).hex())
    ident = send(c, c.r1.to + 8)
    t.want(original(t, c, ident) == before, 'original value')
    now = struct.unpack('=Q', s.peek('R1', 8, 8))[0]
    t.want(now == after, 'memory %016x, expected %016x' % (now, after))


@case(129)
def fetch_adds(t):
    """The table of FetchAdd."""
    needs_atomics(t)
    s, c = t.open()
    for before, add, mask, after in FETCH_ADDS:
        one_atomic(t, s, c, before, after,
                   lambda c, to, a=add, m=mask: fetch_add(c, to, a, m))
    t.saw('%d rows' % len(FETCH_ADDS))


@case(130)
def swaps(t):
    """The table of CmpSwap."""
    needs_atomics(t)
    s, c = t.open()
    for before, compare, cmask, swap, smask, after in SWAPS:
        one_atomic(t, s, c, before, after, lambda c, to, x=(swap, smask, compare, cmask):
                   atomic(c, CMP_SWAP, to, *x))
    t.saw('%d rows' % len(SWAPS))


@case(131)
def unaligned_atomic(t):
    """Addresses that are no multiple of 8."""
    needs_atomics(t)
    for off in (1, 4, 7):
        provoke(t, lambda c, off=off: fetch_add(c, c.r1.to + off), '0/2/07')


@case(132)
def forbidden_atomics(t):
    """Rights, domain, bounds, STag, wrap."""
    needs_atomics(t)
    for strict, where in (('0/1/02', lambda c: (c.r2.stag, c.r2.to)),
                          ('0/1/02', lambda c: (c.r3.stag, c.r3.to)),
                          ('0/1/03', lambda c: (c.r4.stag, c.r4.to)),
                          ('0/1/01', lambda c: (c.r1.stag, c.r1.to + 4096)),
                          ('0/1/00', lambda c: (0xdeadbeef, c.r1.to)),
                          (('0/1/01', '0/1/04'), lambda c: (c.r1.stag, TOP - 7))):
        def send(c, where=where):
            stag, to = where(c)
            fetch_add(c, to, stag=stag)
        provoke(t, send, strict)
    provoke(t, lambda c: fetch_add(c, TOP - 3), ('0/1/04', '0/2/07'))


@case(133)
def unknown_atomic(t):
    """AOpCode 1, 3, 15."""
    needs_atomics(t)
    for op in (1, 3, 15):
        provoke(t, lambda c, op=op: atomic(c, op, c.r1.to, 1, 0), '0/2/06', '0/2/ff')


@case(134)
def reads_and_atomics(t):
    """One sequence of MSNs for both."""
    needs_atomics(t)
    s, c = t.open()
    s.ask('POKE', region='R1', off=8, data='00' * 8)
    data, idents = b'', []
    for i in range(2):
        data += c.frame(c.untagged(READ_REQ, read_request(0x40 + i, 0, 8, c.r1.stag,
                                                          c.r1.to + 8)))
        data += c.frame(c.untagged(ATOMIC_REQ, atomic_request(FETCH_ADD, 70 + i, c.r1.stag,
                                                              c.r1.to + 8, 5, 0)))
        idents.append(70 + i)
    c.send(data)
    for i, ident in enumerate(idents):
        f = c.take(READ_RESP)
        t.want(f.stag == 0x40 + i, 'responses out of order: %s' % f)
        t.want(original(t, c, ident) == 5 * i, 'original value of atomic %d' % i)


@case(135)
def concurrent_adds(t):
    """Two connections add to one word."""
    needs_atomics(t)
    s = t.listen()
    a, b = s.open(), s.open()
    s.ask('POKE', region='R1', off=8, data='00' * 8)
    count = t.scale(400, 100000)
    seen = set()
    waiting = []
    for _ in range(count):
        for c in (a, b):
            waiting.append((c, fetch_add(c, c.r1.to + 8)))
        while len(waiting) > 6:
            seen.add(original(t, *waiting.pop(0)))
    for c, ident in waiting:
        seen.add(original(t, c, ident))
    final = struct.unpack('=Q', s.peek('R1', 8, 8))[0]
    t.want(final == 2 * count == len(seen), '%d added, %d there, %d different originals'
           % (2 * count, final, len(seen)))
    t.saw('%d adds' % final)


@case(136)
def wrong_atomic_responses(t):
    """Wrong identifier, wrong MSN, no request."""
    needs_atomics(t)
    for kind in ('ident', 'msn', 'unsolicited'):
        s, c = t.open()
        s.cqes(2)
        ident = 0x77
        if kind != 'unsolicited':
            s.post('fadd', stag=0x5000, to=0x1000)
            ident = struct.unpack_from('>I', c.take(ATOMIC_REQ).payload, 4)[0]
        if kind == 'ident':
            ident ^= 1 << 31
        c.send_msg(wire.atomic_response(ident, 41), ATOMIC_RESP,
                   msn=5 if kind == 'msn' else 1)
        t.ends(c)
        t.want(not [e for e in s.cqes() if e['name'] == 'fadd' and not e['status']],
               '%s: the atomic completed' % kind)
