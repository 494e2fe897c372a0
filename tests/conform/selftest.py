#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Test of the conformance peer itself: vectors, verdicts that pass and verdicts that fail."""

import hashlib
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.join(HERE, '../..')
sys.path[:0] = [HERE, os.path.join(TOP, 'tools')]
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from iwarp_conform import main, pcap, wire                          # noqa: E402
from iwarp_conform.cases import TEXT                                # noqa: E402
from iwarp_conform.dut import Env                                   # noqa: E402
from iwarp_conform.wire import (                                    # noqa: E402
    ALL_ONES, ATOMIC_REQ, ATOMIC_RESP, CMP_SWAP, FETCH_ADD, IMM, IMM_SE, READ_REQ, READ_RESP,
    SEND, SEND_INV, SEND_SE, SEND_SE_INV, TERMINATE, WRITE, Enhanced, Startup,
    atomic_request, atomic_response, fpdu, read_request, tagged, terminate, untagged)
import fakedut                                                      # noqa: E402

REP = wire.REPLY_KEY
C, M, R, S = wire.C, wire.M, wire.R, wire.S
IMM_DATA = bytes.fromhex('0123456789abcdef')
F08 = untagged(READ_REQ, 1, read_request(0x1111, 0x2000, 16, 0x2222, 0x3000))
ONES, TWOS = 0x1111111111111111, 0x2222222222222222


def enhanced(key, flags, *args, ulp=b''):
    """A Rev 2 startup frame with the enhanced header."""
    return Startup(key, flags | S, 2, Enhanced(*args).encode() + ulp)


REQ = wire.REQUEST_KEY
STARTUPS = {
    'S01': Startup(), 'S02': Startup(REP), 'S03': Startup(REP, C | R, 1, b'no'),
    'S04': enhanced(REQ, C, 1, 0, 1, 1, 16, 16, ulp=b'abc'),
    'S05': enhanced(REP, C, 1, 0, 1, 0, 16, 16), 'S06': enhanced(REP, C, 1, 0, 0, 1, 16, 8),
    'S07': enhanced(REQ, C, 0, 0, 0, 0, 4, 8), 'S08': enhanced(REP, C, 0, 0, 0, 0, 8, 4),
    'S09': enhanced(REQ, M | C, 1, 1, 1, 1, 1, 1),
    'S10': enhanced(REP, C | R, 1, 0, 0, 1, 0, 32),
    'S11': enhanced(REQ, C, 0, 0, 0, 0, 0x3fff, 0x3fff),
    'S12': Startup(REQ, M | C), 'S13': Startup(REP, M | C)}

SEGMENTS = {
    'F01': untagged(SEND, 1, b'ping'), 'F02': untagged(SEND, 1),
    'F03': untagged(SEND_SE, 2, b'hello'),
    'F04': untagged(SEND_INV, 3, b'bye!', inv=0x123456),
    'F05': untagged(SEND_SE_INV, 4, inv=0x0abcde01),
    'F06': tagged(WRITE, 0xabcd01, 0x12345678, bytes(range(8))), 'F07': tagged(WRITE, 1, 0),
    'F08': F08, 'F09': untagged(READ_REQ, 1, read_request(1, 0, 0, 1, 0)),
    'F10': tagged(READ_RESP, 0x1111, 0x2000, bytes(range(16, 32))),
    'F11': tagged(READ_RESP, 1, 0), 'F12': untagged(TERMINATE, 1, terminate((2, 0, 2))),
    'F13': untagged(TERMINATE, 1, terminate((1, 1, 0), tagged(WRITE, 0xdeadbe00, 0x1000,
                                                              bytes(4)))),
    'F14': untagged(TERMINATE, 1, terminate((1, 2, 5), untagged(SEND, 1, bytes(64)))),
    'F15': untagged(TERMINATE, 1, terminate((0, 1, 0), F08, F08[18:])),
    'F16': untagged(TERMINATE, 1, terminate((2, 0, 7))),
    'F17': untagged(TERMINATE, 1, terminate((2, 0, 6))),
    'F18': untagged(TERMINATE, 1, terminate((0, 2, 6), untagged(14, 1, bytes(4)))),
    'F19': untagged(IMM, 5, IMM_DATA), 'F20': untagged(IMM_SE, 6, IMM_DATA),
    'F21': untagged(ATOMIC_REQ, 2, atomic_request(FETCH_ADD, 0x11223344, 0x3300, 0x4000, 1, 0)),
    'F22': untagged(ATOMIC_REQ, 3, atomic_request(CMP_SWAP, 0x11223345, 0x3300, 0x4008, TWOS,
                                                  ALL_ONES, ONES)),
    'F23': untagged(ATOMIC_RESP, 1, atomic_response(0x11223344, 41)),
    'F24': untagged(SEND, 7, b'ABCDEFGHIJKL', last=False),
    'F25': untagged(SEND, 7, b'MNO', mo=12),
    'F26': tagged(WRITE, 0xabcd01, 0x100, bytes(range(8)), last=False),
    'F27': tagged(WRITE, 0xabcd01, 0x108, b'\x08\x09\x0a')}

