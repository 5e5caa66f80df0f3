# SPDX-License-Identifier: MIT
# root: bookworm
#
# The harness itself, with stand-ins in shell and python instead of what it is for: a harness that cannot fail proves
# nothing. So some cases here are about failures: that they are seen, and that nothing stays behind.
import os
import signal
import socket
import subprocess
import sys

from lib import cases, echo, root
from lib.cases import Case, Failed, Skip, case, check, equal, run_case
from lib.journal import Journald
from lib.machine import Machine
from lib.process import Service, proc_state, until

PYTHON = [sys.executable, '-I', '-S', '-u', '-c']
NOTIFY = '''
import array, os, socket, sys
def notify(text, fds=()):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendmsg([text.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))] if fds else [], 0,
              os.environ['NOTIFY_SOCKET'])
'''
# echoes until SIGTERM; what it has read it answers; the bad one does not any more once a certain file exists
ECHO = NOTIFY + '''
import signal, threading, time
good = sys.argv[1] == 'good'
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
l = socket.socket(fileno=3)
def serve(c):
    while not stop.is_set():
        data = c.recv(4096)
        if not data:
            break
        if good or not os.path.exists(sys.argv[2]):
            c.sendall(data)
        else:
            notify('LOST=1')
            c.close()
            return
    c.close()
def accept():
    while True:
        c = l.accept()[0]
        threading.Thread(target=serve, args=[c], daemon=False).start()
threading.Thread(target=accept, daemon=True).start()
notify('READY=1\\nSTATUS=echoing')
stop.wait()
for t in threading.enumerate():
    if t is not threading.main_thread() and not t.daemon:
        t.join()
os._exit(0)
'''


# boots, and is in the middle of a command inside when it is interrupted
INNER = '''
import sys
sys.path.insert(0, %r)
from lib import cases
from lib.machine import Machine

@cases.case
def hangs(t):
    m = t.own(Machine("bookworm"))
    print("booted", m.leader, m.cgroup, flush=True)
    m.run("sh", "-c", "echo >/run/inside; sleep 1000")

cases.main()
'''


def verdict(fn, limit=20):
    """What run_case says of a case made of fn."""
    return run_case(Case(fn, limit))


@case
def a_message_is_split_into_fields_with_its_descriptors(t):
    s = Service(t, PYTHON + [NOTIFY + 'r, w = os.pipe(); notify("A=1\\nB=x=y", [w]); os.write(w, b"z"); notify("C=3", [r])'])
    a, b, c = s.wait('A'), s.wait('B'), s.wait('C', '3')
    equal((a.n, b.n, b.value, len(a.fds), c.pid), (c.n - 1, c.n - 1, 'x=y', 1, s.pid), 'the messages')
    equal(s.exit(), 0, 'status')
    equal(os.read(c.fds[0], 9), b'z', 'what the pipe held')


@case
def a_wait_fails_when_the_program_ended_without_the_message(t):
    s = Service(t, PYTHON + [NOTIFY + 'notify("A=1")'])
    s.wait('A')
    try:
        s.wait('B')
    except Failed as e:
        check('never sent B' in str(e), 'it says %s', e)
        return
    raise Failed('it passed')


@case
def a_barrier_is_answered_by_closing_it(t):
    s = Service(t, PYTHON + [NOTIFY + 'r, w = os.pipe(); notify("BARRIER=1", [w]); os.close(w); os.read(r, 1); notify("A=1")'])
    s.wait('A')


@case
def the_status_tells_a_signal_from_an_exit(t):
    Service(t, ['sh', '-c', 'kill -INT $$']).killed_by(signal.SIGINT)
    equal(Service(t, ['sh', '-c', 'exit 3']).exit(), 3, 'status')


