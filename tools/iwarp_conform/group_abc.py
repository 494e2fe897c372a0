# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Groups A, B and C: MPA startup in both roles, MPA v2."""

import time

from . import wire
from .cases import case
from .conn import Fail, Skip
from .wire import Enhanced, Startup

API_PD = 251        # private data every consumer can count on (trap T-14)
GONE = 'CONNECT_ERROR,UNREACHABLE,REJECTED,DISCONNECTED'
REQUEST = Startup().encode()


def accepted(t, reply, rev=1, s=False):
    """The Reply accepts, has the revision and S bit wanted and clean reserved bits."""
    t.want(not reply.flags & wire.R, 'rejected: %s' % reply)
    t.want(reply.rev == rev, 'Reply has Rev %d, expected %d' % (reply.rev, rev))
    t.want(bool(reply.flags & wire.S) == s, 'S bit of the Reply: %s' % reply)
    t.want(not reply.flags & 0x0f, 'reserved bits set in %s' % reply)
    t.saw(str(reply))


def refused_by_close(t, *frames):
    """Each of the octet strings as a Request must end in CLOSE."""
    s = t.listen()
    conns = [s.tcp() for _ in frames]
    for c, frame in zip(conns, frames):
        c.send(frame)
    for c in conns:
        t.closed(c)
    if s.agent:
        t.want('CONNECT_REQUEST' not in s.events(), 'the application saw a connect request')
    s.open().abort()


# --- A: the DUT is Responder ---

@case(1, slow=True)
def silent_client(t):
    """Nothing sent: nothing received, closed by the timer, others served meanwhile."""
    s = t.listen()
    c = s.tcp()
    other = s.open()
    t.alive(other)
    t.closed(c, t.env.startup_timeout)


@case(2, slow=True)
def stalled_request(t):
    """19 of 20 octets."""
    c = t.listen().tcp()
    c.send(REQUEST[:19])
    t.closed(c, t.env.startup_timeout)


@case(3)
def dribbled_request(t):
    """One octet a segment."""
    s = t.listen()
    c = s.tcp()
    c.request = Startup()
    c.dribble(REQUEST, 0.01)
    accepted(t, c.take_reply())
    t.want(not c.reply.pd, 'private data nobody gave')
    c.send_msg()
    s.advert(c)


def private_data(t, size, enhanced=None):
    """The application gets what PEER sent; beyond the API's limit a prefix of it."""
    s = t.listen()
    data = (bytes(range(256)) * 2)[:size]
    try:
        c = s.start(pd=data, enhanced=enhanced, rev=2 if enhanced else 1)
    except Fail as err:
        t.want(size > API_PD, str(err))
        t.prefer(False, '%d octets of private data: %s (T-14)' % (size, err))
        return
    accepted(t, c.reply, 2 if enhanced else 1, enhanced is not None)
    if s.agent is None:
        t.note('private data not checked (no agent)')
        return
    event = s.wait('CONNECT_REQUEST')
    got = bytes.fromhex(event['pd'])
    t.want(data.startswith(got), 'private data changed: %s' % got.hex())
    t.want(len(got) == size or len(got) >= API_PD,
           '%d octets of private data arrived, sent %d' % (len(got), size))
    if len(got) < size:
        t.note('application sees %d of %d octets: limit of rdma_cm' % (len(got), size))
    c.abort()


@case(4)
def private_data_v1(t):
    """0, 1, 251 and 512 octets of all values."""
    for size in (0, 1, API_PD, 512):
        private_data(t, size)


@case(5)
def private_data_too_long(t):
    """513 octets announced and sent."""
    refused_by_close(t, Startup(pd=bytes(513)).encode())


@case(6)
def private_data_huge(t):
    """65535 announced, none sent."""
    refused_by_close(t, Startup().encode(65535))


@case(7)
def private_data_missing(t):
    """8 announced, 4 sent, FIN."""
    s = t.listen()
    c = s.tcp()
    c.send(Startup(pd=b'abcd').encode(8))
    c.shutdown()
    t.closed(c)
    if s.agent:
        t.want('CONNECT_REQUEST' not in s.events(), 'the application saw a connect request')


