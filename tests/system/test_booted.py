# SPDX-License-Identifier: MIT
# root: bookworm
#
# echod and the probe as units of a booted systemd: bookworm has 252. One machine for all cases; each writes its units and
# takes them away again. Another version is one word more in SUITES and in a "# root:" line above. Needs root.
import functools

from lib import cases, probelog
from lib.cases import case, check, equal, shared
from lib.echo import Talker
from lib.machine import Machine
from lib.process import until

SUITES = ('bookworm',)

ECHOD = '''
[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/local/bin/echod {address}
LimitCORE=0
{more}
'''
PROBE = '''
[Unit]
StartLimitIntervalSec=0
[Service]
Type=notify
ExecStart=/usr/local/bin/probe {args}
LimitCORE=0
{more}
'''
SOCKET = '''
[Socket]
ListenStream={listen}
FileDescriptorName=echo
{more}
'''


def opened(suite):
    m = Machine(suite)
    try:
        m.install()
    except BaseException:
        m.close()
        raise
    return m


MACHINES = {s: shared(functools.partial(opened, s)) for s in SUITES}


def booted(fn):
    """A case on each suite: fn(t, machine)."""
    for suite in SUITES:
        def run(t, get=MACHINES[suite]):
            m = get()
            t.tell(lambda: m.run('journalctl', '-q', '--no-pager', '-n', '40')[1])
            fn(t, m)
        case(run, name='%s on %s' % (fn.__name__, suite), limit=90)
    return fn


def unit(t, m, name, text):
    """Writes a unit that goes with the case."""
    t.stack.callback(m.clean, name)
    m.unit(name, text)


def start_echod(t, m, address, more=''):
    unit(t, m, 'echod.service', ECHOD.format(address=address, more=more))
    m.ok('systemctl', 'start', 'echod')


def start_probe(t, m, args, more=''):
    unit(t, m, 'probe.service', PROBE.format(args=args, more=more))
    m.ok('systemctl', 'start', 'probe')


def client(t, m, address, pid=None):
    k = Talker(t, m.connect(address), pid)
    k.ask()
    return k


def of(unit, text=''):
    """Entries by a unit, or by the manager about it, that say text."""
    return lambda e: unit in (e.get('_SYSTEMD_UNIT'), e.get('UNIT')) and text in str(e.get('MESSAGE'))


def ended_well(m, name, since):
    """systemd's own words for how the unit ended: its properties are forgotten with it."""
    ends = ('Deactivated successfully', 'Failed with result')
    e = m.journal.wait(lambda e: e.get('UNIT') == name and any(w in str(e.get('MESSAGE')) for w in ends), since)[0]
    check(ends[0] in e['MESSAGE'], '%s', e['MESSAGE'])


@booted
def a_unit_is_started_once_echod_takes_clients(t, m):
    start_echod(t, m, 'tcp:[::]:7007')
    client(t, m, 'tcp:127.0.0.1:7007')
    equal(m.show('echod', 'ActiveState', 'SubState'), {'ActiveState': 'active', 'SubState': 'running'}, 'the unit')


@booted
def systemctl_status_shows_what_it_says_of_itself(t, m):
    start_echod(t, m, 'unix:/run/echo')
    check('Status: "echoing on unix:/run/echo"' in m.ok('systemctl', 'status', 'echod'), 'it does not')


@booted
def a_failed_start_leaves_its_errno_and_words_in_the_unit(t, m):
    start_echod(t, m, 'unix:/run/echo')
    unit(t, m, 'second.service', ECHOD.format(address='unix:/run/echo', more=''))
    check(m.run('systemctl', 'start', 'second')[0] != 0, 'it was started')
    got = m.show('second', 'StatusErrno', 'StatusText', 'Result', 'ExecMainStatus')
    check(got.pop('StatusText'), 'no StatusText')
    equal(got, {'StatusErrno': '98', 'Result': 'exit-code', 'ExecMainStatus': '1'}, 'the unit')
    client(t, m, 'unix:/run/echo')


@booted
def a_stop_is_clean_when_nothing_is_in_flight(t, m):
    start_echod(t, m, 'unix:/run/echo')
    k = client(t, m, 'unix:/run/echo')
    mark = m.journal.mark()
    m.ok('systemctl', 'stop', 'echod')
    equal(k.sock.recv(1), b'', 'what the idle client reads')
    ended_well(m, 'echod.service', mark)


