# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""More cases beyond the catalogue: faults that need the application's help to happen."""

import socket
import struct

from . import wire
from .cases import case
from .conn import Fail
from .group_abc import GONE, needs_v2
from .group_fg import provoke
from .group_ij import needs_atomics
from .wire import (ATOMIC_REQ, ATOMIC_RESP, READ_REQ, READ_RESP, SEND, SEND_INV, SEND_SE,
                   Enhanced, read_request, tagged)


@case(158, text=('C', 'accepting enhanced Reply to a DUT whose queue pair has failed meanwhile',
                 'TERM 2/0/05, local error', ('ENH-22',)))
def setup_fails_locally(t):
    """The Initiator cannot go on, and says so."""
    s = t.session()
    c = s.called()
    needs_v2(c)
    s.ask('FAIL')
    c.send_reply(s.good_reply(c.request))
    t.term(c, '2/0/05', bad=b'')
    t.saw(s.wait(GONE)['event'])


@case(159, alone=True, text=('B', 'DUT set to connect without peer-to-peer mode',
                             'Request with Rev 1 and S=0, normal operation', ('ENH-06',)))
def plain_request(t):
    """No enhanced frame where no enhanced function is wanted."""
    t.switch('p2p', 'off')
    s = t.session()
    c = s.called()
    t.want(c.request.rev == 1 and not c.request.flags & wire.S, 'Request %s' % c.request)
    c.send_reply(s.good_reply(c.request))
    c.send_msg()
    s.advert(c)
    t.alive(c)


@case(160, alone=True, text=('C', 'enhanced Request to a DUT set to Rev 1, then a plain one',
                             'CLOSE without a Reply; accepted', ('ENH-05', 'ENH-02'), 'T-10'))
def revision_switched_off(t):
    """A Responder without enhanced support closes, so that the Initiator may try again."""
    t.switch('mpa_rev', '1')
    s = t.listen()
    c = s.tcp()
    c.send_request(rev=2, enhanced=Enhanced(ird=4, ord=4))
    how = t.closed(c)
    t.prefer(how == 'RST', 'FIN: some Initiators only try again after RST (T-10)')
    t.alive(s.open())


@case(161, text=('I', 'the DUT posts a Send whose lkey names nothing',
                 'TERM 0/0/00 without headers', ('RDM-35', 'RDM-37')))
def local_fault(t):
    """A fault that is not the peer's."""
    s, c = t.open()
    s.cqes(2)
    s.post('send', len=16, lkey=0x5a5a5a00)
    f = t.term(c, ('0/0/00', '0/0/ff'), bad=b'')
    t.want(len(f.payload) == 4, 'Terminate of %d octets' % len(f.payload))
    failed = [e for e in s.cqes(11) if e['wr'] == 0x10000]
    t.want(len(failed) == 1 and failed[0]['status'], 'the Send did not fail')


@case(162, text=('F', "Send into a receive whose memory was deregistered",
                 'TERM 1/0/00, UNTOUCHED', ('DDP-25', 'DDP-33', 'RDM-35')))
def receive_memory_gone(t):
    """A receive that cannot be used is a fault of this side."""
    s, c = t.open()
    s.ask('DEREG', region='recv')
    before = s.digest()
    c.send_msg()
    t.term(c, '1/0/00')
    t.untouched(s, before)
    bad = [e for e in s.cqes(10) if e['status'] and e['status'] != 5]
    t.want(len(bad) == 1, s.brief(s.cqes()))


def answered_until_error(t, c):
    """Octets of the Read Responses before the Terminate, and the Terminate."""
    got = []
    while True:
        f = c.next_fpdu(10)
        t.want(f, 'no Terminate, %s' % c.how_ended())
        if f.op != READ_RESP:
            return sum(len(x.payload) for x in got), f
        got.append(f)


@case(163, text=('H', '16 Reads of 64 KiB that PEER does not take, R5 deregistered meanwhile',
                 'TERM 0/1/00, quoting what is left of the Read',
                 ('RDM-13', 'RDM-37', 'SEC-08')))
