# SPDX-License-Identifier: MIT
#
# What an echo server cannot show, under a fake manager: the subcommands of probe.c. Nothing is booted, nothing needs root.
import os
import re
import signal
import time

from lib import cases, echo
from lib.cases import PROBE, case, check, equal
from lib.echo import Talker
from lib.process import Service, until

SEC = 1000000


def probe(t, *args, **kw):
    """The probe, ready."""
    s = Service(t, [PROBE, *map(str, args)], **kw)
    s.wait('READY', '1')
    return s


# ---- reload

def reload(t, *args):
    s = probe(t, 'reload', *args)
    mark = s.manager.mark()
    for i in (1, 2):
        before = time.monotonic_ns() // 1000
        s.signal(signal.SIGHUP)
        begin = s.wait('RELOADING', '1', since=mark)
        when = int(s.manager.message(begin).get('MONOTONIC_USEC', '0'))
        end = s.wait('READY', '1', since=s.manager.after(begin))
        check(before <= when <= time.monotonic_ns() // 1000, 'MONOTONIC_USEC=%d does not lie in the reload', when)
        order = [f.key for f in s.manager.fields[mark:] if f.key in ('RELOADING', 'X_RELOADED', 'READY')]
        equal(order, ['RELOADING', 'X_RELOADED', 'READY'], 'the order')
        equal(s.manager.find('X_RELOADED', since=mark).value, str(i), 'reloads')
        mark = s.manager.after(end)
    s.signal(signal.SIGTERM)
    equal(s.exit(), 0, 'status')


@case
def a_reload_is_announced_with_its_time_and_closed_by_ready(t):
    reload(t)


@case
def a_reload_that_fails_is_closed_by_ready_too(t):
    reload(t, 'fail')


# ---- watchdog

@case
def a_loop_that_stalls_is_dumped_by_the_watchdogs_sigabrt(t):
    s = probe(t, 'watchdog', watchdog_usec=3600 * SEC)
    s.signal(signal.SIGUSR2)
    s.wait('X_SPINNING', '1')
    s.signal(signal.SIGABRT)                    # what systemd sends; no signalfd is read any more
    s.killed_by(signal.SIGABRT)
    log = s.log.wait_end()
    for name in ('mill/spinner', 'mill/bystander'):
        check(name in log, 'the dump does not name %s', name)


@case
def an_overdue_heartbeat_stops_the_watchdog_messages_and_is_named(t):
    period = 300
    s = probe(t, 'heartbeat', period, watchdog_usec=period * 1000)
    first, last = s.wait('X_PERIOD', '0'), s.wait('X_PERIOD', '3')
    between = s.manager.fields[s.manager.after(first):s.manager.fields.index(last)]
    check(not [f for f in between if f.key == 'WATCHDOG'], 'WATCHDOG=1 came in three periods without a heartbeat')
    check('ward/sluggish' in s.log.text(), 'the log does not name the task')
    relief = s.wait('X_IN_TIME', '1')
    s.wait('WATCHDOG', '1', since=s.manager.after(relief))
    s.signal(signal.SIGTERM)
    equal(s.exit(), 0, 'status')


# ---- fd store

def stored(s):
    """What the manager holds for a service: {name: fd}, after puts and removals."""
    held = {}
    for f in s.manager.fields:
        m = s.manager.message(f)
        if f.key == 'FDSTORE':
            held[m.get('FDNAME')] = f.fds[0]
        elif f.key == 'FDSTOREREMOVE':
            held.pop(m.get('FDNAME'), None)
    return held


def restart_with_store(t, how):
    address = 'unix:%s/echo' % t.folder()
    a = probe(t, 'fdstore', address)
    listener = a.wait('FDSTORE')
    equal(a.manager.message(listener).get('FDNAME'), 'listener', 'FDNAME')
    equal(a.manager.message(listener).get('FDPOLL'), '0', 'FDPOLL of a listener')
    k = Talker(t, echo.connect(address), a.pid)
    k.ask()
    conn = a.wait('FDSTORE', since=a.manager.after(listener))
    equal(a.manager.message(conn).get('FDNAME'), 'conn', 'FDNAME')
    a.signal(how)
    equal(a.exit(), 0 if how == signal.SIGTERM else -how, 'status')

    # the other order than it was put in: only names count
    b = probe(t, 'fdstore', address, listen=sorted(stored(a).items()))
    equal(b.wait('STATUS').value, 'kept: listener connection', 'STATUS')
    k.ask()
    Talker(t, echo.connect(address), b.pid).ask()
    k.sock.close()
    equal(b.manager.message(b.wait('FDSTOREREMOVE', '1')).get('FDNAME'), 'conn', 'FDNAME of what is dropped')
    b.signal(signal.SIGTERM)
    equal(b.exit(), 0, 'status')


@case
def the_store_keeps_a_listener_and_a_live_connection_over_a_stop(t):
    restart_with_store(t, signal.SIGTERM)


@case
def the_store_keeps_a_listener_and_a_live_connection_over_a_crash(t):
    restart_with_store(t, signal.SIGKILL)


# ---- stop, cancel, break, say who, exit

@case
def who_ignores_everything_is_named_in_log_and_status_and_the_exit_is_1(t):
    grace, cleanup = 400, 1000
    s = probe(t, 'stubborn', grace, cleanup)
    s.signal(signal.SIGTERM)
    equal(s.exit(), 1, 'status')
    status = s.manager.all('STATUS')[-1].value
    log = s.log.wait_end()
    check(re.search('work/(mule|owner)', status), 'STATUS=%s names neither', status)
    for name in ('work/mule', 'work/owner'):
        check(name in log, 'the log does not name %s', name)
    check(re.search(r'work/mule.*(lock|cond)', log), 'the log does not say what mule waits for')


@case
def a_cancel_spin_is_named_but_does_not_flood_the_log(t):
    s = probe(t, 'stubborn', 100, 500)
    s.signal(signal.SIGTERM)
    equal(s.exit(), 1, 'status')
    n = s.log.wait_end().count('cancel spin')
    check(0 < n < 50, '%d lines say so', n)


@case
def each_step_of_a_stop_asks_for_its_own_time_and_a_second_at_most(t):
    grace, cleanup = 400, 1000
    s = probe(t, 'stubborn', grace, cleanup)
    s.signal(signal.SIGTERM)
    equal(s.exit(), 1, 'status')
    asked = [int(f.value) for f in s.manager.all('EXTEND_TIMEOUT_USEC')]
    check(len(asked) >= 2, 'asked for %s only', asked)
    check(grace * 1000 < asked[0] <= grace * 1000 + SEC, 'the first asks for %d', asked[0])
    for v in asked[1:]:
        check(0 < v <= cleanup * 1000 + SEC, 'a step asks for %d', v)


@case
def a_third_ctrl_c_breaks_shields(t):
    hour = 3600 * 1000                          # so that no step comes by itself
    s = probe(t, 'shield', hour, hour, terminal=True)
    s.press(b'\x03')
    s.wait('STOPPING', '1')
    until(lambda: s.ended() or not s.pending(signal.SIGINT) and s.state() == 'S')
    check(not s.manager.find('X_CANCELED'), 'the first has canceled')
    s.press(b'\x03')
    s.wait('X_CANCELED', '-125')
    until(lambda: s.ended() or not s.pending(signal.SIGINT) and s.state() == 'S')
    check(not s.manager.find('X_BROKEN'), 'the second has broken a shield')
    s.press(b'\x03')
    s.wait('X_BROKEN', '-125')
    s.killed_by(signal.SIGINT)


@case
def after_the_grace_tasks_are_canceled_then_what_they_held_is_released_newest_first(t):
    s = probe(t, 'finally', 200)
    s.signal(signal.SIGTERM)
    equal(s.exit(), 0, 'status')
    steps = [(f.key, f.value.split()[0]) for f in s.manager.fields if f.key in ('STOPPING', 'X_CANCELED', 'X_RELEASED')]
    equal(steps, [('STOPPING', '1'), ('X_CANCELED', '-125'), ('X_RELEASED', 'second'), ('X_RELEASED', 'first')], 'the steps')
    equal([f.value.split()[2] for f in s.manager.all('X_RELEASED')], ['0', '0'], 'what waiting in a handler returned')


@case
def a_service_that_fails_is_told_with_status_and_errno(t):
    s = probe(t, 'fail')
    equal(s.exit(), 1, 'status')
    equal(s.wait('ERRNO').value, '28', 'ERRNO')
    check(s.manager.all('STATUS')[-1].value != 'about to fail', 'STATUS does not say so')
    check(re.search('^<3>|^<[0-4]>', s.log.wait_end(), re.M), 'no line of the log says so')


# ---- what the manager hands over

@case
def the_managers_variables_are_taken_from_the_environment(t):
    r, w = os.pipe()
    t.stack.callback(os.close, r)
    t.stack.callback(os.close, w)
    s = Service(t, [PROBE, 'env', 'a'], listen=[('a', r), ('b', w), ('a', r)], watchdog_usec=3600 * SEC,
                env={'WATCHDOG_PID': None})
    equal(s.exit(), 0, 'status')
    log = s.log.wait_end()
    equal(re.findall('^left (.*)$', log, re.M), [], 'variables that are left')
    check(re.search('^fds 2$', log, re.M), 'it was not handed two of that name')
    check(not re.search('^again 2$', log, re.M), 'they can be taken twice')


@case
def a_log_that_is_no_journal_has_a_priority_before_each_line(t):
    s = Service(t, [PROBE, 'log'])
    equal(s.exit(), 0, 'status')
    lines = s.log.wait_end().splitlines()
    for p in range(2, 8):
        check(any(re.match('<%d>.*priority %d$' % (p, p), line) for line in lines), 'priority %d is not there', p)
    bare = [line for line in lines if line and not re.match('<[0-7]>', line)]
    equal(bare[:3], [], 'lines without a priority')
    check(any('second line' in line for line in lines), 'the second line of a message is missing')


cases.main()
