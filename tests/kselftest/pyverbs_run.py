#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""usage: pyverbs_run.py TESTS-DIR DEVICE ABSENT

Run rdma-core's tests in TESTS-DIR and print a line for each: "PASS", "FAIL"
or "SKIP", its full name, and for the latter two the reason. What the file
ABSENT names is not run.
"""

import os
import sys
import unittest
from importlib.machinery import SourceFileLoader


def read_absent(path):
    """The tests that are not to be run, with their reasons."""
    with open(path, encoding="ascii") as f:
        lines = [line.split(None, 1) for line in f if line[0] not in "#\n"]
    return {name: why.strip() for name, why in lines}


def without(suite, absent, result):
    """The tests of a suite but for the absent, which are skipped."""
    left = unittest.TestSuite()
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            left.addTest(without(test, absent, result))
        elif test.id() in absent:
            result.addSkip(test, "not on iWARP: " + absent.pop(test.id()))
        else:
            left.addTest(test)
    return left


class Lines(unittest.TestResult):
    """Print each verdict as soon as it is known."""

    def say(self, verdict, test, why=""):
        why = why.strip().splitlines()
        print(verdict, test.id(), why[-1] if why else "", flush=True)

    def addSuccess(self, test):
        self.say("PASS", test)

    def addSkip(self, test, reason):
        self.say("SKIP", test, reason)

    def bad(self, test, err):
        text = self._exc_info_to_string(err, test)
        for line in text.splitlines():
            print("#", line)
        self.say("FAIL", test, text)

    addError = bad
    addFailure = bad

    def addSubTest(self, test, subtest, err):
        if err:
            self.bad(test, err)


def has_address(device):
    """Whether the device's GID 1 is an address (mainline siw has none)."""
    gids = f"/sys/class/infiniband/{device}/ports/1/gids/1"
    try:
        with open(gids, encoding="ascii") as f:
            return any(c not in "0:\n" for c in f.read())
    except OSError:
        return False


def main():
    tests_dir, device, absent = sys.argv[1:4]
    absent = read_absent(absent)
    sys.path.insert(0, tests_dir)
    sys.argv[1:] = ["--dev", device]
    if has_address(device):
        # Entry 0, which they would take, is no address on iWARP.
        sys.argv += ["--port", "1", "--gid", "1"]
    # The names by which the tests import one another.
    tests = SourceFileLoader("tests", os.path.join(tests_dir, "__init__.py"))
    from args_parser import parser
    parser.parse_args()
    module = tests.load_module()
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = Lines()
    without(suite, absent, result).run(result)
    for name in absent:
        print("FAIL", name, "there is no such test")
    print("END", flush=True)


if __name__ == "__main__":
    main()
