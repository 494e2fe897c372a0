# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Command line, choice and order of cases, threads."""

import argparse
import concurrent.futures
import importlib
import re
import sys
import threading
import time
import traceback

from . import report
from .cases import ALL
from .catalog import GROUPS
from .conn import Fail, Skip
from .dut import Env, T

for _name in ('group_abc', 'group_de', 'group_fg', 'group_h', 'group_ij', 'group_k',
              'group_more', 'group_rules'):
    importlib.import_module('iwarp_conform.' + _name)


class Result:
    """Verdict on one case."""

    def __init__(self, case):
        self.case = case
        self.verdict, self.reason = 'PASS', ''
        self.got, self.notes, self.conns, self.agent = [], [], [], []
        self.seconds = 0.0


def _agent_lines(t):
    """What the agent saw, for the log of a failed case."""
    lines = []
    for s in t.sessions:
        if not s.agent:
            continue
        try:
            for word in ('EVENTS', 'CQES', 'DIGEST', 'ASYNC'):
                answer = s.agent.ask(word)
                lines += ['%s %s' % (word, line) for line in answer.lines + [answer.fields]]
        except (Fail, Skip) as err:
            lines.append(str(err))
    return lines


def run_case(case, env):
    """Run one case; never raises."""
    result = Result(case)
    t = T(env, case)
    begun = time.monotonic()
    try:
        case.run(t)
    except Fail as err:
        result.verdict, result.reason = 'FAIL', str(err)
    except Skip as why:
        result.verdict, result.reason = 'SKIP', str(why)
    except Exception as err:    # pylint: disable=broad-except
        where = traceback.extract_tb(err.__traceback__)[-1]
        result.verdict = 'FAIL'
        result.reason = 'PEER: %r at %s:%d' % (err, where.name, where.lineno)
    result.notes, result.got, result.conns = t.notes, t.got, t.conns
    _judge_problems(result, t)
    if result.verdict == 'FAIL':
        result.agent = _agent_lines(t)
    t.cleanup()
    result.seconds = time.monotonic() - begun
    result.reason = ' '.join(result.reason.split())
    return result


def _judge_problems(result, t):
    """Rules every octet of the DUT must obey, whatever the case is about."""
    problems = list(dict.fromkeys(p for c in t.conns for p in c.problems))
    if not problems:
        return
    if t.env.lenient:
        result.notes += problems[:5]
    elif result.verdict != 'FAIL':
        result.verdict, result.reason = 'FAIL', problems[0]
        result.notes += problems[1:5]
    else:
        result.notes += problems[:5]


class Runner:
    """Runs cases: slow ones beside all others, the rest in a pool, then those alone."""

    def __init__(self, env, args, out):
        self.env, self.args, self.out = env, args, out
        self.lock = threading.Lock()
        self.results = []
        self.tap = None

    def one(self, case):
        """Run and report one case."""
        if self.args.log:
            with self.lock:
                report.progress(self.args.log, case)
        result = run_case(case, self.env)
        with self.lock:
            self.results.append(result)
            self.tap.add(result)
            if self.args.log:
                report.progress(self.args.log, case, result)
                report.write_log(self.args.log, result)

    def run(self, cases):
        """All of them; the results."""
        self.tap = report.Ktap(len(cases), self.out)
        slow = [threading.Thread(target=self.one, args=(c,)) for c in cases if c.slow]
        for thread in slow:
            thread.start()
        with concurrent.futures.ThreadPoolExecutor(self.args.jobs) as pool:
            list(pool.map(self.one, [c for c in cases if not c.slow and not c.alone]))
        for thread in slow:
            thread.join()
        for case in cases:
            if case.alone:
                self.restore()
                self.one(case)
        self.restore()
        self.tap.end()
        return self.results

    def restore(self):
        """The device and the network as they were."""
        if self.env.changed:
            try:
                self.env.switch('default')
            except (Fail, Skip) as err:
                print('# switch default: %s' % err, file=self.out)


def choose(args):
    """The cases asked for, in order."""
    names = set(ALL)
    if args.case or args.group:
        names = {n if n.startswith('TC-') else 'TC-%03d' % int(n)
                 for text in args.case for n in re.split('[, ]+', text.upper()) if n}
        groups = ''.join(args.group).upper()
        names |= {n for n in ALL if ALL[n].group in groups}
    for text in args.skip:
        names -= {n.strip().upper() for n in text.split(',')}
    unknown = sorted(names - set(ALL))
    if unknown:
        raise SystemExit('no such case: ' + ' '.join(unknown))
    return [ALL[n] for n in sorted(names)]


