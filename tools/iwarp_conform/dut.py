# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The endpoint under test as a case sees it: its agent, connections to it, verdicts on it."""

import collections
import socket
import struct
import subprocess
import threading
import time

from . import wire
from .conn import Conn, Fail, Skip, start_sequence

Region = collections.namedtuple('Region', 'stag to len')
Answer = collections.namedtuple('Answer', 'fields lines')
REGIONS = ('R1', 'R2', 'R3', 'R4', 'R5')
RECV = 128          # completion opcodes of verbs, as the agent prints them
WC_OPS = {0: 'send', 1: 'write', 2: 'read', 3: 'cas', 4: 'fadd', 5: 'bind', 6: 'inv',
          RECV: 'recv', RECV + 1: 'recv-write-imm'}
WITH_IMM, WITH_INV = 2, 8


def _fields(text):
    return dict(word.split('=', 1) for word in text.split() if '=' in word)


class Agent:
    """One control connection: a session of its own in the agent."""

    def __init__(self, address, slack):
        self.slack = slack
        try:
            self.sock = socket.create_connection(address, 10 * slack)
        except OSError as err:
            raise Fail('the agent at %s:%d does not answer: %s' % (*address, err)) from err
        self.file = self.sock.makefile('r', encoding='ascii', newline='\n')

    def ask(self, word, wait=0, **args):
        """Send a command; Fail on ERR, Skip on UNSUPPORTED."""
        text = ' '.join([word] + ['%s=%s' % (k, v) for k, v in args.items()])
        self.sock.settimeout((20 + wait) * self.slack)
        lines = []
        try:
            self.sock.sendall(text.encode() + b'\n')
            while True:
                line = self.file.readline()
                if not line:
                    raise Fail('the agent closed its control connection at "%s"' % text)
                if not line.startswith('- '):
                    break
                lines.append(_fields(line))
        except OSError as err:
            raise Fail('no answer of the agent to "%s": %s' % (text, err)) from err
        if line.startswith('UNSUPPORTED'):
            raise Skip('not offered by the provider: ' + line[12:].strip())
        if not line.startswith('OK'):
            raise Fail('agent: %s -> %s' % (text, line.strip()))
        return Answer(_fields(line), lines)

    def close(self):
        """End the session; the agent frees what belonged to it."""
        try:
            self.file.close()
            self.sock.close()
        except OSError:
            pass


