#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Tables for the documentation, made from the results of runs.

Usage: tables.py OURS.json CONTROL-6.12.json CONTROL-6.1.json DOCUMENT

Replaces both tables of DOCUMENT, which are its last sections. Where the code of each
requirement is, and what beside the wire cases tests it, is in places.txt.
"""

import collections
import functools
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

Place = collections.namedtuple('Place', 'code tests remark')


@functools.cache
def places():
    """requirement -> Place, from places.txt."""
    found = {}
    with open(os.path.join(HERE, 'places.txt'), encoding='utf-8') as lines:
        for line in lines:
            if line[0] not in '#\n':
                name, *rest = (part.strip() for part in line.split('|'))
                found[name] = Place(*rest)
    return found


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


def table(head, widths, rows):
    """A csv-table, one line a row."""
    lines = ['.. csv-table::', '   :delim: |', '   :widths: ' + widths,
             '   :header: ' + ' | '.join(head), '']
    lines += ['   ' + ' | '.join(c.replace('*', '\\*').replace('|', '/') for c in row).rstrip()
              for row in rows]
    return '\n'.join(lines) + '\n'


def why(name, series, entry):
    """What stands behind a verdict of a control that is not "pass"."""
    if entry['verdict'] == 'PASS':
        return ''
    known = WHY.get(name) if entry['verdict'] == 'FAIL' else None
    return '%s: %s' % (series, (known or entry['reason'])[:160])


def case_rows(ours, controls):
    """Every case with all verdicts and the difference explained."""
    rows = []
    for name, case in sorted(main.ALL.items()):
        mine = ours.get(name)
        words = [mine['reason']] if mine and mine['verdict'] != 'PASS' else []
        for series, results in controls.items():
            text = why(name, series, results[name]) if name in results else ''
            if text.partition(': ')[2] not in [w.partition(': ')[2] for w in words]:
                words.append(text)
        rows.append([name, case.run.__name__, ' '.join(case.reqs) or case.other, verdict(mine),
                     *(verdict(r.get(name)) for r in controls.values()),
                     '; '.join(w for w in words if w)])
    return rows


def requirement_rows(ours):
    """Every requirement with its code, its tests and what they said."""
    rows = []
    for name, (source, severity, _) in report.REQUIREMENTS.items():
        place = places()[name]
        cases = [c for c in sorted(main.ALL) if name in main.ALL[c].reqs]
        said = {verdict(ours.get(c)) for c in cases}
        result = ('not met' if place.remark.startswith('not met') else 'fail' if 'fail' in said
                  else 'pass' if 'pass' in said else '' if cases else 'pass' if place.tests
                  else '-')
        rows.append([name, source, severity, place.code,
                     ' '.join(cases + place.tests.split()), result, place.remark])
    return rows


def tables(ours, controls):
    """Both tables."""
    return '\n'.join((
        'Cases\n-----\n',
        table(('case', 'name', 'requirements', 'ours', *('mainline ' + c for c in controls),
               'remark'), '8 16 20 6 8 8 34', case_rows(ours, controls)),
        'Requirements\n------------\n',
        table(('requirement', 'RFC section', 'severity', 'code', 'tests', 'ours', 'remark'),
              '9 12 5 26 28 6 14', requirement_rows(ours))))


def replace(path, text):
    """Put the tables at the end of the document."""
    with open(path, encoding='utf-8') as data:
        head, found, _ = data.read().partition('\nCases\n-----\n')
    if not found:
        sys.exit('no section "Cases" in ' + path)
    with open(path, 'w', encoding='utf-8') as out:
        out.write(head + '\n' + text)


if __name__ == '__main__':
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    replace(sys.argv[4], tables(load(sys.argv[1]), {'6.12': load(sys.argv[2]),
                                                   '6.1': load(sys.argv[3])}))