@case
def ctrl_c_reaches_a_program_with_a_terminal(t):
    s = Service(t, ['sh', '-c', 'trap "echo got it; exit 4" INT; echo ready; while :; do read x; done'], terminal=True)
    s.log.wait('ready')
    s.press(b'\x03')
    s.log.wait('got it')
    equal(s.exit(), 4, 'status')


@case
def an_overrun_is_a_failure_and_ends_what_was_started(t):
    started = []

    def hangs(c):
        started.append(Service(c, ['sleep', '1000']))
        started[0].wait('READY')
    v, why, lines = verdict(hangs, 1)
    check(v == 'FAIL' and 'within 1 s' in why, '%s %s', v, why)
    check(any('notify: nothing' in line for line in lines), 'no evidence: %s', lines)
    check(not os.path.exists('/proc/%d' % started[0].pid), 'it still runs')


@case
def a_skip_gives_its_reason_and_a_failure_its_line(t):
    def skips(c):
        cases.need('no-such-program')

    def fails(c):
        equal(1, 2, 'one')
    equal(verdict(skips)[:2], ('SKIP', 'no no-such-program here'), 'a skip')
    v, why, _ = verdict(fails)
    check(v == 'FAIL' and why.startswith('one: 1, not 2 (test_harness.py:'), '%s %s', v, why)


@case
def cleaning_up_that_fails_fails_the_case(t):
    def litters(c):
        c.stack.callback(os.rmdir, '/no/such/folder')
    equal(verdict(litters)[0], 'FAIL', 'the verdict')


def run_echo(t, how, family):
    """A stand-in under load: (service, talkers)."""
    if family == socket.AF_UNIX:
        address = t.folder() + '/echo'
        listener = t.own(socket.socket(family))
        listener.bind(address)
        address = 'unix:' + address
    else:
        listener = t.own(socket.socket(family))
        listener.bind(('127.0.0.1', 0))
        address = 'tcp:127.0.0.1:%d' % listener.getsockname()[1]
    listener.listen()
    trap = t.folder() + '/trap'
    s = Service(t, PYTHON + [ECHO, how, trap], listen=[('echo', listener)])
    s.wait('READY', '1')
    talkers = [echo.Talker(t, echo.connect(address), s.pid) for _ in range(3)]
    for k in talkers:
        k.ask()
        k.hold_peer(t)
        k.talk()
    for k in talkers:
        k.wait_got(100000)
    if how == 'bad':
        with open(trap, 'w'):
            pass
        s.wait('LOST')
    s.signal(signal.SIGTERM)
    s.exit()
    return talkers


@case
def a_server_that_loses_nothing_is_believed(t):
    for family in (socket.AF_UNIX, socket.AF_INET):
        for k in run_echo(t, 'good', family):
            k.settle()


@case
def a_server_that_loses_a_byte_is_found_out(t):
    for family in (socket.AF_UNIX, socket.AF_INET):
        lost = 0
        for k in run_echo(t, 'bad', family):
            try:
                k.settle()
            except Failed:
                lost += 1
        check(lost, 'nothing was found')


@case
def a_full_connection_is_recognized(t):
    a, b = socket.socketpair()
    t.own(b)
    k = echo.Talker(t, a, os.getpid())
    k.pid = Service(t, ['sleep', '1000']).pid
    k.fill()
    check(k.sent > 10000, 'only %d bytes went', k.sent)


@case
def a_private_journald_gives_back_what_was_written(t):
    j = t.own(Journald())
    j.start(t, ['/bin/sh', '-c', 'echo one; echo "<3>two" >&2'])
    e, = j.follow.wait(lambda e: e.get('MESSAGE') == 'two')
    equal(e['PRIORITY'], '3', 'PRIORITY')


def source(release, uri, entry='', origin='Debian', codename=None):
    return {'Repo-URI': uri, 'Release': release, 'Codename': codename or release, 'Origin': origin, 'Sourcesentry': entry}


