# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Cases beyond the catalogue, for requirements that no case of it names."""

import struct

from . import wire
from .cases import case
from .dut import RECV
from .group_abc import needs_v2, post_early
from .group_ij import FETCH_ADD, atomic_request, needs_atomics, needs_imm, original
from .wire import (ATOMIC_REQ, IMM, READ_REQ, READ_RESP, SEND, SEND_SE, TERMINATE, WRITE,
                   Enhanced, read_request, tagged, terminate)


@case(145, text=('A', 'Request with 7 octets of private data; FPDU in the instant of the Reply',
                 'FPDU processed; both directions switch at the frame boundary',
                 ('MPA-06', 'MPA-28')))
def odd_boundary(t):
    """Startup frames whose length is no multiple of 4."""
    s = t.listen(pd=b'abcde') if t.env.agent else t.listen()
    c = s.start(pd=b'1234567')
    c.send_msg()
    s.advert(c)
    t.alive(c)
    t.want(s.agent is None or c.reply.pd == b'abcde', 'private data of the Reply')


@case(146, text=('D', '200 good FPDUs, then one with a wrong CRC', 'TERM 2/0/02',
                 ('MPA-26', 'MPA-46')))
def late_corruption(t):
    """Checking does not stop after a while."""
    s, c = t.open()
    for i in range(200):
        c.write(c.r1.stag, c.r1.to + i, bytes([i]))
    t.want(s.fetch(c, c.r1, 0, 200) == bytes(range(200)), 'wrong data')
    before = s.digest()
    c.post(tagged(WRITE, c.r1.stag, c.r1.to, b'bad'), flip=1 << 9)
    t.term(c, '2/0/02')
    t.untouched(s, before)


@case(147, text=('H', 'zero-length Reads of R3 and R4', 'ALIVE', ('SEC-07', 'RDM-12')))
def empty_reads_of_anything(t):
    """No right is needed to read nothing."""
    _, c = t.open()
    for region in (c.r3, c.r4):
        t.alive(c, region.stag, region.to)


@case(148, text=('H', 'Read of 16 octets from a DUT whose IRD is 0', 'TERM 1/2/02',
                 ('ENH-28', 'RDM-18')))
def read_without_ird(t):
    """IRD 0 means no Reads."""
    s = t.listen(ird=0)
    c = s.open()
    c.read(16, c.r5.stag, c.r5.to)
    t.term(c, '1/2/02', ('1/2/03', '0/2/07'))


@case(149, text=('I', 'Read Request of 64 KiB, then FIN of PEER',
                 'response still sent, or orderly close; no RST, no Terminate', ('DDP-30',)))
def half_close(t):
    """PEER has said all it wants to say."""
    _, c = t.open()
    c.read(65536, c.r5.stag, c.r5.to)
    c.shutdown()
    data = b''
    while True:
        f = c.next_fpdu()
        if f is None:
            break
        t.want(f.op == READ_RESP, 'got %s' % f)
        data += f.payload
    t.want(c.wait_end(5) == 'FIN', 'ended by %s' % c.how_ended())
    t.want(wire.pattern(65536).startswith(data), 'wrong data')
    t.saw('%d octets, then FIN' % len(data))


@case(150, text=('C', 'Request with IRD 3 and ORD 5',
                 'connect event: 5 to be served, 3 may be issued', ('ENH-13',), 'T-32'))
def depths_in_event(t):
    """A consumer that copies the event's values ends with matching depths."""
    s = t.listen()
    s.start(rev=2, enhanced=Enhanced(ird=3, ord=5))
    event = s.wait('CONNECT_REQUEST')
    t.saw('responder_resources %s, initiator_depth %s' % (event['ird'], event['ord']))
    t.want((event['ird'], event['ord']) == ('5', '3'), t.got[-1])


@case(151, text=('H', 'Sends of three kinds and of no length in one TCP segment',
                 'delivered in order, one receive each', ('RDM-22', 'RDM-23')))
def mixed_sends(t):
    """One sequence of MSNs for all of the Send family."""
    s, c = t.open()
    texts = ((SEND, b'one'), (SEND_SE, b'two'), (SEND, b''), (SEND_SE, b''), (SEND, b'five'))
    c.send(b''.join(c.frame(c.untagged(op, text)) for op, text in texts))
    t.alive(c)
    t.want([e['data'] for e in s.recvs(6)[1:]] == [x for _, x in texts], 'order or data')


