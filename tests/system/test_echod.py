# SPDX-License-Identifier: MIT
#
# The example daemon echod under a fake manager: ready, stop, load, signals, a terminal, the watchdog, socket activation.
# Nothing is booted; most cases need no root.
import os
import re
import signal
import socket
import struct

from lib import cases, echo
from lib.cases import ECHOD, Skip, case, check, equal
from lib.echo import Talker
from lib.process import Service, until

SEC = 1000000
GRACE, CLEANUP = 25 * SEC, 5 * SEC              # echod's own


def echod(t, address=None, **kw):
    """echod on a unix socket, and ready."""
    address = address or 'unix:%s/echo' % t.folder()
    s = Service(t, [ECHOD, address], **kw)
    s.address = address
    s.wait('READY', '1')
    return s


def listener(t, *options):
    """A TCP listener on a port that was free, to be handed over; and its address."""
    s = t.own(socket.socket(socket.AF_INET))
    for o in options:
        s.setsockopt(socket.SOL_SOCKET, *o)
    s.bind(('127.0.0.1', 0))
    s.listen()
    return s, 'tcp:127.0.0.1:%d' % s.getsockname()[1]


def echod_tcp(t):
    """echod on TCP, by a descriptor that was handed over."""
    s, address = listener(t)
    e = echod(t, 'fd:echo', listen=[('echo', s)])
    e.address = address
    s.close()
    return e


def client(t, s):
    k = Talker(t, echo.connect(s.address), s.pid)
    k.ask()
    return k


def hold(t, s):
    """A client in whose answer the server is stuck until the client reads: work in flight."""
    k = client(t, s)
    k.hold_peer(t)
    k.fill()
    return k


def taken(s, sig):
    """The signal that was sent has been taken, and the server rests again."""
    until(lambda: s.ended() or not s.pending(sig) and s.state() == 'S')


def stop(s, sig=signal.SIGTERM):
    s.signal(sig)
    return s.wait('STOPPING', '1')


def usec(field):
    return int(field.value)


# ---- ready

@case
def it_is_ready_once_a_client_can_connect_and_says_so_in_its_status(t):
    s = Service(t, [ECHOD, 'unix:%s/echo' % t.folder()])
    f = s.wait('READY', '1')
    echo.connect(s.argv[1]).close()
    equal(s.manager.message(f).get('STATUS'), 'echoing on ' + s.argv[1], 'STATUS')


@case
def without_an_address_it_listens_on_port_7007_of_both_families(t):
    if not os.environ.get('HOLT_PRIVATE'):
        raise Skip('no network of our own here: the port may be taken')
    s = Service(t, [ECHOD])
    s.wait('READY', '1')
    s.address = 'tcp:127.0.0.1:7007'
    client(t, s)
    s.address = 'tcp:[::1]:7007'
    client(t, s)


@case
def an_address_in_use_is_never_ready_and_told_with_its_errno(t):
    first = echod(t)
    s = Service(t, [ECHOD, first.address])
    equal(s.exit(), 1, 'status')
    check(not s.manager.find('READY'), 'it said READY=1')
    equal(s.wait('ERRNO').value, str(98), 'ERRNO')
    check(s.wait('STATUS').value, 'STATUS is empty')
    client(t, first)


@case
def it_runs_and_stops_without_a_manager(t):
    s = Service(t, [ECHOD, 'unix:%s/echo' % t.folder()], env={'NOTIFY_SOCKET': None})
    s.address = s.argv[1]

    def answers():
        try:
            client(t, s)
            return True
        except OSError:
            return s.ended()
    until(answers)
    s.signal(signal.SIGTERM)
    equal(s.exit(), 0, 'status')
    check(not s.manager.fields, 'it told somebody')


# ---- stop

@case
def sigterm_announces_the_stop_once_and_ends_with_status_0(t):
    s = echod(t)
    client(t, s)
    stop(s)
    equal(s.exit(), 0, 'status')
    equal(len(s.manager.all('STOPPING')), 1, 'how often STOPPING=1 came')


@case
def the_stop_asks_for_what_is_left_of_the_grace_and_a_second(t):
    s = echod(t)
    hold(t, s)
    stop(s)
    v = usec(s.wait('EXTEND_TIMEOUT_USEC'))
    check(GRACE < v <= GRACE + SEC, 'EXTEND_TIMEOUT_USEC=%d', v)