@case(8)
def early_fpdu(t):
    """Request and FPDU in one segment."""
    s = t.listen()
    c = s.tcp()
    c.send_request(tail=wire.fpdu(wire.untagged(wire.SEND, 1, b'ping')))
    c.tx_msn[0] = 2
    if c.wait_end(2) and not c.rx:
        t.saw('CLOSE')
        return
    t.prefer(False, 'octets behind the Request were not refused')
    accepted(t, c.take_reply())
    s.advert(c)


@case(9)
def wrong_key(t):
    """Each octet of the key in turn."""
    frames = []
    for i in range(16):
        key = bytearray(wire.REQUEST_KEY)
        key[i] ^= 0x20
        frames.append(bytes(key) + REQUEST[16:])
    refused_by_close(t, *frames)


@case(10)
def reply_as_request(t):
    """A Reply frame arrives at the Responder."""
    refused_by_close(t, Startup(wire.REPLY_KEY).encode())


@case(11)
def unknown_revision(t):
    """Rev 3 and 255."""
    refused_by_close(t, Startup(rev=3).encode(), Startup(rev=255).encode())


@case(12)
def revision_zero(t):
    """The RDMA Consortium's version."""
    c = t.listen().tcp()
    c.send_request(wire.M | wire.C, 0)
    if c.wait_end(3) and not c.rx:
        t.saw('CLOSE')
        return
    reply = c.take_startup(wire.REPLY_KEY)
    t.want(reply.rev == 0 and reply.flags & 0xc0 == 0xc0, 'Rev 0 answered by %s' % reply)
    t.saw(str(reply))


@case(13)
def reject_bit_in_request(t):
    """R=1 in a Request means nothing."""
    s = t.listen()
    c = s.open(flags=wire.C | wire.R)
    accepted(t, c.reply)


@case(14)
def reserved_bits_in_request(t):
    """Res = 0x0F in a Request means nothing."""
    s = t.listen()
    c = s.open(flags=wire.C | 0x0f)
    accepted(t, c.reply)


@case(15)
def application_rejects(t):
    """Reject with ten octets of private data."""
    data = bytes(range(0xf0, 0xfa))
    s = t.listen(reject=1, pd=data)
    for enhanced in (None, Enhanced(ird=4, ord=4)):
        c = s.tcp()
        c.send_request(rev=2 if enhanced else 1, enhanced=enhanced)
        reply = c.take_reply()
        t.want(reply.flags & wire.R, 'not rejected: %s' % reply)
        t.want(reply.ulp == data, 'private data of the reject: %s' % reply.ulp.hex())
        t.want(bool(reply.flags & wire.S) == bool(enhanced), 'S bit: %s' % reply)
        t.saw(str(reply))
        c.wait_end(1)
        t.want(not c.rx, 'octets after the reject')
        c.shutdown()
        t.want(c.wait_end(5), 'connection stays after a reject and FIN')


def post_early(t, s):
    """Post a Send before the connection is established; the API may refuse."""
    try:
        s.post('send', len=4)
        return True
    except Fail as err:
        t.note('the application cannot post yet (%s)' % err)
        return False


@case(16, slow=True)
def responder_holds_sends(t):
    """Nothing leaves before the Initiator's first FPDU."""
    s = t.listen(early=1)
    c = s.start()
    posted = post_early(t, s)
    t.silent(c, 3)
    t.saw('silent for 3 s')
    c.send_msg()
    first, data = c.take_message(wire.SEND)
    if posted and len(data) == 4:
        first, data = c.take_message(wire.SEND)
    elif posted:
        c.take_message(wire.SEND)
    t.want(len(data) == 80, 'no ADVERT: %s' % first)


@case(17)
def first_fpdu_bad(t):
    """The first FPDU has a wrong CRC."""
    s = t.listen(early=1)
    c = s.start()
    c.post(c.untagged(wire.SEND, b'ping'), flip=1)
    t.term(c, '2/0/02', close_ok=True)
    if s.agent:
        t.want(not [e for e in s.cqes() if e['name'] == 'recv' and not e['status']],
               'a receive completed')


