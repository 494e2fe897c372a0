# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The table of cases; each module of cases fills it when imported."""

import collections

from .catalog import CASES as TEXT

Case = collections.namedtuple('Case', 'name run slow alone group stimulus expected reqs other')
ALL = {}


def case(number, slow=False, alone=False):
    """Register a function as test case number.

    slow: mostly waits for a timer, started first, beside the others.
    alone: changes the device or loads it heavily, run after the others.
    """
    name = 'TC-%03d' % number

    def register(run):
        group, stimulus, expected, reqs, other = TEXT[name]
        if name in ALL:
            raise ValueError('two cases ' + name)
        ALL[name] = Case(name, run, slow, alone, group, stimulus, expected, reqs, other)
        return run
    return register