def address(text, port=0):
    """HOST[:PORT], [V6HOST]:PORT or a bare IPv6 address."""
    found = re.fullmatch(r'\[(.*)\](?::(\d+))?|([^:]*)(?::(\d+))?|(.*)', text)
    host = found[1] or found[3] or found[5]
    return host, int(found[2] or found[4] or port)


def parser():
    """The options."""
    p = argparse.ArgumentParser(
        prog='iwarp-conform',
        description='Judge an iWARP endpoint by its behaviour on the wire. PEER connects to '
        '--target and is connected to at --listen; with --agent it also sees the other side\'s '
        'completions and memory (tests/conform/agent.c). Without an agent the endpoint must '
        'accept, post 9 receives of 64 octets and after the first received message send one '
        'Send with STag(4) TO(8) length(4) of five regions.')
    p.add_argument('--target', metavar='HOST[:PORT]', help='endpoint that listens')
    p.add_argument('--listen', metavar='ADDR[:PORT]', help='where the endpoint connects to')
    p.add_argument('--agent', metavar='HOST:PORT', help='control connection of the agent')
    p.add_argument('--case', action='append', default=[], metavar='TC-NNN[,...]')
    p.add_argument('--group', action='append', default=[], metavar='A..K')
    p.add_argument('--skip', action='append', default=[], metavar='TC-NNN[,...]')
    p.add_argument('--list', action='store_true', help='print the cases and end')
    p.add_argument('--requirements', action='store_true',
                   help='print each requirement with the cases that look at it and end')
    p.add_argument('--lenient', action='store_true',
                   help='accept the alternatives known of other endpoints')
    p.add_argument('--full', action='store_true', help='full repetition counts (hours)')
    p.add_argument('--slack', type=float, default=1.0, help='factor on all time limits')
    p.add_argument('--jobs', type=int, default=4, help='cases at a time (default 4)')
    p.add_argument('--switch', metavar='COMMAND',
                   help='called with "crc off", "markers on", "mtu N", "timestamps off", '
                   '"netem WORDS" or "default" to change the endpoint; status 77: cannot')
    p.add_argument('--startup-timeout', type=float, default=25, metavar='SEC',
                   help='longest wait of the endpoint for a Request')
    p.add_argument('--connect-timeout', type=float, default=75, metavar='SEC',
                   help='longest wait of the endpoint for a Reply')
    p.add_argument('--patience', type=float, default=60, metavar='SEC',
                   help='wait for a connection of an endpoint without agent')
    p.add_argument('--report', metavar='FILE', help='readable report (rst)')
    p.add_argument('--json', metavar='FILE', help='the same for programs')
    p.add_argument('--log', metavar='DIR', help='a log a case, a pcap for each failed one')
    return p


def list_cases():
    """Print what there is."""
    for group, title in GROUPS.items():
        print('%s. %s' % (group, title))
        for name in sorted(ALL):
            if ALL[name].group == group:
                print('  %s  %s -> %s' % (name, ALL[name].stimulus, ALL[name].expected))


def list_requirements():
    """Which cases look at a requirement."""
    for name, (source, severity, text) in report.REQUIREMENTS.items():
        cases = [c for c in sorted(ALL) if name in ALL[c].reqs]
        print('%s | %s | %s | %s | %s' % (name, source, severity, ' '.join(cases) or '-', text))


def make_env(args):
    """Options as the cases want them."""
    agent = address(args.agent) if args.agent else None
    target = address(args.target) if args.target else agent
    if not target and not args.listen:
        raise SystemExit('nothing to test: give --target or --listen (see --help)')
    env = Env(target or (None, 0), address(args.listen) if args.listen else None, agent,
              args.slack, args.lenient, args.full, args.switch, args.patience)
    env.startup_timeout, env.connect_timeout = args.startup_timeout, args.connect_timeout
    return env


def main(argv=None, out=sys.stdout):
    """Run the tool; 0 when no case failed."""
    args = parser().parse_args(argv)
    if args.list:
        list_cases()
        return 0
    if args.requirements:
        list_requirements()
        return 0
    cases = choose(args)
    env = make_env(args)
    results = Runner(env, args, out).run(cases)
    if args.report:
        report.write_rst(args.report, results, 'Run of %s, %s verdicts, %s repetitions.' % (
            time.strftime('%Y-%m-%d'), 'lenient' if args.lenient else 'strict',
            'full' if args.full else 'short'))
    if args.json:
        report.write_json(args.json, results)
    return 1 if any(r.verdict == 'FAIL' for r in results) else 0