@case(18)
def crc_forced_by_dut(t):
    """C=0 asked, DUT wants CRC."""
    s = t.listen()
    c = s.open(flags=0)
    t.want(c.reply.flags & wire.C, 'CRC is off by default: %s' % c.reply)
    c.post(c.untagged(wire.SEND, b'pong'), flip=1)
    t.term(c, '2/0/02')


@case(19, alone=True)
def crc_forced_by_peer(t):
    """C=1 asked, DUT set to no CRC."""
    t.switch('crc', 'off')
    s = t.listen()
    c = s.open(flags=wire.C)
    t.want(all(f.crc_ok for f in c.fpdus), 'DUT sends no valid CRC')
    c.post(c.untagged(wire.SEND, b'pong'), flip=1)
    t.term(c, '2/0/02')


@case(20, alone=True)
def crc_off(t):
    """Both sides want none."""
    t.switch('crc', 'off')
    s = t.listen()
    c = s.start(flags=0)
    t.want(not c.reply.flags & wire.C, 'DUT set to no CRC asks for it: %s' % c.reply)
    c.post(c.untagged(wire.SEND, b'ping'), crc=0xdeadbeef)
    s.advert(c)
    body = wire.read_request(1, 0, 0, 1, 0)
    c.post(c.untagged(wire.READ_REQ, body), crc=0xdeadbeef)
    c.take(wire.READ_RESP)
    for f in c.fpdus:
        t.want(f.crc_ok or not f.crc, 'CRC field holds %08x: old memory?' % f.crc)
    t.saw('ALIVE')


@case(21, slow=True)
def half_open(t):
    """100 connections stalled at octet 10."""
    s = t.listen()
    before = s.ask('MEM').fields if s.agent else None
    conns = []
    for _ in range(100):
        c = s.tcp()
        c.send(REQUEST[:10])
        conns.append(c)
    t.alive(s.open())
    end = time.monotonic() + t.env.startup_timeout * t.env.slack
    for c in conns:
        left = max(end - time.monotonic(), 0.5)
        t.want(c.wait_end(left / t.env.slack), 'a stalled connection is kept')
        t.want(not c.rx, 'octets on a stalled connection')
    t.alive(s.open())
    if before:
        after = s.ask('MEM').fields
        t.saw('100 closed by timer, slab %+d kB' % (int(after['slab']) - int(before['slab'])))


# --- B: the DUT is Initiator ---

@case(22)
def request_of_dut(t):
    """Octets of the Request, and silence behind it."""
    s = t.session()
    c = s.called()
    r = c.request
    t.want(r.rev in (1, 2) and not r.flags & (wire.R | 0x0f), 'Request %s' % r)
    t.want(r.flags & wire.C, 'CRC not asked for by default: %s' % r)
    t.want(bool(r.flags & wire.S) == (r.enhanced is not None), 'S bit: %s' % r)
    t.want(r.rev == 2 or not r.flags & wire.S, 'S=1 with Rev 1')
    t.want(not c.rx, 'octets behind the Request')
    t.silent(c, 1)
    t.saw(str(r))
    c.send_reply(s.good_reply(r))
    if c.reply.enhanced and c.reply.enhanced.a:
        s.take_rtr(c)
    s.advert(c)


@case(23, slow=True)
def no_reply(t):
    """The Initiator gives up."""
    s = t.session()
    c = s.called()
    t.closed(c, t.env.connect_timeout)
    if s.agent:
        t.saw(s.wait(GONE)['event'])


def bad_reply(t, make):
    """An ill-formed Reply: CLOSE, local error, no FPDU."""
    s = t.session()
    c = s.called()
    c.send(make(s, c.request))
    t.closed(c)
    if s.agent:
        t.saw(s.wait(GONE)['event'])
        t.want('ESTABLISHED' not in s.events(), 'the application was told established')


@case(24)
def request_as_reply(t):
    """Two Initiators."""
    bad_reply(t, lambda s, r: Startup(wire.REQUEST_KEY, r.flags, r.rev, r.pd).encode())


@case(25)
def reply_too_long(t):
    """PD_Length 600."""
    bad_reply(t, lambda s, r: s.good_reply(r).encode()[:18] + b'\x02\x58' + bytes(600))


