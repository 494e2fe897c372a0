# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The table of cases; each module of cases fills it when imported."""

import collections

from .catalog import CASES as TEXT

Case = collections.namedtuple('Case', 'name run slow alone group stimulus expected reqs other')
ALL = {}


# requirements a case looks at beside those its row in the catalogue names
ALSO = {
    'TC-003': ('MPA-06', 'MPA-27', 'ENH-02'), 'TC-015': ('ENH-03', 'ENH-12'),
    'TC-022': ('ENH-01', 'ENH-16'), 'TC-031': ('ENH-01', 'ENH-27'), 'TC-035': ('ENH-16',),
    'TC-024': ('MPA-60',), 'TC-009': ('MPA-60',), 'TC-052': ('MPA-40', 'MPA-41', 'RDM-22'),
    'TC-056': ('MPA-61',), 'TC-057': ('MPA-61', 'DDP-26'), 'TC-061': ('MPA-55', 'DDP-10'),
    'TC-071': ('MPA-61',), 'TC-077': ('RDM-24',), 'TC-084': ('SEC-05',), 'TC-087': ('SEC-06',),
    'TC-088': ('SEC-06',), 'TC-098': ('DDP-01', 'DDP-02', 'SEC-05', 'RDM-41'),
    'TC-101': ('SEC-07',), 'TC-102': ('DDP-14',), 'TC-103': ('RDM-17',), 'TC-105': ('RDM-09',),
    'TC-108': ('RDM-20',), 'TC-116': ('DDP-27', 'DDP-28'), 'TC-117': ('RDM-30',),
    'TC-126': ('EXT-01', 'RDM-22'), 'TC-127': ('DDP-14',), 'TC-128': ('EXT-17', 'EXT-18'),
    'TC-131': ('EXT-18',), 'TC-134': ('EXT-01',), 'TC-136': ('EXT-17',), 'TC-138': ('DDP-33',)}


def case(number, slow=False, alone=False, text=None):
    """Register a function as test case number.

    slow: mostly waits for a timer, started first, beside the others.
    alone: changes the device or loads it heavily, run after the others.
    text: group, stimulus, expected, requirements of a case that is not in the catalogue.
    """
    name = 'TC-%03d' % number

    def register(run):
        group, stimulus, expected, reqs, *other = text or TEXT[name]
        if name in ALL:
            raise ValueError('two cases ' + name)
        ALL[name] = Case(name, run, slow, alone, group, stimulus, expected,
                         tuple(reqs) + ALSO.get(name, ()), other[0] if other else '')
        return run
    return register