class Session:
    """A listener (or a connecting side) of the DUT with regions R1..R5 of its own."""

    def __init__(self, t):
        self.t = t
        env = t.env
        self.agent = Agent(env.agent, env.slack) if env.agent else None
        self.port = self.server = None

    def ask(self, word, **args):
        """A command to the agent."""
        if self.agent is None:
            raise Skip('needs the control connection of the agent (--agent)')
        return self.agent.ask(word, **args)

    @staticmethod
    def _config(cfg):
        if isinstance(cfg.get('pd'), bytes):
            cfg['pd'] = cfg['pd'].hex()
        return cfg

    def listen(self, **cfg):
        """Configure the next connections; the first call opens the listener."""
        if self.agent is None:
            if cfg:
                raise Skip('needs the control connection of the agent (--agent)')
            self.port = self.t.env.target[1]
            if not self.port:
                raise Skip('no port of a target given')
        else:
            self.port = int(self.ask('LISTEN', **self._config(cfg)).fields['port'])
        return self

    # --- connections PEER opens ---

    def tcp(self, maxseg=None, sequence=None):
        """A bare TCP connection to the DUT."""
        env = self.t.env
        family = socket.AF_INET6 if ':' in env.target[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if maxseg:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, maxseg)
        if sequence is not None:
            start_sequence(sock, sequence)
        sock.settimeout(10 * env.slack)
        try:
            sock.connect((env.target[0], self.port))
        except OSError as err:
            sock.close()
            raise Fail('TCP connect to %s:%d: %s' % (env.target[0], self.port, err)) from err
        return self.t.adopt(Conn(sock, env.slack))

    def start(self, flags=wire.C, rev=1, pd=b'', enhanced=None, maxseg=None, sequence=None):
        """A connection up to the accepting Reply."""
        c = self.tcp(maxseg, sequence)
        c.send_request(flags, rev, pd, enhanced)
        reply = c.take_reply()
        if reply.flags & wire.R:
            raise Fail('connection rejected: %s' % reply)
        return c

    def open(self, **how):
        """A connection after the opening Send and the ADVERT."""
        c = self.start(**how)
        c.send_msg(b'ping')
        self.advert(c)
        return c

    def advert(self, c):
        """Receive the Send that describes the regions."""
        _, data = c.take_message(wire.SEND, 10)
        if len(data) != 80:
            raise Fail('ADVERT of %d octets' % len(data))
        c.adv = {name: Region(*struct.unpack_from('>IQI', data, 16 * i))
                 for i, name in enumerate(REGIONS)}
        for name, region in c.adv.items():
            setattr(c, name.lower(), region)
        return c.adv

    # --- connections the DUT opens ---

    def called(self, keep=False, **cfg):
        """Have the DUT connect to PEER; returns the connection with its Request parsed.

        keep: the listening socket stays for another try, as self.server.
        """
        env = self.t.env
        if not env.listen:
            raise Skip('initiator case: needs --listen')
        with socket.create_server(env.listen, backlog=8, family=socket.AF_INET6
                                  if ':' in env.listen[0] else socket.AF_INET) as server:
            server.settimeout(15 * env.slack if self.agent else env.patience)
            if self.agent:
                self.ask('CONNECT', addr=env.listen[0], port=server.getsockname()[1],
                         **self._config(cfg))
            elif cfg:
                raise Skip('needs the control connection of the agent (--agent)')
            try:
                sock, _ = server.accept()
            except OSError as err:
                raise Fail('the DUT did not connect: %s' % err) from err
            if keep:
                self.server = server.dup()
        return self.incoming(sock)

    def incoming(self, sock):
        """Take the Request on an accepted socket."""
        c = self.t.adopt(Conn(sock, self.t.env.slack))
        c.take_request()
        return c

    def full(self, tail=b'', depth=16, enhanced=None, **cfg):
        """A connection opened by the DUT, in full operation; the RTR is consumed.

        Ends with the ADVERT received, so that both sides may send.
        """
        c = self.called(**cfg)
        c.send_reply(self.good_reply(c.request, depth, enhanced), tail)
        e = c.reply.enhanced
        if e and e.a:
            self.take_rtr(c)
        self.advert(c)
        return c

    @staticmethod
    def good_reply(request, depth=16, enhanced=None, flags=wire.C):
        """What a well-behaved Responder answers; a Write RTR if it may choose."""
        asked = request.enhanced
        if asked is None:
            return wire.Startup(wire.REPLY_KEY, flags, min(request.rev, 1))
        if enhanced is None:
            enhanced = wire.Enhanced(
                asked.a, asked.a and asked.b and not asked.c and not asked.d,
                asked.a and asked.c, asked.a and asked.d and not asked.c,
                max(depth, asked.ord) if depth > 4 else depth, min(4, asked.ird))
        return wire.Startup(wire.REPLY_KEY, flags | wire.S, 2, enhanced.encode())

    def take_rtr(self, c):
        """Receive the ready-to-receive message the Reply asked for."""
        e = c.reply.enhanced
        f = c.next_fpdu(10)
        if f is None:
            raise Fail('no RTR, %s' % c.how_ended())
        allowed = {wire.SEND: e.b, wire.WRITE: e.c, wire.READ_REQ: e.d}
        if not allowed.get(f.op):
            raise Fail('RTR is %s, the Reply allows %s' % (f, e))
        self.check_rtr(f)
        if f.op == wire.READ_REQ:
            sink, to = struct.unpack_from('>IQ', f.payload)
            c.post(wire.tagged(wire.READ_RESP, sink, to))
        return f

    @staticmethod
    def check_rtr(f):
        """An RTR is a message without payload whose STags are not zero (trap T-01)."""
        if f.op == wire.READ_REQ:
            sink, _, size, src, _ = struct.unpack('>IQIIQ', f.payload)
            if size or not sink or not src:
                raise Fail('Read RTR of %d octets, STags %x %x' % (size, sink, src))
        elif f.payload:
            raise Fail('RTR with payload: %s' % f)
        elif f.op == wire.WRITE and not f.stag:
            raise Fail('Write RTR with STag 0 (T-01)')

    # --- what the agent sees ---

    def post(self, op, **args):
        """Have the application post a work request."""
        return self.ask('POST', op=op, **args)

    def cqes(self, least=0, timeout=5, **args):
        """Completions in order, after waiting for at least so many."""
        ms = int(timeout * 1000 * self.t.env.slack) if least else 0
        answer = self.ask('CQES', wait=timeout, min=least, timeout=ms, **args)
        for line in answer.lines:
            for key in ('wr', 'status', 'op', 'len', 'flags'):
                line[key] = int(line[key])
            line['data'] = bytes.fromhex(line['data'])
            line['name'] = WC_OPS.get(line['op'], str(line['op']))
        if len(answer.lines) < least:
            raise Fail('%d completions within %d s, expected %d: %s' % (
                len(answer.lines), timeout, least, self.brief(answer.lines)))
        return answer.lines

    @staticmethod
    def brief(cqes):
        """Completions in few words."""
        return ' '.join('%s:%d/%d' % (e['name'], e['status'], e['len']) for e in cqes) or 'none'

    def recvs(self, least, timeout=5, **args):
        """Successful receives, the opening one included."""
        end = time.monotonic() + timeout * self.t.env.slack
        while True:
            good = [e for e in self.cqes(**args) if e['op'] >= RECV and not e['status']]
            if len(good) >= least:
                return good
            if time.monotonic() > end:
                raise Fail('%d receives completed, expected %d' % (len(good), least))
            time.sleep(0.02)

    def wait(self, event, timeout=5, fail=True, **args):
        """Wait for one of the connection manager's events (names, comma separated)."""
        ms = int(timeout * 1000 * self.t.env.slack)
        try:
            return self.ask('WAIT', wait=timeout, event=event, timeout=ms, **args).lines[0]
        except Fail as err:
            if 'ERR timeout' not in str(err) or fail:
                raise
        return None

    def events(self):
        """Names of all events so far."""
        return [line['event'] for line in self.ask('EVENTS').lines]

    def digest(self):
        """Digest of each region; canary tells of octets written around them."""
        if self.agent is None:
            return None
        return self.ask('DIGEST').fields

    def fetch(self, c, region, off, length):
        """Octets of a region by RDMA Read, so that it works without an agent as well."""
        c.read(length, region.stag, region.to + off, (0x4e4e, 0x1000))
        first, data = c.take_message(wire.READ_RESP, 15)
        if (first.stag, first.to) != (0x4e4e, 0x1000) or len(data) != length:
            raise Fail('Read of %d octets answered by %s, %d octets' % (length, first, len(data)))
        return data

    def peek(self, region, off, length):
        """Octets of a region."""
        return bytes.fromhex(self.ask('PEEK', region=region, off=off, len=length).fields['data'])