LONG = bytes(i & 255 for i in range(1200))
MARKED = {
    'M01': (0, untagged(SEND, 1, b'ping')), 'M02': (0x1ec, untagged(SEND, 2, b'ping')),
    'M03': (0x1e8, untagged(SEND, 2, b'ping')), 'M04a': (0x1e4, untagged(SEND, 2, b'ping')),
    'M04b': (0x200, untagged(SEND, 3, b'pong')), 'M05': (0, untagged(SEND, 1, LONG)),
    'M06': (0x20, tagged(WRITE, 0xabcd01, 0, LONG))}
HASHES = {
    'M05': '296a6983d217471a09f44d89cb72fe78228d2aef508e3b316adddc112aa7935d',
    'M06': '968919e340b1c02c6a6dfdca4970d9095620a3472fa26c91be41917a643c7111'}
CRCS = ((b'123456789', '839206e3'), (bytes(32), 'aa36918a'), (b'\xff' * 32, '43aba862'),
        (bytes(range(32)), '4e79dd46'), (bytes(range(31, -1, -1)), '5cdb3f11'))


def load_vectors():
    """id -> octets, from vectors.txt."""
    vectors, name = {}, None
    with open(os.path.join(HERE, 'vectors.txt'), encoding='utf-8') as lines:
        for line in lines:
            if line.startswith('  '):
                vectors[name] = bytes.fromhex(line)
            elif not line.startswith('#'):
                name = line.split()[0]
    return vectors


def test_crc():
    """Examples of the iSCSI digest, short path and long path alike."""
    for data, want in CRCS:
        assert wire.crc32c(data).to_bytes(4, 'little').hex() == want, want
    data = wire.pattern(5003)
    whole = wire.crc32c(data)
    crc = 0
    for i in range(0, len(data), 100):
        crc = wire.crc32c(data[i:i + 100], crc)
    assert crc == whole


def test_startup_vectors():
    """S01 to S13, both ways."""
    vectors = load_vectors()
    assert len(STARTUPS) == len([v for v in vectors if v[0] == 'S'])
    for name, frame in STARTUPS.items():
        assert frame.encode() == vectors[name], name
        got, used = wire.parse_startup(vectors[name])
        assert (got, used) == (frame, len(vectors[name])), name
        assert wire.parse_startup(vectors[name][:-1]) is None, name


def test_fpdu_vectors():
    """F01 to F27, both ways."""
    vectors = load_vectors()
    assert len(SEGMENTS) == len([v for v in vectors if v[0] == 'F'])
    for name, ulpdu in SEGMENTS.items():
        assert fpdu(ulpdu) == vectors[name], name
        got, used = wire.parse_fpdu(vectors[name])
        assert used == len(vectors[name]) and got.crc_ok and got.ulpdu == ulpdu, name
        assert wire.parse_fpdu(vectors[name][:-1]) is None, name
        damaged = bytearray(vectors[name])
        damaged[-1] ^= 1
        assert not wire.parse_fpdu(damaged)[0].crc_ok, name
        assert wire.crc32c(vectors[name]) == 0x48674bc7, name


def test_marker_vectors():
    """M01 to M06, both ways."""
    vectors = load_vectors()
    for name, (pos, ulpdu) in MARKED.items():
        data = fpdu(ulpdu, pos)
        if name in HASHES:
            assert hashlib.sha256(data).hexdigest() == HASHES[name], name
        else:
            assert data == vectors[name], name
        got, used = wire.parse_fpdu(data, pos)
        assert used == len(data) and got.crc_ok and got.ulpdu == ulpdu, name
        assert wire.parse_fpdu(data[:-1], pos) is None, name


def test_catalogue():
    """144 cases, and every requirement a case names exists."""
    cases = main.ALL
    assert sorted(cases) == ['TC-%03d' % n for n in range(1, len(cases) + 1)]
    assert len(cases) >= len(TEXT) == 144
    for case in cases.values():
        assert all(r in main.report.REQUIREMENTS for r in case.reqs), case.name


# --- verdicts, against a small endpoint ---

# every one of these passes against an endpoint without faults
GOOD = (3, 5, 6, 9, 10, 11, 13, 14, 18, 31, 32, 34, 40, 43, 53, 54, 56, 57, 58, 64, 72, 73, 74,
        75, 76, 77, 78, 79, 82, 83, 84, 87, 88, 90, 91, 94, 95, 97, 98, 99, 100, 101, 103, 120, 145, 146,
        147, 149, 153)
CALLED = (22, 24, 46, 47)