@case(26)
def peer_rejects(t):
    """R=1 with private data."""
    s = t.session()
    c = s.called()
    reply = s.good_reply(c.request)
    reply.flags |= wire.R
    reply.pd += b'no'
    c.send(reply.encode())
    how = c.wait_end(2)
    t.want(not c.rx, 'octets after a reject: %s' % bytes(c.rx[:32]).hex())
    t.saw('%s after the reject' % how)
    if s.agent:
        event = s.wait(GONE)
        t.want(event['event'] == 'REJECTED', 'event %s' % event['event'])
        t.want(bytes.fromhex(event['pd']) == b'no', 'private data of the reject: %r'
               % event['pd'])


@case(27)
def dribbled_reply(t):
    """The Reply one octet a segment."""
    s = t.session()
    c = s.called()
    c.send_reply(s.good_reply(c.request), delay=0.01)
    if c.reply.enhanced and c.reply.enhanced.a:
        s.take_rtr(c)
    s.advert(c)
    t.saw('started')


@case(28)
def fpdu_behind_reply(t):
    """PEER does not wait for the first FPDU."""
    s = t.session()
    c = s.called()
    reply = s.good_reply(c.request)
    tail = wire.fpdu(wire.untagged(wire.SEND, 1, b'glue'))
    c.send_reply(reply, tail)
    try:
        if reply.enhanced and reply.enhanced.a:
            s.take_rtr(c)
        s.advert(c)
    except Fail:
        t.ends(c)
        t.note('strict: data before our first FPDU are an error')
        return
    if s.agent:
        t.want(s.recvs(1)[0]['data'] == b'glue', 'the Send behind the Reply was lost')
    t.saw('Send processed')


def needs_v2(c):
    """Skip if the DUT connects with Rev 1."""
    if c.request.enhanced is None:
        raise Skip('the DUT does not send an enhanced Request')
    return c.request.enhanced


@case(29)
def v1_reply_to_v2(t):
    """An unenhanced Reply to an enhanced Request."""
    s = t.session()
    c = s.called()
    needs_v2(c)
    c.send_reply(Startup(wire.REPLY_KEY, wire.C, 1))
    f = c.next_fpdu(3)
    if f is None:
        t.want(c.ended, 'neither an FPDU nor an end')
        t.saw('ends the connection (%s)' % c.how_ended())
    elif f.op == wire.TERMINATE:
        t.saw('TERM %x/%x/%02x' % f.triple)
    else:
        if f.op in (wire.READ_REQ, wire.WRITE) or not f.payload:
            s.check_rtr(f)
        t.saw('continues with %s' % f)


def closed_after_request(t, reset):
    """FIN or RST instead of a Reply: one retry with Rev 1 at most."""
    s = t.session()
    c = s.called(keep=True)
    needs_v2(c)
    if reset:
        c.abort()
    else:
        c.shutdown()
    s.server.settimeout(2 * t.env.slack)
    try:
        again = s.incoming(s.server.accept()[0])
    except TimeoutError:
        t.saw('no retry')
        if s.agent:
            t.saw(s.wait(GONE)['event'])
        return
    t.want(again.request.rev == 1 and not again.request.flags & wire.S,
           'retry with %s' % again.request)
    again.abort()
    try:
        s.server.accept()
        raise Fail('a second retry')
    except TimeoutError:
        t.saw('one retry with Rev 1')


@case(30)
def fall_back(t):
    """A Responder that knows no v2 closes."""
    closed_after_request(t, False)
    closed_after_request(t, True)


# --- C: MPA v2 ---

def negotiate(t, asked, flags=wire.C, **cfg):
    """(session, connection after an enhanced Reply)."""
    s = t.listen(**cfg)
    c = s.start(flags=flags, rev=2, enhanced=asked)
    t.want(c.reply.enhanced, 'Reply without the enhanced header: %s' % c.reply)
    accepted(t, c.reply, 2, True)
    t.want(c.reply.enhanced.a == asked.a, 'A not mirrored: %s' % c.reply)
    return s, c


