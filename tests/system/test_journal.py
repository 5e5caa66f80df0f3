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
        if not self.entries:
            s = self.journald.start(t, [PROBE, 'log'])
            self.journald.follow.wait(probelog.last)
            equal(s.exit(), 0, 'status')
            self.entries = self.journald.follow.select(lambda e: e.get('SYSLOG_IDENTIFIER') == 'probe')
        return self.entries


written = shared(Written)

for claim in probelog.CLAIMS:
    case(lambda t, claim=claim: claim(written().get(t)), name=claim.__name__)


def flood_entries(j, s):
    j.follow.wait(lambda e: e.get('MESSAGE') == 'the end')
    mine = j.follow.select(lambda e: e.get('_PID') == str(s.pid) and e.get('SYSLOG_IDENTIFIER') == 'probe')
    numbers = [int(m[1]) for m in (re.fullmatch(r'flood (\d+)', e.get('MESSAGE') or '') for e in mine) if m]
    return mine, numbers


@case
def a_journald_that_does_not_read_never_blocks_the_loop_and_losses_are_told(t):
    j = t.own(Journald())
    n = 30000                                   # more than its socket and any bounded ring hold
    j.service.signal(signal.SIGSTOP)
    until(lambda: proc_state(j.pid) == 'T')
    s = j.start(t, [PROBE, 'flood', str(n)])
    s.wait('READY', '1')                        # the loop went on to this
    check(proc_state(j.pid) == 'T', 'journald has run meanwhile')
    j.service.signal(signal.SIGCONT)
    s.signal(signal.SIGHUP)                     # the probe's last words: "the end"
    mine, numbers = flood_entries(j, s)
    equal(s.exit(), 0, 'status')
    equal(numbers, sorted(set(numbers)), 'the numbers, in order and each once')
    check(0 < len(numbers) < n, '%d of %d entries came', len(numbers), n)
    told = [int(m) for e in mine for m in re.findall(r'\b(\d+)\b', e.get('MESSAGE') or '') if 'lost' in (e.get('MESSAGE') or '')]
    equal(sum(told), n - len(numbers), 'entries told as lost')


@case
def a_flood_that_is_read_arrives_in_order_or_is_counted(t):
    j = t.own(Journald())
    n = 5000
    s = j.start(t, [PROBE, 'flood', str(n)])
    s.wait('READY', '1')
    s.signal(signal.SIGHUP)
    mine, numbers = flood_entries(j, s)
    equal(s.exit(), 0, 'status')
    equal(numbers, sorted(set(numbers)), 'the numbers, in order and each once')
    told = [int(m) for e in mine for m in re.findall(r'\b(\d+)\b', e.get('MESSAGE') or '') if 'lost' in (e.get('MESSAGE') or '')]
    equal(len(numbers) + sum(told), n, 'entries that came or were told as lost')


cases.main()