def stop_under_load(t, s):
    talkers = [client(t, s) for _ in range(8)]
    for k in talkers:
        k.hold_peer(t)
        k.talk()
    for k in talkers:
        k.wait_got(300000)
    s.signal(signal.SIGTERM)
    equal(s.exit(), 0, 'status')
    for k in talkers:
        k.settle()


@case
def under_load_on_unix_every_byte_that_was_read_is_echoed(t):
    stop_under_load(t, echod(t))


@case
def under_load_on_tcp_every_byte_that_was_read_is_echoed(t):
    stop_under_load(t, echod_tcp(t))


def stop_in_flight(t, s):
    held = [hold(t, s) for _ in range(3)]
    stop(s)
    taken(s, signal.SIGTERM)
    check(not s.ended(), 'it did not wait for what is in flight')
    for k in held:
        k.read_on()
    equal(s.exit(), 0, 'status')
    for k in held:
        k.settle()


@case
def a_stop_lets_an_answer_in_flight_finish_on_unix(t):
    stop_in_flight(t, echod(t))


@case
def a_stop_lets_an_answer_in_flight_finish_on_tcp(t):
    stop_in_flight(t, echod_tcp(t))


@case
def a_stop_closes_idle_connections_while_others_are_in_flight(t):
    s = echod(t)
    idle = [client(t, s) for _ in range(3)]
    busy = hold(t, s)
    stop(s)
    for k in idle:
        equal(k.sock.recv(1), b'', 'what an idle client reads')
    check(not s.ended(), 'it did not wait for what is in flight')
    busy.read_on()
    equal(s.exit(), 0, 'status')
    busy.settle()


@case
def a_stop_refuses_new_clients_while_others_are_in_flight(t):
    s = echod(t)
    busy = hold(t, s)
    stop(s)
    echo.refused(s.address)
    check(not s.ended(), 'it did not wait for what is in flight')
    busy.read_on()
    equal(s.exit(), 0, 'status')
    busy.settle()


@case
def a_second_sigterm_does_not_escalate(t):
    s = echod(t)
    busy = hold(t, s)
    stop(s)
    for _ in range(3):
        s.signal(signal.SIGTERM)
        taken(s, signal.SIGTERM)
    check(not s.ended(), 'it ended')
    busy.read_on()
    equal(s.exit(), 0, 'status')
    busy.settle()


@case
def sighup_without_a_reload_is_a_stop(t):
    s = echod(t)
    busy = hold(t, s)
    stop(s, signal.SIGHUP)
    busy.read_on()
    equal(s.exit(), 0, 'status')
    busy.settle()


# ---- other signals

@case
def sigusr1_dumps_the_tree_with_paths_and_changes_nothing(t):
    s = echod(t)
    idle, busy = client(t, s), hold(t, s)
    s.signal(signal.SIGUSR1)
    until(lambda: s.log.ended or len(set(re.findall(r'conns/echo#(\d+)', s.log.text()))) >= 2)
    idle.ask()
    check(not s.manager.find('STOPPING'), 'it stops')
    busy.read_on()
    stop(s)
    equal(s.exit(), 0, 'status')


@case
def sigquit_dumps_the_tree_and_dies_of_it(t):
    s = echod(t)
    client(t, s)
    s.signal(signal.SIGQUIT)
    s.killed_by(signal.SIGQUIT)
    check('conns/echo' in s.log.wait_end(), 'no dump')


@case
def a_client_that_vanishes_in_an_answer_hurts_no_other(t):
    s = echod_tcp(t)
    other, bad = client(t, s), client(t, s)
    bad.fill()
    bad.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    bad.sock.close()                            # a reset: the next write there would be a SIGPIPE
    other.ask()
    stop(s)
    equal(s.exit(), 0, 'status')


@case
def connections_that_ended_leave_no_descriptor(t):
    s = echod(t)
    client(t, s).sock.close()
    before = s.fds()
    for k in [client(t, s) for _ in range(50)]:
        k.sock.close()
    until(lambda: s.ended() or s.fds() <= before)
    check(not s.ended(), 'it ended')


# ---- a terminal