@case(152, text=('J', 'Write, then FetchAdd on the same word in one TCP segment',
                 'original value is the written one', ('EXT-12',)))
def write_then_add(t):
    """An atomic is not executed before what precedes it is placed."""
    needs_atomics(t)
    s, c = t.open()
    for i in range(50):
        word = struct.pack('=Q', i << 40 | 7)
        body = atomic_request(FETCH_ADD, i, c.r1.stag, c.r1.to + 8, 1, 0)
        c.send(c.frame(tagged(WRITE, c.r1.stag, c.r1.to + 8, word))
               + c.frame(c.untagged(ATOMIC_REQ, body)))
        t.want(original(t, c, i) == i << 40 | 7, 'round %d' % i)
    t.want(struct.unpack('=Q', s.peek('R1', 8, 8))[0] == 49 << 40 | 8, 'final value')


@case(153, text=('G', 'bad Write followed by good ones in the same TCP segment',
                 'TERM 1/1/00 for the first, UNTOUCHED', ('DDP-26', 'DDP-28')))
def deaf_after_error(t):
    """After an error nothing counts any more."""
    s, c = t.open()
    before = s.digest()
    bad = tagged(WRITE, 0xdeadbeef, 0, b'bad')
    c.send(c.frame(bad) + c.frame(tagged(WRITE, c.r1.stag, c.r1.to, b'good' * 8))
           + c.frame(c.untagged(SEND, b'ping')))
    t.term(c, '1/1/00', '0/1/00', bad=bad)
    t.untouched(s, before)
    if s.agent:
        t.want(len([e for e in s.cqes() if e['op'] >= RECV and not e['status']]) == 1,
               'a Send behind the error was delivered')


@case(154, text=('G', 'Write of three segments and a Send in one TCP segment',
                 'at the completion all of the Write is in R1', ('DDP-14',)))
def write_then_send(t):
    """Delivery means that everything before is placed."""
    s, c = t.open()
    data = wire.pattern(3000, 5)
    parts = [data[i:i + 1000] for i in range(0, 3000, 1000)]
    octets = b''.join(
        c.frame(tagged(WRITE, c.r1.stag, c.r1.to + 1000 * i, part, last=i == 2))
        for i, part in enumerate(parts))
    c.send(octets + c.frame(c.untagged(SEND, b'done')))
    e = s.recvs(2)[1]
    t.want(s.peek('R1', 0, 3000) == data, 'wrong data')
    t.want(e['r1'] == s.digest()['R1'], 'R1 changed after the completion')


@case(155, text=('I', 'eight Sends use up the receives, then F12', 'CLOSE, no answer',
                 ('RDM-32', 'RDM-34')))
def terminate_needs_no_receive(t):
    """There is always room for a Terminate."""
    _, c = t.open()
    for _ in range(8):
        c.send_msg()
    c.send_msg(terminate((2, 0, 2)), TERMINATE)
    t.closed(c)


@case(156, text=('J', 'Immediate Data with octets 2-5 all ones', 'accepted',
                 ('EXT-01', 'RDM-05')))
def imm_reserved_octets(t):
    """The field has no meaning there."""
    needs_imm(t)
    _, c = t.open()
    c.send_msg(bytes(8), IMM, inv=0xffffffff)
    t.alive(c)


@case(157, text=('H', 'IRD Read Requests of 65536 octets at once',
                 'all served, in order', ('RDM-17', 'ENH-09')))
def all_of_ird(t):
    """As many as the Reply granted."""
    s = t.listen()
    c = s.start(rev=2, enhanced=Enhanced(ird=4, ord=6))
    c.send_msg()
    s.advert(c)
    depth = c.reply.enhanced.ird
    data = b''
    for i in range(depth):
        data += c.frame(c.untagged(READ_REQ, read_request(0x100 + i, 0, 65536, c.r5.stag,
                                                          c.r5.to)))
    c.send(data)
    for i in range(depth):
        first, got = c.take_message(READ_RESP, 20)
        t.want(first.stag == 0x100 + i and got == wire.pattern(65536), 'response %d' % i)
    t.saw('%d served' % depth)


@case(168, text=('C', 'PEER grants the Write RTR and says nothing for 2 s',
                 'the RTR again, if anything; the connection works', ('ENH-20',)))