def source_revoked(t):
    """A Read that fails part-way (RFC 5040 section 4.8)."""
    size, count = 65536, 16
    s = t.listen(ird=count)
    c = s.open()
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    c.hold = True
    requests = [c.untagged(READ_REQ, read_request(0x700 + i, 0x2000, size, c.r5.stag, c.r5.to))
                for i in range(count)]
    c.send(b''.join(c.frame(r) for r in requests), 5)
    c.pump(lambda: False, 0.5)
    s.ask('DEREG', region='R5')
    c.hold = False
    sent, f = answered_until_error(t, c)
    t.want(f.op == wire.TERMINATE, 'got %s' % f)
    t.saw('%d octets of Read Response' % sent)
    if t.judge(f, '0/1/00', ('0/0/00', '0/0/ff')):
        k, done = divmod(sent, size)
        left = requests[k][:18] + read_request(0x700 + k, 0x2000 + done, size - done,
                                               c.r5.stag, c.r5.to + done)
        t.prefer(f.payload[2] == 0xe0, 'HdrCt %02x' % f.payload[2])
        t.prefer(f.payload[6:] == left, 'quotes %s, expected %s' % (f.payload[6:].hex(), left.hex()))
    t.want(c.wait_end(5), 'no FIN')


@case(164, text=('F', 'second segment of a Send with another opcode; with another Invalidate '
                 'STag; second segment of a Write with another STag',
                 'TERM 0/2/06; 0/2/ff; 1/1/00', ('RDM-06', 'DDP-06', 'DDP-05')))
def message_changes(t):
    """What must be the same in all segments of a message."""
    def two(op, more, first, second):
        def send(c):
            c.post(c.untagged(op, b'ABCDEFGH', last=False, **first))
            c.post(c.untagged(more, b'IJKL', mo=8, **second))
        return send

    def write(c):
        c.write(c.r1.stag, c.r1.to, b'', last=False)
        c.write(c.r3.stag, c.r3.to, b'2' * 8)
    provoke(t, two(SEND, SEND_SE, {}, {}), '0/2/06', delivered=1)
    provoke(t, two(SEND_INV, SEND_INV, {'inv': 0x100}, {'inv': 0x200}), '0/2/ff', '0/2/06',
            delivered=1)
    provoke(t, write, '1/1/00')


@case(165, text=('J', 'the DUT posts a FetchAdd, PEER holds the response back',
                 'no completion until it comes, then the value', ('EXT-13', 'EXT-10')))
def held_atomic(t):
    """An atomic completes with its response, not before."""
    needs_atomics(t)
    s, c = t.open()
    s.cqes(2)
    s.post('fadd', stag=0x5000, to=0x1000)
    ident = struct.unpack_from('>I', c.take(ATOMIC_REQ).payload, 4)[0]
    c.pump(lambda: False, 0.5)
    t.want(not [e for e in s.cqes() if e['name'] == 'fadd'], 'completed too early')
    c.send_msg(wire.atomic_response(ident, 0x1122334455667788), ATOMIC_RESP)
    done = [e for e in s.cqes(3) if e['name'] == 'fadd']
    t.want(len(done) == 1 and not done[0]['status'], s.brief(done))
    t.want(struct.unpack('=Q', s.peek('K', 0, 8))[0] == 0x1122334455667788, 'value')


@case(166, text=('J', 'Atomic Response with a wrong identifier; wrong MSN; no request',
                 'TERM 0/2/ff; 1/2/03; 1/2/02', ('EXT-10', 'EXT-17')))
def atomic_response_triples(t):
    """Each way an answer can be wrong has its own triple."""
    needs_atomics(t)
    for kind, strict in (('ident', '0/2/ff'), ('msn', '1/2/03'), ('unsolicited', '1/2/02')):
        s, c = t.open()
        s.cqes(2)
        ident = 0x77
        if kind != 'unsolicited':
            s.post('fadd', stag=0x5000, to=0x1000)
            ident = struct.unpack_from('>I', c.take(ATOMIC_REQ).payload, 4)[0]
        c.send_msg(wire.atomic_response(ident ^ (kind == 'ident') << 31, 41), ATOMIC_RESP,
                   msn=5 if kind == 'msn' else 1)
        try:
            t.term(c, strict, ('1/2/02', '1/2/03', '0/2/06', '0/2/ff'))
        except Fail as err:
            raise Fail('%s: %s' % (kind, err)) from err


@case(167, text=('H', 'Read Response for a Read of nothing with an octet of payload; without L',
                 'TERM 1/1/01, UNTOUCHED', ('RDM-21', 'RDM-44')))
def response_to_empty_read(t):
    """Nothing was asked for, nothing may come."""
    for data, last in ((b'x', True), (b'', False)):
        s, c = t.open()
        s.cqes(2)
        s.post('read', len=0, stag=0x5000, to=0x100)
        sink, to = struct.unpack_from('>IQ', c.take(READ_REQ).payload)
        before = s.digest()
        c.post(tagged(READ_RESP, sink, to, data, last=last))
        t.term(c, '1/1/01', ('1/1/00', '0/1/00', '0/1/01', '0/2/06'))
        t.untouched(s, before)