@case
def ctrl_c_dies_of_sigint_after_the_cleanup(t):
    s = echod(t, terminal=True)
    busy = hold(t, s)
    s.press(b'\x03')
    s.wait('STOPPING', '1')
    taken(s, signal.SIGINT)
    check(not s.ended(), 'it did not wait for what is in flight')
    busy.read_on()
    s.killed_by(signal.SIGINT)
    busy.settle()


@case
def a_second_ctrl_c_skips_the_grace(t):
    s = echod(t, terminal=True)
    hold(t, s)
    s.press(b'\x03')
    s.wait('STOPPING', '1')
    taken(s, signal.SIGINT)
    check(not s.ended(), 'it did not wait for what is in flight')
    mark = s.manager.mark()
    s.press(b'\x03')
    v = usec(s.wait('EXTEND_TIMEOUT_USEC', since=mark))
    check(0 < v <= CLEANUP + SEC, 'EXTEND_TIMEOUT_USEC=%d', v)
    s.killed_by(signal.SIGINT)                  # though nobody has read the answer


# ---- the watchdog

def timers(pid):
    """Seconds that the timerfds of a process still have to go; those that are set."""
    left = []
    for name in os.listdir('/proc/%d/fdinfo' % pid):
        with open('/proc/%d/fdinfo/%s' % (pid, name)) as f:
            left += [int(m[1]) for m in re.finditer(r'^it_value: \((\d+), (\d+)\)', f.read(), re.M) if m[1] + m[2] != '00']
    return left


@case
def the_watchdog_is_fed_as_long_as_the_loop_turns(t):
    s = echod(t, watchdog_usec=SEC // 5)
    mark = 0
    for _ in range(5):
        mark = s.manager.after(s.wait('WATCHDOG', '1', since=mark))
    client(t, s)
    s.wait('WATCHDOG', '1', since=mark)


@case
def the_watchdog_is_fed_at_half_of_its_time(t):
    s = echod(t, watchdog_usec=3600 * SEC)      # so long that no slow machine can blur what half of it is
    until(lambda: s.ended() or s.state() == 'S')
    left = timers(s.pid)
    check(any(1700 <= v <= 1800 for v in left), 'its timers have %s s to go', left)


@case
def the_watchdog_of_another_process_is_not_fed(t):
    s = echod(t, watchdog_usec=3600 * SEC, env={'WATCHDOG_PID': '1'})
    until(lambda: s.ended() or s.state() == 'S')
    equal([v for v in timers(s.pid) if v >= 100], [], 'its long timers')
    stop(s)
    equal(s.exit(), 0, 'status')
    check(not s.manager.find('WATCHDOG'), 'it sent WATCHDOG=1')


# ---- socket activation

@case
def a_socket_that_was_handed_over_is_found_by_its_name(t):
    (a, there), (b, other) = listener(t), listener(t)
    s = echod(t, 'fd:echo', listen=[('web', b), ('echo', a)])
    s.address = there
    client(t, s)
    a.close()
    stop(s)
    equal(s.exit(), 0, 'status')
    echo.refused(there)                         # its own descriptor was the last one


@case
def systemd_socket_activate_starts_it_with_the_first_client(t):
    cases.need('systemd-socket-activate')
    path = t.folder() + '/echo'
    s = Service(t, ['systemd-socket-activate', '-l', path, '--fdname=echo', '-E', 'NOTIFY_SOCKET', ECHOD, 'fd:echo'])
    s.log.wait('Listening on')
    s.address = 'unix:' + path
    k = Talker(t, echo.connect(s.address), s.pid)
    k.ask()
    s.wait('READY', '1')
    stop(s)
    equal(k.sock.recv(1), b'', 'what the idle client reads')
    equal(s.exit(), 0, 'status')


@case
def a_name_that_was_not_handed_over_is_an_error(t):
    a, _ = listener(t)
    s = Service(t, [ECHOD, 'fd:echo'], listen=[('web', a)])
    equal(s.exit(), 1, 'status')
    check(not s.manager.find('READY'), 'it said READY=1')


@case
def descriptors_for_another_process_are_not_taken(t):
    s = Service(t, [ECHOD, 'fd:echo'], env={'LISTEN_FDS': '1', 'LISTEN_FDNAMES': 'echo', 'LISTEN_PID': '1'})
    equal(s.exit(), 1, 'status')
    check(not s.manager.find('READY'), 'it said READY=1')


cases.main()
