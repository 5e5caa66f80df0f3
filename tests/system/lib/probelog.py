# SPDX-License-Identifier: MIT
#
# What `probe log` writes, and the claims about it that hold in any journal, a private journald's or a booted system's.
# Each function is one claim and takes all entries of the probe.
import os
import re

from . import cases
from .cases import check, equal

TASK = 'probe/logs/writer'
SOURCE = os.path.join(cases.HERE, 'probe.c')


def one(entries, message):
    found = [e for e in entries if e.get('MESSAGE') == message]
    equal(len(found), 1, 'entries that say "%s"' % message[:30])
    return found[0]


def priorities_are_kept(entries):
    for p in range(2, 8):
        equal(one(entries, 'priority %d' % p).get('PRIORITY'), str(p), 'PRIORITY')


def an_entry_says_where_it_was_written(entries):
    with open(SOURCE) as f:
        lines = [n for n, line in enumerate(f, 1) if '"with fields"' in line]
    e = one(entries, 'with fields')
    equal(os.path.basename(e.get('CODE_FILE', '')), 'probe.c', 'CODE_FILE')
    equal(e.get('CODE_LINE'), str(lines[0]), 'CODE_LINE')
    equal(e.get('CODE_FUNC'), 'writer', 'CODE_FUNC')


def an_entry_names_its_program_and_its_task(entries):
    e = one(entries, 'with fields')
    equal(e.get('SYSLOG_IDENTIFIER'), 'probe', 'SYSLOG_IDENTIFIER')
    equal(e.get('HOLT_TASK'), TASK, 'HOLT_TASK')
    check(re.fullmatch(r'[0-9]+', e.get('HOLT_TASK_ID', '')), 'HOLT_TASK_ID=%s', e.get('HOLT_TASK_ID'))
    equal({x.get('HOLT_TASK_ID') for x in entries if x.get('HOLT_TASK') == TASK}, {e['HOLT_TASK_ID']}, 'its ids')


def fields_of_ones_own_are_kept_with_several_lines_too(entries):
    e = one(entries, 'with fields')
    equal(e.get('PROBE_COLOR'), 'green', 'PROBE_COLOR')
    equal(e.get('PROBE_LINES'), 'one\ntwo\n', 'PROBE_LINES')


def the_reason_of_a_cancellation_is_in_holt_why(entries):
    equal(one(entries, 'with a reason').get('HOLT_WHY'), 'the probe wants a reason', 'HOLT_WHY')
    equal(one(entries, 'with fields').get('HOLT_WHY'), None, 'HOLT_WHY without one')


def a_message_of_several_lines_is_one_entry(entries):
    one(entries, 'first line\nsecond line\n\nfourth line')


def a_message_of_300_kilobytes_is_whole(entries):
    big = ''.join('\n' if i % 80 == 79 else chr(ord('a') + i % 26) for i in range(300 * 1024 - 1))
    found = [e for e in entries if len(e.get('MESSAGE') or '') > 100000]
    equal([len(e['MESSAGE']) for e in found], [len(big)], 'lengths of the big ones')
    check(found[0]['MESSAGE'] == big, 'it is not what was written')
    equal(found[0].get('HOLT_TASK'), TASK, 'HOLT_TASK of the big one')


def entries_keep_their_order_and_none_is_lost(entries):
    got = [int(m[1]) for m in (re.fullmatch(r'count (\d+)', e.get('MESSAGE') or '') for e in entries) if m]
    equal(got, list(range(300)), 'the counts')


CLAIMS = (priorities_are_kept, an_entry_says_where_it_was_written, an_entry_names_its_program_and_its_task,
          fields_of_ones_own_are_kept_with_several_lines_too, the_reason_of_a_cancellation_is_in_holt_why,
          a_message_of_several_lines_is_one_entry, a_message_of_300_kilobytes_is_whole, entries_keep_their_order_and_none_is_lost)