@case
def the_mirror_is_the_one_of_apt_that_has_the_suite(t):
    other = source('x', 'https://a/x', origin='X')
    sec = source('bookworm-security', 'https://b/debian-security', codename='bookworm')
    main, odd = source('bookworm', 'https://b/debian'), source('bookworm', 'mirror+file:/b')
    equal(root.mirror('bookworm', [other, odd, sec, main]), main, 'for its own suite')
    equal(root.mirror('trixie', [other, odd, sec, main]), main, 'for another one')
    try:
        root.mirror('trixie', [other, odd])
    except Skip:
        return
    raise Failed('it found one where there is none')


@case
def the_key_is_the_one_that_the_source_names(t):
    d = t.folder()
    for name, text, at in (('a.sources', 'Types: deb\nURIs: x\n\n# more\nTypes: deb\nSigned-By: %s\n', 2),
                           ('a.list', '# old\ndeb [arch=amd64 signed-by=%s] http://x y main\n', 2)):
        path = os.path.join(d, name)
        with open(path, 'w') as f:
            f.write(text % __file__)
        equal(root.signed_by(source('x', 'http://x', '%s:%d' % (path, at))), __file__, name)
    equal(root.signed_by(source('x', 'http://x', '%s/a.sources:1' % d)), None, 'a source that names none')


@case
def a_machine_boots_runs_commands_and_leaves_nothing(t):
    m = Machine('bookworm')
    try:
        equal(m.run('sh', '-c', 'cat; exit 7', text='hello\n'), (7, 'hello\n'), 'a command')
        m.write('/run/x/y', 'text\n')
        equal(m.ok('cat', '/run/x/y'), 'text\n', 'a file')
        m.unit('one.service', '[Service]\nType=notify\nExecStart=sh -c "systemd-notify --ready --status=up; exec sleep 1000"\n'
               'NotifyAccess=all\n')
        m.ok('systemctl', 'start', 'one')
        equal(m.show('one', 'ActiveState', 'StatusText'), {'ActiveState': 'active', 'StatusText': 'up'}, 'the unit')
        pid = m.pid('one')
        with open('/proc/%d/comm' % pid) as f:
            equal(f.read(), 'sleep\n', 'the main process')
        m.ok('systemctl', 'stop', 'one')
        m.journal.wait(lambda e: e.get('UNIT') == 'one.service' and 'Deactivated' in e.get('MESSAGE', ''))
        m.ok('logger', '-t', 'me', 'a line')
        m.journal.wait(lambda e: e.get('SYSLOG_IDENTIFIER') == 'me' and e['MESSAGE'] == 'a line')
        cgroup, folder = m.cgroup, m.folder
        equal(m.poweroff(), 0, 'the end of the container')
    finally:
        m.close()
    check(not os.path.exists(cgroup), 'the cgroup is still there')
    check(not os.path.ismount(folder), 'the overlay is still mounted')


@case
def an_interrupted_run_leaves_no_container_and_no_cgroup(t):
    if not os.environ.get('HOLT_PRIVATE'):
        raise Skip('no namespaces of our own here')
    inner = os.path.join(t.folder(), 'test_inner.py')
    with open(inner, 'w') as f:
        f.write(INNER % cases.HERE)
    p = subprocess.Popen([sys.executable, inner], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    t.stack.callback(p.wait)
    t.stack.callback(p.kill)
    first = p.stdout.readline()
    if first.startswith('SKIP'):
        raise Skip(first.split(': ', 1)[1].strip())
    check(first.startswith('booted '), 'the inner test: %s', first)
    _, leader, cgroup = first.split()
    until(lambda: os.path.exists('/proc/%s/root/run/inside' % leader))
    p.terminate()
    out = p.stdout.read()
    p.wait()
    check('FAIL interrupted: SIGTERM' in out, 'it says %s', out)
    check(not os.path.exists(cgroup), 'the cgroup is still there')
    equal(proc_state(leader), 'Z', 'the state of the container')


cases.main()