class Env:
    """What the command line said, shared by all cases."""

    def __init__(self, target=None, listen=None, agent=None, slack=1.0, lenient=False,
                 full=False, switch=None, patience=60.0):
        self.target, self.listen, self.agent = target, listen, agent
        self.slack, self.lenient, self.full = slack, lenient, full
        self.switch_cmd, self.patience = switch, patience
        self.startup_timeout, self.connect_timeout = 25.0, 75.0
        self.changed = False
        self._hello = None
        self._lock = threading.Lock()

    def hello(self):
        """What the agent says about its device."""
        with self._lock:
            if self._hello is None:
                agent = Agent(self.agent, self.slack)
                self._hello = agent.ask('HELLO').fields
                agent.close()
            return self._hello

    def forget(self):
        """The device may be another one now."""
        self._hello = None

    def switch(self, *words):
        """Run the switch command; Skip when there is none or it cannot do this."""
        if not self.switch_cmd:
            raise Skip('needs a --switch command: ' + ' '.join(words))
        done = subprocess.run([*self.switch_cmd.split(), *words], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, timeout=120 * self.slack, check=False)
        self.changed = words[0] != 'default'
        self.forget()
        if done.returncode == 77:
            raise Skip('not possible here: %s %s' % (
                ' '.join(words), done.stderr.decode(errors='replace').strip()[-120:]))
        if done.returncode:
            raise Fail('switch %s failed: %s' % (
                ' '.join(words), done.stderr.decode(errors='replace').strip()[-300:]))