def send_rtr(c):
    """The ready-to-receive message the Reply asks for: Write, Read or Send."""
    e = c.reply.enhanced
    if e.c:
        c.write(0xdeadbeef, 0, b'')
    elif e.d:
        c.read(0, 1, 0)
        c.take(wire.READ_RESP)
    elif e.b:
        c.send_msg(b'')
    else:
        raise Fail('Reply names no RTR: %s' % e)


@case(31)
def client_server_v2(t):
    """IRD and ORD, no RTR."""
    s = t.listen()
    c = s.tcp()
    c.send_request(rev=2, enhanced=Enhanced(ird=4, ord=8))
    reply = c.take_reply()
    e = reply.enhanced
    t.want(e and reply.rev == 2, 'Reply %s' % reply)
    t.saw(str(reply))
    if reply.flags & wire.R:
        return
    t.want(not (e.a or e.b or e.c or e.d), 'flags in a client/server Reply')
    t.want(e.ord <= 4 and e.ird >= 8, 'IRD/ORD %s' % e)
    c.send_msg()
    s.advert(c)
    t.alive(c)


@case(32)
def peer_to_peer(t):
    """S04: C and D offered."""
    s, c = negotiate(t, Enhanced(True, False, True, True, 16, 16), flags=wire.C)
    e = c.reply.enhanced
    t.want(e.c or e.d, 'neither C nor D granted: %s' % e)
    send_rtr(c)
    c.send_msg()
    s.advert(c)
    t.alive(c)


@case(33)
def single_rtr(t):
    """Only one type offered."""
    for kind in 'bcd':
        s, c = negotiate(t, Enhanced(a=True, ird=4, ord=4, **{kind: True}))
        e = c.reply.enhanced
        granted = ''.join(k for k in 'bcd' if getattr(e, k))
        t.want(granted, 'no RTR type granted for %s' % kind.upper())
        t.prefer(granted == kind or kind == 'b' and 'b' not in granted,
                 'offered %s, granted %s' % (kind.upper(), granted.upper()))
        send_rtr(c)
        c.send_msg()
        s.advert(c)


@case(34)
def flags_without_a(t):
    """B, C, D without A mean nothing."""
    s, c = negotiate(t, Enhanced(False, True, True, True, 4, 4))
    e = c.reply.enhanced
    t.want(not (e.a or e.b or e.c or e.d), 'flags in the Reply: %s' % e)
    c.send_msg()
    s.advert(c)


def established_by(t, kind, rtr):
    """After the RTR the DUT's application may send first."""
    cfg = {'advert': 0} if kind == 'b' and t.env.agent else {}
    s, c = negotiate(t, Enhanced(a=True, ird=4, ord=4, **{kind: True}), **cfg)
    if not getattr(c.reply.enhanced, kind):
        raise Skip('RTR type %s is not granted' % kind.upper())
    rtr(c)
    if s.agent:
        s.wait('ESTABLISHED')
        s.post('send', len=4)
        t.want(c.take_message(wire.SEND)[1] == bytes(range(4)), 'wrong data in the Send')
        t.saw('established by the RTR, DUT sends first')
    return s, c


@case(35)
def write_rtr(t):
    """A Write RTR with a wild STag."""
    s, c = established_by(t, 'c', lambda c: c.write(0xdeadbeef, 0, b''))
    if s.agent:
        t.want(not [e for e in s.cqes() if e['name'] == 'recv'], 'the RTR used a receive')
    c.send_msg()
    s.advert(c)


@case(36)
def read_rtr(t):
    """A Read RTR."""
    def rtr(c):
        c.read(0, 1, 0)
        f = c.take(wire.READ_RESP)
        t.want(f.last and not f.payload, 'answer to the Read RTR: %s' % f)
    s, c = established_by(t, 'd', rtr)
    t.alive(c)
    c.send_msg()
    s.advert(c)


@case(37)
def send_rtr_case(t):
    """A Send RTR."""
    s, c = established_by(t, 'b', lambda c: c.send_msg(b''))
    c.send_msg()
    if s.agent is None:
        s.advert(c)
    else:
        t.alive(c)
        lengths = [e['len'] for e in s.recvs(1)]
        t.want(lengths in ([0, 4], [4]), 'receives of %s octets' % lengths)