@booted
def a_stop_under_load_loses_no_byte_that_was_read(t, m):
    start_echod(t, m, 'tcp:[::]:7007')
    pid = m.pid('echod')
    talkers = [client(t, m, 'tcp:127.0.0.1:7007', pid) for _ in range(6)]
    for k in talkers:
        k.hold_peer(t)
        k.talk()
    for k in talkers:
        k.wait_got(200000)
    mark = m.journal.mark()
    m.ok('systemctl', 'stop', 'echod')
    for k in talkers:
        k.settle()
    ended_well(m, 'echod.service', mark)


@booted
def a_stop_waits_for_an_answer_in_flight(t, m):
    start_echod(t, m, 'unix:/run/echo')
    k = client(t, m, 'unix:/run/echo', m.pid('echod'))
    k.hold_peer(t)
    k.fill()
    mark = m.journal.mark()
    m.ok('systemctl', 'stop', '--no-block', 'echod')

    def refused():
        try:
            m.connect('unix:/run/echo').close()
        except (ConnectionRefusedError, FileNotFoundError):
            return True
        return False
    until(refused)                              # it has seen the stop
    equal(m.show('echod', 'SubState'), 'stop-sigterm', 'SubState')
    k.read_on()
    m.ok('systemctl', 'stop', 'echod')          # waits for the stop that is under way
    k.settle()
    ended_well(m, 'echod.service', mark)


def said_by(m, name, mark):
    """What the unit's processes have logged since a mark."""
    m.sync()
    return [str(e.get('MESSAGE')) for e in m.journal.select(lambda e: e.get('_SYSTEMD_UNIT') == name, mark)]


STEPS = ['was stopped', 'was canceled', 'was broken']


@booted
def a_stop_that_needs_its_grace_and_cleanup_is_not_cut_by_timeoutstopsec(t, m):
    # canceled after 1.5 s, shields broken at half of the cleanup: 2.5 s in all, where systemd would wait for one
    start_probe(t, m, 'shield 1500 2000', 'TimeoutStopSec=1s')
    mark = m.journal.mark()
    m.ok('systemctl', 'stop', 'probe')
    ended_well(m, 'probe.service', mark)
    equal([s for s in said_by(m, 'probe.service', mark) if s in STEPS], STEPS, 'the steps')


@booted
def who_ignores_everything_is_named_and_the_unit_fails_with_status_1(t, m):
    start_probe(t, m, 'stubborn 300 600', 'TimeoutStopSec=60s')
    mark = m.journal.mark()
    m.ok('systemctl', 'stop', 'probe')
    end, = m.journal.wait(lambda e: of('probe.service')(e) and e.get('EXIT_STATUS'), mark)
    equal((end.get('EXIT_CODE'), end.get('EXIT_STATUS')), ('exited', '1'), 'the end')
    text = m.show('probe', 'StatusText')
    check('work/mule' in text or 'work/owner' in text, 'StatusText=%s names neither', text)
    said = said_by(m, 'probe.service', mark)
    equal([s for s in said if s in STEPS], STEPS, 'the steps')
    for name in ('work/mule', 'work/owner'):
        check(any(name in s for s in said[said.index(STEPS[2]):]), 'after the break the log does not name %s', name)


@booted
def a_reload_by_execreload_runs_and_the_unit_stays_active(t, m):
    start_probe(t, m, 'reload', "ExecReload=sh -c 'kill -HUP $MAINPID'")
    for i in (1, 2):
        m.ok('systemctl', 'reload', 'probe')
        until(lambda: m.show('probe', 'ActiveState', 'StatusText') == {'ActiveState': 'active', 'StatusText': 'reloaded %d' % i})


