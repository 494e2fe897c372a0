#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Tables for the documentation, made from the results of two runs.

Usage: tables.py OURS.json CONTROL.json > tables.rst
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, '../../tools'))
sys.dont_write_bytecode = True

from iwarp_conform import main, report      # noqa: E402  pylint: disable=wrong-import-position

# What stands behind a failure of the control (traps: section 4 of the case catalogue's source)
WHY = {
    'TC-012': 'answers a Rev 0 Request with a rejecting Rev 0 Reply',
    'TC-013': 'mirrors R of the Request, which rejects (not looked at by the RFC)',
    'TC-014': 'mirrors reserved bits (T-18)',
    'TC-016': 'does not hold its Sends until the first FPDU (T-12)',
    'TC-017': 'as TC-016',
    'TC-018': 'CRC off by default (T-17)',
    'TC-022': 'CRC off by default (T-17)',
    'TC-024': 'answers a bad Reply by a Terminate instead of a close',
    'TC-038': 'as TC-016',
    'TC-040': '0x3FFF taken as a number (T-30)',
    'TC-043': 'S=1 without the header accepted (T-33)',
    'TC-046': 'client/server mode by default',
    'TC-047': 'client/server mode by default: needs no RTR',
    'TC-050': 'S=1 without the header accepted (T-33)',
    'TC-056': 'header checked and data placed before the CRC is',
    'TC-057': 'as TC-056: damaged data reach the region',
    'TC-063': 'rejects M=1 (T-15)', 'TC-064': 'rejects M=1 (T-15)',
    'TC-065': 'rejects M=1 (T-15)',
    'TC-088': 'remote read right not enforced (T-26)',
    'TC-094': 'length taken as signed (T-27)',
    'TC-097': 'T not compared with the opcode (T-28)',
    'TC-100': 'QN and MO of Read Requests not checked (T-28)',
    'TC-104': 'other triple, accepted in a lenient run',
    'TC-116': 'stops at 0/1/02 (T-26)',
    'TC-121': 'closes with RST, the Terminate is lost (T-24)',
    'TC-142': 'pad octets are not zero',
}

# Requirements no wire case can look at: what stands for them.
ELSEWHERE = {
    'MPA-15': 'unit tests of the startup parser; rdma_cm limits private data to 255 octets',
    'MPA-20': 'unit tests of the startup parser',
    'ENH-06': 'allowance, not used: Rev 2 is always offered (T-06)',
    'ENH-22': 'fault injection, not from the wire',
    'MPA-56': 'receivers do not see TCP segments; measured by tests/bench',
    'DDP-29': 'cannot be produced over a correct TCP',
    'DDP-32': 'memory windows of type 2: tests/kselftest',
    'RDM-31': 'allowance',
    'EXT-13': 'as RDM-20; TC-136 has no response that matches',
    'SEC-02': 'memory windows of type 2: tests/kselftest',
    'SEC-09': 'duty of applications', 'SEC-10': 'duty of applications',
    'SEC-14': 'SRQ limit event: tests/kselftest',
    'SEC-16': 'uverbs objects belong to one process: RDMA core',
    'SEC-18': 'registration: tests/kselftest',
    'SEC-21': 'IPsec below TCP changes nothing but EMSS, see TC-061',
}


def load(path):
    """case -> entry."""
    with open(path, encoding='utf-8') as data:
        return {e['case']: e for e in json.load(data)}


def verdict(entry):
    """One word, or two."""
    if entry is None:
        return '-'
    if entry['reason'].startswith('peer failed'):
        return 'peer failed'
    return {'PASS': 'pass', 'FAIL': 'fail', 'SKIP': 'skip'}[entry['verdict']]


def rst(text):
    """Text that rst takes as it is."""
    return text.replace('*', '\\*').replace('|', '\\|').replace('_ ', '\\_ ')


def table(head, rows):
    """A list-table."""
    lines = ['.. list-table::', '   :header-rows: 1', '']
    for row in [head] + rows:
        for i, cell in enumerate(row):
            lines.append('   %s %s' % ('* -' if i == 0 else '  -', rst(cell)))
    return '\n'.join(lines) + '\n'


def case_rows(ours, control):
    """Every case with both verdicts and the difference explained."""
    rows = []
    for name in sorted(main.ALL):
        mine, other = ours.get(name), control.get(name)
        words = []
        if mine and mine['verdict'] != 'PASS':
            words.append(mine['reason'])
        if other and other['verdict'] == 'FAIL':
            words.append(WHY.get(name, other['reason']))
        elif other and other['verdict'] == 'SKIP' and verdict(mine) != 'skip':
            words.append('control: ' + other['reason'])
        rows.append((name, ' '.join(main.ALL[name].reqs) or main.ALL[name].other, verdict(mine),
                     verdict(other), '; '.join(words)[:160]))
    return rows


def requirement_rows(ours):
    """Every requirement with its cases and what they said."""
    rows = []
    for name, (source, severity, _) in report.REQUIREMENTS.items():
        cases = [c for c in sorted(main.ALL) if name in main.ALL[c].reqs]
        said = {verdict(ours.get(c)) for c in cases}
        result = 'fail' if 'fail' in said else 'pass' if 'pass' in said else 'skip'
        rows.append((name, source, severity, ' '.join(cases) or ELSEWHERE[name],
                     result if cases else 'elsewhere'))
    return rows


def print_tables(ours, control):
    """Both tables."""
    print('.. SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause\n'
          '.. made by tests/conform/tables.py\n')
    print('Cases\n-----\n')
    print(table(('case', 'requirements', 'ours', 'mainline', 'remark'),
                case_rows(ours, control)))
    print('Requirements\n------------\n')
    print(table(('requirement', 'RFC section', 'severity', 'cases', 'ours'),
                requirement_rows(ours)))


if __name__ == '__main__':
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    print_tables(load(sys.argv[1]), load(sys.argv[2]))