@case(38, slow=True)
def no_rtr(t):
    """PEER keeps its RTR back."""
    s, c = negotiate(t, Enhanced(True, False, True, True, 4, 4), early=1)
    c.pump(lambda: len(c.rx), 5)
    t.want(not c.rx, 'octets before the RTR: %s' % bytes(c.rx[:32]).hex())
    if s.agent:
        t.want('ESTABLISHED' not in s.events(), 'established without an RTR')
    t.saw('closed by a timer' if c.ended else 'waits')


@case(39)
def other_first_fpdu(t):
    """A Send, then a Read with data, where a Read RTR is due."""
    s = t.listen()
    r5 = s.open().r5
    asked = Enhanced(a=True, d=True, ird=4, ord=4)
    for send in (lambda c: c.send_msg(), lambda c: c.read(16, r5.stag, r5.to)):
        c = s.start(rev=2, enhanced=asked)
        send(c)
        f = c.next_fpdu(3)
        t.saw(str(f) if f else c.how_ended())
        t.want(f or c.ended, 'no reaction at all')
    t.alive(s.open())


@case(40)
def no_negotiation(t):
    """0x3FFF in both fields."""
    s, c = negotiate(t, Enhanced(ird=wire.DEPTH, ord=wire.DEPTH))
    e = c.reply.enhanced
    t.want(e.ird == e.ord == wire.DEPTH, 'not mirrored: %s' % e)
    c.send_msg()
    s.advert(c)
    t.alive(c)
    if s.agent:
        q = s.ask('QUERY').fields
        t.saw('local IRD %s ORD %s' % (q['ird'], q['ord']))


@case(41)
def read_rtr_without_depth(t):
    """IRD and ORD 0 and a Read RTR."""
    s, c = negotiate(t, Enhanced(a=True, d=True, ird=0, ord=0))
    e = c.reply.enhanced
    t.want(e.ird >= 1, 'no room for the Read RTR: %s' % e)
    t.want(e.ord == 0, 'ORD above the Request\'s IRD: %s' % e)
    c.read(0, 1, 0)
    t.want(not c.take(wire.READ_RESP).payload, 'Read RTR not served')
    c.send_msg()
    s.advert(c)


@case(42)
def extreme_depths(t):
    """IRD and ORD 0x3FFE."""
    s = t.listen()
    c = s.tcp()
    c.send_request(rev=2, enhanced=Enhanced(ird=0x3ffe, ord=0x3ffe))
    reply = c.take_reply()
    t.saw(str(reply))
    t.want(reply.enhanced, 'unenhanced Reply')
    if reply.flags & wire.R:
        return
    if s.agent:
        limit = t.env.hello()
        t.want(reply.enhanced.ird <= int(limit['ird']) and
               reply.enhanced.ord <= int(limit['ord']),
               'beyond the device (%s/%s): %s' % (limit['ird'], limit['ord'], reply.enhanced))
    c.send_msg()
    s.advert(c)
    t.alive(c)


@case(43)
def enhanced_too_short(t):
    """S=1 without room for the header."""
    flags = wire.C | wire.S
    refused_by_close(t, Startup(flags=flags, rev=2).encode(),
                     Startup(flags=flags, rev=2, pd=b'abc').encode())


@case(44)
def v2_unenhanced(t):
    """Rev 2 without S."""
    s = t.listen()
    c = s.start(rev=2, pd=b'\x80\x01\x80\x01')
    t.want(not c.reply.flags & wire.S and not c.reply.flags & wire.R, 'Reply %s' % c.reply)
    if s.agent:
        t.want(s.wait('CONNECT_REQUEST')['pd'] == '80018001', 'private data changed')
    c.send_msg()
    s.advert(c)
    t.saw(str(c.reply))


@case(45)
def private_data_v2(t):
    """251 and 508 octets behind the enhanced header."""
    for size in (API_PD, 508):
        private_data(t, size, Enhanced(ird=4, ord=4))


