# SPDX-License-Identifier: MIT
#
# The log in the journal: what `probe log` wrote by the native protocol to a real journald, in a mount namespace of its
# own, and read back by journalctl. Nothing is booted. Needs root.
import re
import signal

from lib import cases, probelog
from lib.cases import PROBE, case, check, equal, shared
from lib.journal import Journald
from lib.process import proc_state, until


class Written:
    """A journald, and the probe's entries in it once they are all there."""
    def __init__(self):
        self.journald = Journald()
        self.entries = None

    def close(self):
        self.journald.close()

    def get(self, t):
        t.tell(self.journald.follow.text)
        if self.entries is None:
            s = self.journald.start(t, [PROBE, 'log'])
            equal(s.exit(), 0, 'status')
            self.journald.sync()
            self.entries = self.journald.follow.select(lambda e: e.get('SYSLOG_IDENTIFIER') == 'probe')
        return self.entries


written = shared(Written)

for claim in probelog.CLAIMS:
    case(lambda t, claim=claim: claim(written().get(t)), name=claim.__name__)


@case
def what_still_waits_for_the_journal_at_an_orderly_end_is_sent(t):
    # a queue of ten datagrams, as a network namespace of our own begins with, is full long before the 300 are through
    equal([e['MESSAGE'] for e in written().get(t) if 'count' in e['MESSAGE']][-1:], ['count 299'], 'the last entry')


def came_and_lost(entries):
    """The numbers of a flood that came, and how many the program told as lost."""
    said = [str(e.get('MESSAGE')) for e in entries if e.get('SYSLOG_IDENTIFIER') == 'probe']
    numbers = [int(m[1]) for m in (re.fullmatch(r'flood (\d+)', s) for s in said) if m]
    return numbers, sum(int(m[1]) for m in (re.search(r'(\d+) .*\blost\b', s) for s in said) if m)


def flooded(t, j, s, n):
    """Waits until all n are accounted for. The numbers that came."""
    t.tell(lambda: '%d came, %d were lost' % (len(came_and_lost(j.follow.entries)[0]), came_and_lost(j.follow.entries)[1]))
    j.follow.wait_until(lambda entries: (lambda c, k: len(c) + k >= n)(*came_and_lost(entries[:])))
    numbers, lost = came_and_lost(j.follow.entries)
    equal(numbers, sorted(set(numbers)), 'the numbers, in order and each once')
    equal(len(numbers) + lost, n, 'entries that came or were told as lost')
    s.signal(signal.SIGTERM)
    equal(s.exit(), 0, 'status')
    return numbers


@case(limit=30)
def a_journald_that_does_not_read_never_blocks_the_loop_and_losses_are_told(t):
    j = t.own(Journald())
    n = 20000                                   # more than its socket and any bounded ring hold
    j.service.signal(signal.SIGSTOP)
    until(lambda: proc_state(j.pid) == 'T')
    s = j.start(t, [PROBE, 'flood', str(n)])
    s.wait('READY', '1')                        # the loop went on to this
    check(proc_state(j.pid) == 'T', 'journald has run meanwhile')
    j.service.signal(signal.SIGCONT)
    check(0 < len(flooded(t, j, s, n)) < n, 'nothing was lost, so nothing was shown')


@case(limit=30)
def a_flood_arrives_in_order_and_what_does_not_is_counted(t):
    j = t.own(Journald())
    s = j.start(t, [PROBE, 'flood', '3000'])
    flooded(t, j, s, 3000)


cases.main()