# a rule broken by the endpoint -> the case that has to notice
FAULTS = {
    'any-key': 9, 'any-length': 5, 'reserved-reply': 14, 'a-not-mirrored': 32,
    'ord-too-big': 31, 'sends-early': 3, 'crc-unchecked': 57, 'places-first': 56,
    'bad-crc': 79, 'bad-pad': 98, 'no-markers': 64, 'bad-markers': 64, 'any-version': 72,
    'any-msn': 75, 'no-bounds': 84, 'no-rights': 87, 'no-terminate': 74, 'wrong-triple': 74,
    'no-quote': 74, 'second-msn': 76, 'chatty': 77, 'no-fin': 95, 'dirty-header': 82,
    'stale-read': 98, 'sink-changed': 99}
CALLER_FAULTS = {'reserved-reply': 22, 'any-key': 24, 'always-write': 46}


def free_port():
    """A port nobody listens on."""
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


def verdicts(numbers, faults, slack=1.0):
    """Results of cases against a responder with these faults."""
    server = fakedut.Server(faults)
    server.start()
    env = Env(('127.0.0.1', server.port), slack=slack)
    results = [main.run_case(main.ALL['TC-%03d' % n], env) for n in numbers]
    server.sock.close()
    return results


def called_verdicts(numbers, faults, slack=1.0):
    """Results of initiator cases against a caller with these faults."""
    port = free_port()
    caller = fakedut.Caller(port, faults)
    caller.start()
    env = Env((None, 0), ('127.0.0.1', port), slack=slack, patience=5)
    results = [main.run_case(main.ALL['TC-%03d' % n], env) for n in numbers]
    caller.over = True
    return results


def failed(results):
    """Cases that did not pass, in words."""
    return ['%s %s: %s' % (r.case.name, r.verdict, r.reason) for r in results
            if r.verdict != 'PASS']


def test_good_endpoint():
    """No fault, no failure."""
    assert not failed(verdicts(GOOD, ())), failed(verdicts(GOOD, ()))


def test_good_initiator():
    """The same for the other role."""
    bad = failed(called_verdicts(CALLED, ()))
    assert not bad, bad


def test_faults_are_found():
    """Every broken rule turns its case red, and red for the rule's sake."""
    missed = []

    def one(fault, number, run):
        # short limits: here a wait that runs out is the expected end
        result = run((number,), (fault,), 0.1)[0]
        if result.verdict != 'FAIL' or result.reason.startswith('PEER'):
            missed.append('%s: TC-%03d %s %s' % (fault, number, result.verdict, result.reason))

    threads = [threading.Thread(target=one, args=(f, n, run))
               for table, run in ((FAULTS, verdicts), (CALLER_FAULTS, called_verdicts))
               for f, n in table.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not missed, missed


def test_skip_without_agent():
    """What a wire peer cannot see alone is skipped, not passed."""
    results = verdicts((109, 137, 143), ())
    assert [r.verdict for r in results] == ['SKIP'] * 3, failed(results)


def test_output():
    """KTAP, report, log and capture of a failing run; exit status."""
    server = fakedut.Server(('no-bounds',))
    server.start()
    out = io.StringIO()
    with tempfile.TemporaryDirectory() as tmp:
        args = ['--target', '127.0.0.1:%d' % server.port, '--case', '84,90,143', '--slack', '0.2',
                '--report', tmp + '/report.rst', '--json', tmp + '/report.json', '--log', tmp]
        assert main.main(args, out) == 1
        text = out.getvalue()
        assert 'not ok' in text and '# SKIP' in text and '1..3' in text, text
        with open(tmp + '/report.rst', encoding='utf-8') as f:
            report = f.read()
        assert 'DDP-23 (RFC 5041' in report and '1 failed' in report, report
        assert os.path.exists(tmp + '/TC-090.log') and not os.path.exists(tmp + '/TC-090.pcap')
        check_capture(tmp + '/TC-084.pcap')
    assert main.main(['--target', '127.0.0.1:%d' % server.port, '--case', '90'], out) == 0
    server.sock.close()


def check_capture(path):
    """The capture has frames; where tshark is installed it finds no fault in them."""
    with open(path, 'rb') as f:
        head = f.read(4)
    assert int.from_bytes(head, 'big') == pcap.MAGIC and os.path.getsize(path) > 500
    if not shutil.which('tshark'):
        return
    done = subprocess.run(['tshark', '-r', path, '-o', 'tcp.check_checksum:TRUE', '-o',
                           'ip.check_checksum:TRUE', '-Y',
                           'tcp.checksum.status == 0 or ip.checksum.status == 0 or '
                           'tcp.analysis.lost_segment'],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr
    done = subprocess.run(['tshark', '-r', path, '-Y', 'iwarp_mpa'], capture_output=True,
                          text=True, check=False)
    assert done.stdout, 'no MPA in the capture'


def run():
    """All tests, KTAP."""
    tests = [(n, f) for n, f in globals().items() if n.startswith('test_')]
    print('KTAP version 1\n1..%d' % len(tests))
    bad = 0
    for i, (name, test) in enumerate(tests, 1):
        try:
            test()
            print('ok %d conform_%s' % (i, name[5:]), flush=True)
        except AssertionError as err:
            bad += 1
            print('# %s' % err)
            print('not ok %d conform_%s' % (i, name[5:]), flush=True)
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(run())