def silent_responder(t):
    """A Responder that is slow to speak is reminded at most."""
    s = t.session()
    c = s.called()
    needs_v2(c)
    c.send_reply(s.good_reply(c.request))
    s.take_rtr(c)
    s.advert(c)
    t.want(c.next_fpdu(2) is None and not c.ended, 'something else than the RTR')
    t.want(c.nudges <= 3, '%d reminders' % c.nudges)
    t.prefer(c.nudges, 'no reminder')
    t.saw('%d reminders' % c.nudges)
    t.alive(c)


@case(169, alone=True,
      text=('A', 'accept; agent told to Send at once, device told to wait no longer than 300 ms',
            'the Send comes after that time though PEER has sent nothing; not before an RTR that '
            'PEER has promised', ('MPA-09',)))
def responder_out_of_patience(t):
    """Towards Initiators whose program lets the server speak first; never by default."""
    t.switch('server_first', '300')
    s = t.listen(early=1)
    c = s.start()
    t.want(post_early(t, s), 'needs a Send posted early')
    c.holds_first = False
    t.silent(c, 0.1)
    c.take(SEND)
    t.saw('sent first')
    # an RTR that was agreed upon is waited for all the same
    s = t.listen(early=1)
    c = s.start(rev=2, enhanced=wire.Enhanced(a=True, c=True, ird=4, ord=4))
    t.want(post_early(t, s), 'needs a Send posted early')
    t.silent(c, 1)
    c.write(0xdeadbeef, 0, b'')
    c.take(SEND)


@case(170, text=('F', 'Write and Send of 10 segments in one TCP segment, the seventh deviates',
                 'TERM by what deviates; those in front of it placed, nothing else',
                 ('DDP-16', 'DDP-18', 'DDP-19', 'MPA-26')))
def deviation_in_a_row(t):
    """What goes on with a message is judged like what begins one."""
    def write(c, start=0, off=96, **seventh):
        row = [{'stag': c.r1.stag, 'to': c.r1.to + start + 16 * i} for i in range(10)]
        row[6].update(seventh, to=c.r1.to + start + off)
        return [tagged(WRITE, payload=bytes([48 + i]) * 16, last=i == 9, **how)
                for i, how in enumerate(row)]

    def send(c, num=10, **seventh):
        row = [{'mo': 4 * i, 'last': i == num - 1} for i in range(num)]
        row[6].update(seventh)
        return [c.untagged(SEND, b'abcd', count=False, **how) for how in row]

    def refused(code, make, bad=6, flip=0, quote=True, **seventh):
        s, c = t.open()
        but = ('R1',) if make is write else ()
        before = s.digest()
        octets = s.peek('R1', 0, 4096) if s.agent else None
        row = make(c, **seventh)
        c.send(b''.join(c.frame(ulpdu, flip=flip if i == bad else 0)
                        for i, ulpdu in enumerate(row)))
        t.term(c, code, bad=row[bad], quote=quote)
        t.untouched(s, before, but=but)
        if but and s.agent:
            at = seventh.get('start', 0)
            placed = b''.join(bytes([48 + i]) * 16 for i in range(6))
            t.want(s.peek('R1', 0, 4096) == octets[:at] + placed + octets[at + 96:],
                   'R1 holds something else than what came in front')

    s, c = t.open()
    c.send(b''.join(c.frame(ulpdu) for ulpdu in write(c) + send(c)))
    c.next_msn(0)
    t.alive(c)
    t.want(s.fetch(c, c.r1, 0, 160) == b''.join(bytes([48 + i]) * 16 for i in range(10)),
           'a good Write')
    if s.agent:
        t.want(s.recvs(2)[1]['data'] == b'abcd' * 10, 'a good Send')

    refused('1/1/01', write, start=4000)
    refused('1/1/01', write, off=4088)
    refused(('1/1/00', '1/1/02', '0/1/00'), write, stag=0xdeadbeef)
    refused('2/0/02', write, flip=200, quote=False)
    refused('0/2/05', write, rv=2)
    refused('1/1/04', write, dv=2)
    refused('1/2/04', send, mo=28)
    refused('1/2/03', send, msn=7)
    refused('1/2/01', send, qn=5)
    refused('1/2/06', send, dv=2)
    refused(('1/2/05', '1/2/02'), send, bad=16, num=20)