def triple(text):
    """'1/2/05' as numbers."""
    layer, etype, code = text.split('/')
    return int(layer, 16), int(etype, 16), int(code, 16)


def words(value):
    """A string, or several, as a list."""
    return [value] if isinstance(value, str) else list(value)


class T:
    """The run of one case: opens things, notes things, judges."""

    def __init__(self, env, case):
        self.env, self.case = env, case
        self.conns, self.sessions, self.notes, self.got = [], [], [], []

    # --- set up ---

    def adopt(self, conn):
        """Remember a connection for the log."""
        self.conns.append(conn)
        return conn

    def session(self):
        """A new session with the DUT, not listening yet."""
        s = Session(self)
        self.sessions.append(s)
        return s

    def listen(self, **cfg):
        """A new session that listens."""
        return self.session().listen(**cfg)

    def open(self, **cfg):
        """(session, connection in full operation) in one go."""
        s = self.listen(**cfg)
        return s, s.open()

    def scale(self, few, many):
        """How often: few by default, many with --full."""
        return many if self.env.full else few

    def switch(self, *args):
        """Change the device or the network under it."""
        self.env.switch(*args)

    def cleanup(self):
        """Close everything."""
        for c in self.conns:
            c.close()
        for s in self.sessions:
            if s.server:
                s.server.close()
            if s.agent:
                s.agent.close()

    # --- words ---

    def note(self, text):
        """Something worth telling that is no failure."""
        self.notes.append(text)

    def saw(self, text):
        """What was observed, for the report."""
        self.got.append(text)

    def want(self, condition, text):
        """Fail unless the condition holds."""
        if not condition:
            raise Fail(text)

    def prefer(self, condition, text):
        """A failure in a strict run, a note in a lenient one."""
        if condition:
            return
        if not self.env.lenient:
            raise Fail(text)
        self.note(text)

    # --- verdicts of section 5.1 ---

    def closed(self, c, timeout=5):
        """CLOSE: FIN or RST in time, and not an octet."""
        how = c.wait_end(timeout)
        self.want(not c.rx, 'octets instead of a close: %s' % bytes(c.rx[:64]).hex())
        self.want(how, 'connection still open after %d s' % timeout)
        self.saw('CLOSE (%s)' % how)
        return how

    def alive(self, c, stag=1, to=0):
        """ALIVE: a zero-length Read is answered."""
        c.read(0, stag, to, (1, 0))
        f = c.take(wire.READ_RESP)
        self.want(not f.payload and f.last and (f.stag, f.to) == (1, 0),
                  'answer to a zero-length Read: %s' % f)
        self.saw('ALIVE')

    def untouched(self, s, before, but=()):
        """UNTOUCHED: digests as before, nothing written around the regions."""
        if before is None:
            self.note('digests not checked (no agent)')
            return
        after = s.digest()
        self.want(after['canary'] == 'whole', 'octet outside a region written: %s'
                  % after['canary'])
        for name in (*REGIONS, 'K'):
            if name not in but:
                self.want(after.get(name) == before.get(name), 'region %s changed' % name)
        self.saw('UNTOUCHED')

    def silent(self, c, seconds):
        """Not one octet for this long, and the connection stays."""
        self.want(c.silence(seconds), 'not silent: %d octets, %s' % (len(c.rx), c.how_ended()))

    def term(self, c, strict, alt=(), bad=None, allow=(), close_ok=False, timeout=5,
             quote=True):
        """TERM: a Terminate with the triple, right in all fields, then FIN and nothing else.

        bad is the ULPDU it must quote (default: the last one sent), unless quote is
        false; allow lists opcodes that may come before it; close_ok takes a bare close.
        """
        bad = c.last if bad is None else bad
        while True:
            f = c.next_fpdu(timeout)
            if f is None or f.op not in allow:
                break
        if f is None:
            self.want(close_ok and c.ended and not c.rx,
                      'no Terminate, %s' % c.how_ended())
            self.saw('bare close (%s)' % c.how_ended())
            return None
        self.want(f.op == wire.TERMINATE and not f.t, 'expected a Terminate, got %s' % f)
        self.want(len(f.payload) >= 4, 'Terminate of %d octets' % len(f.payload))
        exact = self.judge(f, strict, alt)
        if exact and quote:
            self._judge_quote(f, bad)
        self._judge_after(c)
        return f

    def judge(self, f, strict, alt=()):
        """Compare the triple of a Terminate; True if it is a strict one."""
        strict, alt = words(strict), words(alt)
        text = '%x/%x/%02x' % f.triple
        self.saw('TERM ' + text)
        if f.triple in [triple(x) for x in strict]:
            return True
        alts = [triple(x) for x in alt]
        if f.triple in alts or f.triple[1:] in [(3, x[2]) for x in map(triple, strict)
                                                if x[0] == 2]:
            self.prefer(False, 'TERM %s is a known alternative to %s' % (text, strict))
            return False
        swapped = (f.triple[1], f.triple[0], f.triple[2])
        if self.env.lenient and swapped in [triple(x) for x in strict] + alts:
            self.note('TERM %s: nibbles exchanged (T-20)' % text)
            return False
        raise Fail('TERM %s, expected %s' % (text, ' or '.join(strict)))

    def _judge_quote(self, f, bad):
        """HdrCt and quoted headers (section 1.9)."""
        head = f.payload[:4]
        layer, etype, _ = f.triple
        want = 0 if layer == 2 or (layer, etype) == (0, 0) or not bad else 0xc0
        header = b''
        if want and bad[1] & 15 == wire.READ_REQ and (layer, etype) == (0, 1):
            want |= 0x20
            header = bad[18:46]
        self.prefer(head[2] & 0x1f == 0 and head[3] == 0, 'reserved bits in %s' % head.hex())
        self.prefer(head[2] & 0xe0 == want, 'HdrCt %02x, expected %02x (RDM-37)'
                    % (head[2], want))
        if head[2] & 0xe0 != want or not want:
            self.prefer(want or len(f.payload) == 4 or not any(f.payload[4:]),
                        'octets after an empty HdrCt')
            return
        size = 14 if bad[0] & 0x80 else 18
        quoted = struct.pack('>H', len(bad)) + bad[:size] + header
        self.prefer(f.payload[4:] == quoted, 'quotes %s, expected %s'
                    % (f.payload[4:].hex(), quoted.hex()))

    def _judge_after(self, c):
        how = c.wait_end(5)
        self.want(not c.rx, 'octets after the Terminate: %s' % bytes(c.rx[:64]).hex())
        self.want(how, 'no FIN after the Terminate')
        self.prefer(how == 'FIN', 'RST instead of FIN after the Terminate (RDM-36)')
        self.saw(how)

    def ends(self, c, timeout=5):
        """The stream ends in error one way or another; returns the Terminate or None."""
        found = None
        while True:
            f = c.next_fpdu(timeout)
            if f is None:
                break
            if f.op == wire.TERMINATE:
                found = f
        how = c.wait_end(timeout)
        self.want(how or found, 'the stream goes on')
        self.saw(('TERM %x/%x/%02x ' % found.triple if found else '') + str(how))
        return found
