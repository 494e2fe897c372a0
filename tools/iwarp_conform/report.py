# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What a run leaves behind: KTAP lines, a report, logs and captures."""

import json
import os
import textwrap
import time

from . import pcap
from .catalog import GROUPS, REQUIREMENTS

LONG = 256          # octets of one chunk shown in a log


class Ktap:
    """Results as they come, numbered in that order."""

    def __init__(self, count, out):
        self.out = out
        self.number = 0
        self.count = {'PASS': 0, 'FAIL': 0, 'SKIP': 0}
        print('KTAP version 1\n1..%d' % count, file=out, flush=True)

    def add(self, result):
        """One line of result, with a diagnostic line before a failure."""
        self.number += 1
        self.count[result.verdict] += 1
        for text in [result.reason] * (result.verdict == 'FAIL') + result.notes:
            print('# %s: %s' % (result.case.name, text), file=self.out)
        line = '%s %d %s' % ('not ok' if result.verdict == 'FAIL' else 'ok', self.number,
                             result.case.name)
        if result.verdict == 'SKIP':
            line += ' # SKIP ' + result.reason
        print(line, file=self.out, flush=True)

    def end(self):
        """The totals."""
        print('# Totals: pass:%(PASS)d fail:%(FAIL)d xfail:0 xpass:0 skip:%(SKIP)d error:0'
              % self.count, file=self.out, flush=True)


def sources(case):
    """Requirement ids with the sections they come from."""
    parts = ['%s (RFC %s)' % (r, REQUIREMENTS[r][0]) for r in case.reqs]
    return ', '.join(parts + ([case.other] if case.other else []))


def _rst_case(result):
    c = result.case
    rows = [('requirements', sources(c)), ('stimulus', c.stimulus), ('expected', c.expected),
            ('got', '; '.join(result.got) or '-'), ('verdict', result.verdict)]
    if result.reason:
        rows.insert(-1, ('reason', result.reason))
    for note in result.notes:
        rows.append(('note', note))
    rows.append(('time', '%.2f s' % result.seconds))
    lines = [c.name, '~' * len(c.name), '']
    for key, value in rows:
        lines += textwrap.wrap(':%s: %s' % (key, value.replace('*', '\\*')), 96,
                               subsequent_indent='   ')
    return lines + ['']


def write_rst(path, results, heading):
    """The readable report."""
    results = sorted(results, key=lambda r: r.case.name)
    count = {v: sum(r.verdict == v for r in results) for v in ('PASS', 'FAIL', 'SKIP')}
    lines = ['iWARP conformance report', '========================', '', heading, '',
             '%d cases: %d passed, %d failed, %d skipped' % (
                 len(results), count['PASS'], count['FAIL'], count['SKIP']), '']
    for verdict in ('FAIL', 'SKIP'):
        names = [r.case.name for r in results if r.verdict == verdict]
        if names:
            lines += textwrap.wrap('%s: %s' % (verdict, ' '.join(names)), 96) + ['']
    for group, title in GROUPS.items():
        mine = [r for r in results if r.case.group == group]
        if mine:
            title = '%s. %s' % (group, title)
            lines += [title, '-' * len(title), '']
            for r in mine:
                lines += _rst_case(r)
    with open(path, 'w', encoding='utf-8') as out:
        out.write('\n'.join(lines))


def _plain(r):
    return {'case': r.case.name, 'group': r.case.group, 'verdict': r.verdict,
            'requirements': list(r.case.reqs), 'reason': r.reason, 'got': r.got,
            'notes': r.notes, 'seconds': round(r.seconds, 2)}


def write_json(path, results):
    """The same for programs."""
    with open(path, 'w', encoding='utf-8') as out:
        json.dump([_plain(r) for r in sorted(results, key=lambda r: r.case.name)], out, indent=1)


def progress(directory, case, result=None):
    """A line when a case begins and one when it ends, for the time after a crash."""
    os.makedirs(directory, exist_ok=True)
    line = _plain(result) if result else {'case': case.name, 'verdict': 'BEGUN'}
    with open(os.path.join(directory, 'progress.jsonl'), 'a', encoding='utf-8') as out:
        out.write(json.dumps(line) + '\n')
        out.flush()
        os.fsync(out.fileno())


WAYS = {'>': 'PEER sends', '<': 'DUT sends', 'F': 'PEER FIN', 'f': 'DUT FIN', 'R': 'PEER RST',
        'r': 'DUT RST'}


def _log_conn(out, number, c):
    out.write('\nconnection %d: %s -> %s\n' % (number, c.trace.local, c.trace.remote))
    out.write('  Request %s\n  Reply   %s\n' % (c.request, c.reply))
    out.write('  markers PEER->DUT %s DUT->PEER %s, CRC %s\n'
              % (c.tx_markers, c.rx_markers, c.crc))
    for at, kind, data in c.trace.items:
        if kind == '#':
            out.write('  %9.4f    %s\n' % (at, data))
            continue
        out.write('  %9.4f %s %s\n' % (at, WAYS[kind], '%d octets' % len(data) if data else ''))
        for i in range(0, min(len(data), LONG), 32):
            out.write('%18x  %s\n' % (i, bytes(data[i:i + 32]).hex(' ', 4)))
        if len(data) > LONG:
            out.write('%18s  ...\n' % '')
    for f in c.fpdus:
        if f.markers:
            out.write('  markers (offset, reserved, FPDUPTR) of %s: %s\n' % (f, f.markers))


def write_log(directory, result):
    """Everything of section 5.3 for one case; a capture as well if it failed."""
    os.makedirs(directory, exist_ok=True)
    base = os.path.join(directory, result.case.name)
    with open(base + '.log', 'w', encoding='utf-8') as out:
        out.write('%s %s: %s\n' % (result.case.name, result.verdict, result.reason))
        out.write('stimulus: %s\nexpected: %s\n' % (result.case.stimulus, result.case.expected))
        out.write('got: %s\n' % '; '.join(result.got))
        for text in result.notes:
            out.write('note: %s\n' % text)
        out.write('begun %s\n' % time.strftime('%Y-%m-%d %H:%M:%S'))
        for line in result.agent:
            out.write('agent: %s\n' % line)
        for n, c in enumerate(result.conns):
            _log_conn(out, n, c)
    if result.verdict == 'FAIL':
        pcap.write(base + '.pcap', [c.trace for c in result.conns])
