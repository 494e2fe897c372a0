#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Run all cases against an endpoint that may take its kernel down.

Usage: control.py KVER MODULE OUT [ARGUMENT...]

Boots a guest again and again. A case in whose course the guest died is recorded as
"peer failed" and left out of the next boot. OUT.json and OUT.rst hold the results.
"""

import json
import os
import subprocess
import sys
import types

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), '../..')
sys.path.insert(0, os.path.join(TOP, 'tools'))
sys.dont_write_bytecode = True

from iwarp_conform import main, report      # noqa: E402  pylint: disable=wrong-import-position

MAX_BOOTS = 25


def boot(kver, module, name, arguments):
    """One guest; its status."""
    return subprocess.run(
        [os.path.join(TOP, 'tests/vm/run'), '--kver', kver, '--name', name, '--time-limit', '900',
         '--env', 'SIW_KO=' + module, '--env', 'SIW_PROVIDER=stock',
         '--env', 'CONFORM_ARGS=' + ' '.join(arguments),
         '--', os.path.join(TOP, 'tests/conform/run.sh')],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode


def harvest(path, done):
    """Add finished cases to done; the ones begun and not finished, in order."""
    begun = []
    with open(path, encoding='utf-8') as lines:
        for line in lines:
            entry = json.loads(line)
            if entry['verdict'] == 'BEGUN':
                begun.append(entry['case'])
            else:
                done[entry['case']] = entry
                begun.remove(entry['case'])
    return begun


def culprit(open_cases):
    """The case that ran when the guest died: the last that is not just waiting."""
    busy = [c for c in open_cases if not main.ALL[c].slow]
    return (busy or open_cases)[-1]


def as_result(entry):
    """An entry as the report wants it."""
    return types.SimpleNamespace(case=main.ALL[entry['case']], conns=[], agent=[], **{
        k: entry[k] for k in ('verdict', 'reason', 'got', 'notes', 'seconds')})


def save(kver, out, done):
    """What is known so far."""
    results = [as_result(e) for e in done.values() if e['case'] in main.ALL]
    report.write_rst(out + '.rst', results, 'Control run: %s, lenient verdicts.' % kver)
    report.write_json(out + '.json', results)


def control(kver, module, out, more):
    """All cases, however many boots it takes."""
    done = {}
    name = os.path.basename(out)
    progress = os.path.join(TOP, 'build/vm', name, 'out/log/progress.jsonl')
    for _ in range(MAX_BOOTS):
        if os.path.exists(progress):
            os.unlink(progress)
        skip = ['--skip', ','.join(done)] if done else []
        boot(kver, module, name, ['--lenient', '--jobs', '1', *skip, *more])
        if not os.path.exists(progress):
            # an older, complete result is worth more than a part of a new one
            sys.exit('the guest did not start, nothing written')
        left = harvest(progress, done)
        print('%d cases done, open: %s' % (len(done), ' '.join(left) or 'none'), flush=True)
        save(kver, out + '.part' if left else out, done)
        if not left:
            break
        guilty = culprit(left)
        done[guilty] = {'case': guilty, 'verdict': 'FAIL', 'reason': 'peer failed: the kernel '
                        'of the endpoint died or hung', 'got': [], 'notes': [], 'seconds': 0.0}


if __name__ == '__main__':
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    control(*sys.argv[1:4], sys.argv[4:])