@case(46)
def rtr_of_dut(t):
    """First FPDU by what the Reply grants."""
    for granted in ('d', 'c', 'cd', 'bcd'):
        s = t.session()
        c = s.called()
        asked = needs_v2(c)
        t.want(asked.a, 'DUT does not ask for peer-to-peer: %s' % asked)
        e = Enhanced(True, 'b' in granted, 'c' in granted, 'd' in granted, 16,
                     min(asked.ird, 4))
        c.send_reply(Startup(wire.REPLY_KEY, wire.C | wire.S, 2, e.encode()))
        f = s.take_rtr(c)
        s.advert(c)
        t.saw('%s -> %s' % (granted.upper(), wire.OPCODES[f.op]))


@case(47)
def no_common_rtr(t):
    """Only the Send RTR is granted."""
    s = t.session()
    c = s.called()
    asked = needs_v2(c)
    e = Enhanced(True, True, False, False, 16, min(asked.ird, 4))
    c.send_reply(Startup(wire.REPLY_KEY, wire.C | wire.S, 2, e.encode()))
    if asked.b:
        t.note('the DUT offers the Send RTR itself')
        s.take_rtr(c)
        return
    try:
        t.term(c, '2/0/07', bad=b'')
    except Fail:
        # trap T-05: one we can send is sent even if it was not offered
        if not (c.fpdus and c.fpdus[0].op == wire.SEND and not c.fpdus[0].payload):
            raise
        t.note('DUT sends a Send RTR it did not offer (T-05)')


@case(48)
def too_deep_reply(t):
    """Reply.ORD 0x3FFE."""
    s = t.session()
    c = s.called()
    asked = needs_v2(c)
    e = Enhanced(asked.a, False, asked.a and asked.c, asked.a and asked.d and not asked.c,
                 16, 0x3ffe)
    c.send_reply(Startup(wire.REPLY_KEY, wire.C | wire.S, 2, e.encode()))
    f = c.next_fpdu(5)
    t.want(f, 'neither Terminate nor RTR, %s' % c.how_ended())
    if f.op == wire.TERMINATE:
        t.judge(f, '2/0/06')
    else:
        t.saw('accepted: %s' % f)


def no_second_read(t, c):
    """Half a second without a message but Writes of nothing, which say nothing."""
    while True:
        f = c.next_fpdu(0.5)
        if f is None:
            t.want(not c.ended, 'the DUT closes')
            return
        t.want(f.op == wire.WRITE and not f.payload, 'not silent: %s' % f)


@case(49)
def initiator_obeys_depth(t):
    """Reply.IRD 1: one Read at a time."""
    s = t.session()
    c = s.full(depth=1)
    needs_v2(c)
    s.post('read', count=8, len=16, stag=0x5000, to=0x100, step=16)
    for i in range(8):
        f = c.take(wire.READ_REQ)
        if i < 2:
            no_second_read(t, c)
        t.want(not c.rx, 'a second Read Request is outstanding')
        sink, to = int.from_bytes(f.payload[:4], 'big'), int.from_bytes(f.payload[4:12], 'big')
        c.post(wire.tagged(wire.READ_RESP, sink, to, bytes([i]) * 16))
    good = [e for e in s.cqes(9) if e['name'] == 'read' and not e['status']]
    t.want(len(good) == 8, '%d Reads completed' % len(good))
    t.saw('one at a time')


@case(50)
def enhanced_reply_too_short(t):
    """S=1 with PD_Length 2."""
    s = t.session()
    c = s.called()
    needs_v2(c)
    c.send(Startup(wire.REPLY_KEY, wire.C | wire.S, 2, b'\x80\x01').encode())
    t.closed(c)
    if s.agent:
        t.saw(s.wait(GONE)['event'])


@case(51)
def a_not_mirrored(t):
    """Reply with A=0 to a peer-to-peer Request."""
    s = t.session()
    c = s.called()
    asked = needs_v2(c)
    if not asked.a:
        raise Skip('the DUT does not ask for peer-to-peer')
    e = Enhanced(ird=16, ord=min(asked.ird, 4))
    c.send_reply(Startup(wire.REPLY_KEY, wire.C | wire.S, 2, e.encode()))
    t.term(c, '2/0/07', bad=b'', close_ok=True)