@booted
def a_stalled_loop_is_killed_dumped_and_restarted(t, m):
    start_probe(t, m, 'watchdog', 'WatchdogSec=1s\nRestart=on-failure\nRestartSec=0')
    first = m.show('probe', 'MainPID')
    mark = m.journal.mark()
    m.ok('systemctl', 'kill', '-s', 'USR2', 'probe')
    m.journal.wait(of('probe.service', 'Watchdog timeout'), mark)
    m.journal.wait(of('probe.service', 'mill/spinner'), mark)
    m.journal.wait(of('probe.service', 'mill/bystander'), mark)
    m.journal.wait(of('probe.service', 'Started probe'), mark)
    got = m.show('probe', 'ActiveState', 'NRestarts', 'MainPID')
    check(got.pop('MainPID') != first, 'it is the same process')
    equal(got, {'ActiveState': 'active', 'NRestarts': '1'}, 'the unit')
    dump = m.journal.select(lambda e: e.get('_SYSTEMD_UNIT') == 'probe.service' and 'mill/spinner' in str(e.get('MESSAGE')), mark)
    equal(dump[0].get('_PID'), first, 'whose dump it is')


@booted
def a_loop_that_turns_is_left_alone_by_the_watchdog(t, m):
    start_echod(t, m, 'unix:/run/echo', 'WatchdogSec=500ms')
    # each time the manager hears from it, WatchdogTimestamp moves; four moves are more than one WatchdogSec
    seen = set()
    until(lambda: seen.add(m.show('echod', 'WatchdogTimestampMonotonic')) or len(seen) >= 5)
    equal(m.show('echod', 'ActiveState', 'NRestarts'), {'ActiveState': 'active', 'NRestarts': '0'}, 'the unit')
    client(t, m, 'unix:/run/echo')


@booted
def a_socket_unit_starts_it_with_the_first_client(t, m):
    unit(t, m, 'echod.service', ECHOD.format(address='fd:echo', more=''))
    unit(t, m, 'echod.socket', SOCKET.format(listen='/run/echo', more=''))
    m.ok('systemctl', 'start', 'echod.socket')
    equal(m.show('echod', 'ActiveState'), 'inactive', 'echod before a client')
    k = client(t, m, 'unix:/run/echo')
    equal(m.show('echod', 'ActiveState', 'StatusText'), {'ActiveState': 'active', 'StatusText': 'echoing on fd:echo'}, 'echod')
    m.ok('systemctl', 'stop', 'echod')
    equal(k.sock.recv(1), b'', 'what the idle client reads')
    client(t, m, 'unix:/run/echo')              # the socket still listens, and starts it again


def stored(t, m, again):
    """A listener and a live connection outlive what again() does to the service."""
    start_probe(t, m, 'fdstore tcp:127.0.0.1:7008', 'FileDescriptorStoreMax=8\nRestart=on-failure\nRestartSec=0')
    k = client(t, m, 'tcp:127.0.0.1:7008')
    until(lambda: m.show('probe', 'NFileDescriptorStore') == '2')
    first = m.show('probe', 'MainPID')
    again()
    until(lambda: m.show('probe', 'ActiveState') == 'active' and m.show('probe', 'MainPID') != first)
    equal(m.show('probe', 'StatusText'), 'kept: listener connection', 'StatusText')
    k.ask()
    client(t, m, 'tcp:127.0.0.1:7008')


@booted
def a_listener_and_a_live_connection_outlive_a_restart(t, m):
    stored(t, m, lambda: m.ok('systemctl', 'restart', 'probe'))


@booted
def a_listener_and_a_live_connection_outlive_a_crash(t, m):
    stored(t, m, lambda: m.ok('systemctl', 'kill', '-s', 'KILL', 'probe'))


@booted
def the_journal_has_every_field_and_whole_messages(t, m):
    mark = m.journal.mark()
    start_probe(t, m, 'log')
    m.ok('systemctl', 'stop', 'probe')          # it ends by itself; this waits for it
    m.sync()
    entries = m.journal.select(lambda e: e.get('_SYSTEMD_UNIT') == 'probe.service', mark)
    for claim in probelog.CLAIMS:
        claim(entries)


@booted
def a_dump_by_sigusr1_is_in_the_journal(t, m):
    start_echod(t, m, 'unix:/run/echo')
    ks = [client(t, m, 'unix:/run/echo') for _ in range(2)]
    mark = m.journal.mark()
    m.ok('systemctl', 'kill', '-s', 'USR1', 'echod')
    m.journal.wait(lambda e: e.get('_SYSTEMD_UNIT') == 'echod.service' and 'conns/echo#' in str(e.get('MESSAGE')), mark)
    for k in ks:
        k.ask()


cases.main()
