# SPDX-License-Identifier: MIT
#
# holtd with real parts: redis, nginx, shells that do what they should not. The promises are holtd(8)'s, in its order. Nothing is
# booted; a fake manager hears what systemd would. What a process is, is looked up in /proc, not asked of holtd.
import glob
import os
import signal
import socket
import subprocess
import tempfile
import urllib.request

from lib import cases
from lib.cases import case, check, equal, found, need, need_root
from lib.holtd import HOLTD, Holtd, all_pids, dead, environ_of, free_port, parent_of, recover, until

TERM, INT, KILL, HUP = signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGHUP


def shop(t, extra='', web='', tree=''):
    """redis under Type=notify and nginx, which requires it."""
    need('redis-server', 'nginx')
    folder = t.folder()
    port, http = free_port(), free_port()
    with open(folder + '/nginx.conf', 'w') as f:
        f.write('''daemon off; pid %s/nginx.pid; error_log stderr; worker_processes 1;
events {} http { access_log off; client_body_temp_path %s; proxy_temp_path %s; fastcgi_temp_path %s; uwsgi_temp_path %s;
scgi_temp_path %s; server { listen 127.0.0.1:%d; location / { return 200 "hello\\n"; } } }
''' % ((folder,) * 6 + (http,)))
    d = Holtd(t, '''[tree]
Finally=/bin/sh -c 'echo first $HOLT_RESULT >>@F@/finally'
Finally=/bin/sh -c 'echo second >>@F@/finally'
%s
[process redis]
Type=notify
ExecStart=%s --supervised systemd --port %d --bind 127.0.0.1 --save "" --appendonly no --dir @F@
RestartSec=10ms..1s
[process web]
Requires=redis
ExecStart=%s -c @F@/nginx.conf
%s
%s''' % (tree, found('redis-server'), port, found('nginx'), web, extra), folder=folder)
    d.port, d.http = port, http
    return d


def ping(port):
    try:
        with socket.create_connection(('127.0.0.1', port)) as s:
            s.sendall(b'PING\r\n')
            return s.recv(64) == b'+PONG\r\n'
    except OSError:
        return False


def get(port):
    try:
        return urllib.request.urlopen('http://127.0.0.1:%d/' % port).read() == b'hello\n'
    except OSError:
        return False


def finally_ran(d):
    with open(d.path('finally')) as f:
        return f.read().split('\n')[:-1]


# ---- the shop

@case
def redis_and_nginx_are_ready_together_and_stop_in_reverse(t):
    d = shop(t).ready()
    check(ping(d.port), 'READY=1, and redis does not answer')
    until(lambda: get(d.http))                      # Type=exec: it has been executed, and listens in a moment
    equal(d.states()[:2], [('redis', 'ready'), ('web', 'ready')], 'the start')
    d.signal(TERM)
    d.ends(0)
    equal([s for s in d.states() if s[1] == 'stopped'][:2], [('web', 'stopped'), ('redis', 'stopped')], 'the stop')
    equal(finally_ran(d), ['second', 'first stopped'], 'finally')
    check(d.manager.find('STOPPING', '1'), 'STOPPING=1 was not sent')


@case
def a_killed_redis_comes_back_and_nothing_else_is_touched(t):
    d = shop(t).ready()
    redis, web = d.pid_of('redis'), d.pid_of('web')
    os.kill(redis, KILL)
    d.logged(r'redis: killed by SIGKILL')
    until(lambda: ping(d.port))
    check(d.pid_of('redis') != redis, 'the same redis')
    equal(d.pid_of('web'), web, 'the pid of nginx')
    d.signal(TERM)
    d.ends(0)


@case
def nginx_is_not_started_before_redis_is_ready(t):
    d = Holtd(t, '''[process slow]
Type=notify
ExecStart=/bin/sleep infinity
[process next]
Requires=slow
ExecStart=/bin/sleep infinity
''')
    until(lambda: 'slow' in d.nodes())
    check('next' not in d.nodes(), 'it was started')
    check(not d.manager.find('READY'), 'READY=1 too early')
    check('starts after slow' in d.ctl('why', 'next'), 'why does not say so')
    d.signal(TERM)                                  # in the middle of the start
    d.ends(0)


@case
def the_shop_stops_although_one_ignores_sigterm(t):
    d = shop(t, '''[process stubborn]
TimeoutStopSec=200ms
ExecStart=/bin/sh -c 'trap "" TERM; echo here; while :; do sleep 1; done'
''').ready()
    d.logged(r'^stubborn *\| here')
    d.signal(TERM)
    d.ends(0)
    equal(len(finally_ran(d)), 2, 'finally commands')


@case
def a_grandchild_that_called_setsid_does_not_survive(t):
    d = shop(t, '''[process parent]
ExecStart=/bin/sh -c 'setsid sh -c "trap : TERM; echo away; while :; do sleep 1; done" & exec sleep infinity'
''').ready()
    d.logged(r'^parent *\| away')
    check(len(d.nodes()['parent']) >= 2, 'there is no grandchild')
    d.signal(TERM)
    d.ends(0)


@case
def a_grandchild_is_gone_before_its_node_is_restarted(t):
    d = Holtd(t, '''[process p]
RestartSec=0
ExecStart=/bin/sh -c 'setsid sleep 4242 & echo up; exec sleep infinity'
''').ready()
    d.logged('up')
    until(lambda: any('4242' in c for _, c in d.alive().get('p', [])))
    old = [p for p, c in d.alive()['p'] if '4242' in c]
    first = d.pid_of('p')
    os.kill(first, KILL)
    until(lambda: d.lines('p').count('up') == 2)    # the new one
    check(all(dead(p) for p in old), 'the old grandchild lives beside the new process')
    d.signal(TERM)
    d.ends(0)


@case
def a_finally_that_fails_and_one_that_hangs_do_not_keep_the_others_from_running(t):
    d = shop(t, tree='''Finally=/bin/false
Finally=/bin/sleep infinity
Finally=/nonexistent/cleanup
FinallyTimeoutSec=300ms''').ready()
    d.signal(TERM)
    d.ends(0)
    equal(finally_ran(d), ['second', 'first stopped'], 'finally')
    text = d.log.text()
    for words in ('Finally=/bin/false', 'took longer than FinallyTimeoutSec=', '/nonexistent/cleanup'):
        check(words in text, 'the log does not tell of %s', words)


@case
def what_cannot_be_executed_is_named_with_node_file_line_and_reason(t):
    d = shop(t, '''[process missing]
ExecStart=/nonexistent/program --flag
''')
    d.ends(1)
    line = [x for x in d.log.text().split('\n') if '/nonexistent/program' in x][0]
    for words in ('missing', os.path.basename(d.file) + ':', 'No such file or directory'):
        check(words in line, '%r is not in %r', words, line)
    with open(d.file) as f:
        at = [i for i, x in enumerate(f, 1) if '/nonexistent/program' in x][0]
    check(':%d' % at in line, 'the line is not %d: %r', at, line)
    check(not d.manager.find('READY'), 'READY=1 was sent')
    equal(finally_ran(d), ['second', 'first failed'], 'finally')


@case
def sigterm_in_the_middle_of_the_start_stops_what_was_started(t):
    d = shop(t, '''[process late]
After=web
Type=notify
ExecStart=/bin/sleep infinity
[process never]
ExecStart=/bin/echo never
''')
    until(lambda: 'late' in d.nodes())
    d.signal(TERM)
    d.ends(0)
    check(not d.lines('never'), 'it was started')
    equal(finally_ran(d), ['second', 'first stopped'], 'finally')


@case
def a_second_sigterm_changes_nothing(t):
    d = shop(t, '''[process slow]
ExecStart=/bin/sh -c 'trap "sleep 1; echo done; exit 0" TERM; echo here; while :; do sleep 0.1; done'
''').ready()
    d.logged(r'^slow *\| here')
    d.signal(TERM)
    d.wait('STOPPING', '1')
    d.signal(TERM)
    d.ends(0)
    equal(d.lines('slow')[-1], 'done', 'the last words of the slow one')


@case
def a_first_sigint_is_an_orderly_stop_and_holtd_dies_of_it(t):
    d = shop(t).ready()
    d.signal(INT)
    d.ends(-INT)
    equal([s for s in d.states() if s[1] == 'stopped'][:2], [('web', 'stopped'), ('redis', 'stopped')], 'the stop')
    equal(len(finally_ran(d)), 2, 'finally commands')


SLOW = '''[tree]
Finally=/bin/sh -c 'echo ran >>@F@/finally'
[process a]
ExecStart=/bin/sh -c 'trap "echo a was asked" TERM; echo a here; while :; do sleep 0.1; done'
TimeoutStopSec=60s
[process b]
ExecStart=/bin/sh -c 'trap "echo b was asked" TERM; echo b here; while :; do sleep 0.1; done'
TimeoutStopSec=60s
'''


def slow(t):
    d = Holtd(t, SLOW).ready()
    d.logged('a here')
    d.logged('b here')
    d.signal(INT)
    d.logged('b was asked')
    check('a was asked' not in d.log.text(), 'a was asked before b was down')
    return d


@case
def a_second_sigint_asks_all_at_once_and_gives_them_a_short_time(t):
    d = slow(t)
    d.signal(INT)
    d.logged('a was asked')
    d.ends(-INT)
    equal(finally_ran(d), ['ran'], 'finally')


@case
def a_third_sigint_kills_and_finally_still_runs(t):
    d = slow(t)
    d.signal(INT)
    d.logged('a was asked')
    d.signal(INT)
    d.ends(-INT)
    equal(finally_ran(d), ['ran'], 'finally')


@case
def when_holtd_is_killed_no_child_lives_on_and_what_finally_owes_runs_once(t):
    d = shop(t, '''[group g]
Finally=/bin/sh -c 'echo inner $HOLT_NODE $HOLT_RESULT >>@F@/finally'
[process g/p]
ExecStart=/bin/sh -c 'setsid sleep 4243 & exec sleep infinity'
''').ready()
    until(lambda: any('4243' in c for _, c in d.alive().get('g/p', [])))
    direct = [d.pid_of(n) for n in ('redis', 'web', 'g/p')]
    workers = until(lambda: [p for p in all_pids() if parent_of(p) == direct[1]])   # of nginx, which write over their environment
    d.signal(KILL)
    d.exit()
    for pid in direct:
        until(lambda: dead(pid))                    # by the kernel, at once
    p = recover(d)
    equal(p.returncode, 0, 'status of --recover: ' + p.stdout)
    until(lambda: not d.alive())
    check(all(dead(p) for p in workers), 'a worker of nginx lives on')
    equal(finally_ran(d), ['inner g crashed', 'second', 'first crashed'], 'finally')
    p = recover(d)
    equal((p.returncode, len(finally_ran(d))), (0, 3), 'a second recovery')


@case
def the_next_start_recovers_first(t):
    d = shop(t).ready()
    d.signal(KILL)
    d.exit()
    n = Holtd(t, open(d.file).read(), name=d.name, folder=d.folder).ready()
    equal(finally_ran(d), ['second', 'first crashed'], 'finally')
    n.signal(TERM)
    n.ends(0)
    equal(len(finally_ran(d)), 4, 'finally commands')


# ---- what commands and odd processes do

@case
def an_execstartpre_that_cannot_be_executed_is_a_failure(t):
    d = Holtd(t, '[process a]\nExecStartPre=/nonexistent/thing\nExecStart=/bin/echo never\n')
    d.ends(1)
    check(not d.lines('a'), 'it was started')
    d.logged(r':2: cannot execute "/nonexistent/thing"')


@case
def a_minus_before_the_command_makes_its_failure_none(t):
    d = Holtd(t, '[process a]\nRestart=on-failure\nExecStart=-/bin/sh -c "echo once; exit 7"\n')
    d.ends(0)
    equal(d.lines('a'), ['once'], 'what it wrote')


@case
def what_outlives_its_stop_does_not_keep_its_node_from_starting_and_ends_with_the_tree(t):
    d = Holtd(t, """[process a]
SendSIGKILL=no
TimeoutStopSec=200ms
ExecStart=/bin/sh -c 'trap "" TERM; echo here; while :; do sleep 1; done'
""").ready()
    d.logged('a *. here')
    old = d.pid_of('a')
    d.ctl('restart', 'a')
    until(lambda: d.lines('a').count('here') == 2)
    check(not dead(old), 'it was killed')
    check('ready' in d.ctl('status'), 'a is not ready')
    check('cannot execute' not in d.log.text(), 'the log tells of an error')
    d.signal(TERM)
    d.ends(0)


@case
def sendsigkill_no_spares_grandchildren_too(t):
    d = Holtd(t, """[process b]
ExecStart=/bin/sleep infinity
[process a]
SendSIGKILL=no
KillMode=control-group
TimeoutStopSec=200ms
ExecStart=/bin/sh -c 'setsid sh -c "trap : TERM; echo grandchild; while :; do sleep 1; done" & exec sleep infinity'
""").ready()
    d.logged('a *. grandchild')
    d.ctl('stop', 'a')
    check(d.nodes().get('a'), 'the grandchild was killed')
    d.signal(TERM)
    d.ends(0)


@case
def a_node_is_not_ready_while_its_execstoppost_runs(t):
    d = Holtd(t, """[process other]
ExecStart=/bin/sleep infinity
[process a]
RestartSec=0
ExecStart=/bin/sh -c 'test -e @F@/second && exec sleep infinity; until test -e @F@/go; do sleep 0.1; done; touch @F@/second; exit 7'
ExecStopPost=/bin/sh -c 'echo post; until test -e @F@/on; do sleep 0.1; done'
""").ready()
    open(d.path('go'), 'w').close()
    d.logged('a *. post')
    check('stopping' in d.ctl('status', 'a', status=None), 'it is not shown as stopping')
    check('has ended' in d.ctl('why', 'a'), 'why does not say so')
    open(d.path('on'), 'w').close()
    d.ctl('wait', 'a')
    d.signal(TERM)
    d.ends(0)


@case
def execstoppost_is_killed_when_the_hurry_wants_it(t):
    d = Holtd(t, """[process a]
ExecStart=/bin/sleep infinity
ExecStopPost=/bin/sh -c 'echo post; exec sleep infinity'
TimeoutStopSec=1h
""").ready()
    d.signal(INT)
    d.logged('a *. post')
    d.signal(INT)
    d.ends(-INT)


@case
def the_first_main_process_can_take_its_role_back(t):
    folder = t.folder()
    with open(folder + '/main.py', 'w') as f:
        f.write("""import os, socket, sys, time
s = socket.socket(1, 2); s.connect(os.environ["NOTIFY_SOCKET"])
c = os.fork() or os.execvp("sleep", ["sleep", "1000"])
s.send(b"MAINPID=%d\\nREADY=1" % c); s.send(b"MAINPID=%d" % os.getpid())
while not os.path.exists(sys.argv[1]): time.sleep(0.05)
sys.exit(5)
""")
    d = Holtd(t, '[process a]\nType=notify\nRestart=no\nExecStart=%s @F@/main.py @F@/go\n' % found('python3'), folder=folder).ready()
    open(d.path('go'), 'w').close()
    d.ends(3)
    d.logged('exit 5')


@case
def a_main_process_that_has_ended_before_it_was_named_is_a_failure(t):
    folder = t.folder()
    with open(folder + '/main.py', 'w') as f:
        f.write("""import os, socket
s = socket.socket(1, 2); s.connect(os.environ["NOTIFY_SOCKET"])
c = os.fork() or os._exit(3)
os.waitid(os.P_PID, c, os.WEXITED | os.WNOWAIT)
s.send(b"MAINPID=%d\\nREADY=1" % c)
""")
    d = Holtd(t, '[process a]\nType=notify\nRestart=no\nExecStart=%s @F@/main.py\n' % found('python3'), folder=folder).ready()
    d.ends(3)
    d.logged('it has ended already')


@case
def all_commands_of_execreload_run_and_what_they_leave_goes_with_the_node(t):
    d = Holtd(t, """[process other]
ExecStart=/bin/sleep infinity
[process a]
Restart=no
ExecStart=/bin/sh -c 'until test -e @F@/go; do sleep 0.1; done'
ExecReload=-/bin/false
ExecReload=/bin/echo second
ExecReload=/bin/sh -c 'setsid sleep 4711 & echo third; exec sleep infinity'
""").ready()
    d.ctl('reload', 'a')
    d.logged('a *. second')
    d.logged('a *. third')
    until(lambda: any('4711' in c for _, c in d.alive().get('a', [])))
    open(d.path('go'), 'w').close()
    d.ctl('wait', '--for=stopped', 'a', status=None)
    d.logged('a: ended well')
    check(not d.nodes().get('a'), 'something of it is left')
    d.signal(TERM)
    d.ends(0)


@case
def a_tree_whose_rest_can_never_start_has_failed(t):
    d = Holtd(t, """[process a]
Restart=no
OnFailure=ignore
ExecStart=/bin/false
[process b]
Requires=a
ExecStart=/bin/sleep infinity
""")
    d.ends(3)
    d.logged('can never start')


@case
def a_state_directory_that_is_too_long_for_a_socket_is_named(t):
    folder = t.folder()
    with open(folder + '/a.tree', 'w') as f:
        f.write('[process a]\nExecStart=/bin/true\n')
    p = subprocess.run([HOLTD, '--state', folder + '/' + 'x' * 200, folder + '/a.tree'], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    equal(p.returncode, 1, 'status')
    check('at most 107 characters' in p.stdout, '%s', p.stdout)


# ---- strategies

ABC = '''[tree]
Strategy=%s
[process a]
ExecStart=/bin/sleep infinity
RestartSec=0
[process b]
ExecStart=/bin/sleep infinity
RestartSec=0
[process c]
ExecStart=/bin/sleep infinity
RestartSec=0
'''


def after_b_was_killed(t, strategy):
    d = Holtd(t, ABC % strategy).ready()
    old = {n: d.pid_of(n) for n in 'abc'}
    os.kill(old['b'], KILL)
    new = {'b': d.pid_of('b', but=old['b'])}
    new['c'] = d.pid_of('c', but=strategy != 'one_for_one' and old['c'])
    new['a'] = d.pid_of('a')
    d.signal(TERM)
    d.ends(0)
    return [n for n in 'abc' if new[n] != old[n]]


@case
def one_for_one_restarts_one(t):
    equal(after_b_was_killed(t, 'one_for_one'), ['b'], 'restarted')


@case
def one_for_all_restarts_all(t):
    equal(after_b_was_killed(t, 'one_for_all'), ['a', 'b', 'c'], 'restarted')


@case
def rest_for_one_restarts_those_after_it(t):
    equal(after_b_was_killed(t, 'rest_for_one'), ['b', 'c'], 'restarted')


@case
def a_crash_loop_at_the_start_asks_for_time_and_ends_with_3(t):
    d = Holtd(t, '''[tree]
Intensity=3/10s
Finally=/bin/sh -c 'echo $HOLT_RESULT: $HOLT_REASON >>@F@/finally'
[process good]
ExecStart=/bin/sleep infinity
[process bad]
Type=notify
RestartSec=10ms
ExecStart=/bin/sh -c 'exit 7'
''')
    d.ends(3)
    check(not d.manager.find('READY'), 'READY=1 was sent')
    check(d.manager.find('EXTEND_TIMEOUT_USEC'), 'no EXTEND_TIMEOUT_USEC=')
    check(finally_ran(d)[0].startswith('failed: bad'), 'finally was told %r', finally_ran(d))


@case
def a_tree_of_oneshots_ends_with_0_when_all_is_done(t):
    d = Holtd(t, '''[process one]
Type=oneshot
ExecStart=/bin/echo 1
ExecStart=/bin/echo 2
[process two]
Type=oneshot
ExecStart=/bin/echo 3
''')
    d.ends(0)
    equal((d.lines('one'), d.lines('two')), (['1', '2'], ['3']), 'output')
    check(d.manager.find('READY', '1'), 'READY=1 was not sent')


@case
def commands_run_before_and_after_and_see_the_main_pid(t):
    d = Holtd(t, '''[process p]
ExecStartPre=/bin/echo pre
ExecStartPre=-/bin/false
ExecStart=/bin/sh -c 'trap "echo main ends; exit 0" TERM; echo main $$$$; while :; do sleep 0.1; done'
ExecStop=/bin/sh -c 'echo stop $MAINPID'
ExecStopPost=/bin/echo post
''').ready()
    pid = d.logged(r'^p *\| main (\d+)').group(1)
    d.signal(TERM)
    d.ends(0)
    equal(d.lines('p'), ['pre', 'main ' + pid, 'stop ' + pid, 'main ends', 'post'], 'output')


@case
def a_watchdog_that_is_not_fed_restarts_its_process(t):
    need('python3')
    d = Holtd(t, '''[process p]
Type=notify
WatchdogSec=300ms
RestartSec=0
ExecStart=%s -c 'import os, socket, time; s = socket.socket(1, 2); s.connect(os.environ["NOTIFY_SOCKET"]); s.send(b"READY=1"); time.sleep(1000)'
''' % found('python3')).ready()
    first = d.pid_of('p')
    d.logged(r'WatchdogSec=')
    d.logged(r'p: watchdog')
    d.pid_of('p', but=first)
    d.signal(TERM)
    d.ends(0)


@case
def variables_that_are_meant_for_holtd_do_not_reach_its_children(t):
    d = Holtd(t, '[process p]\nExecStart=/bin/sleep infinity\nEnvironment=MINE=yes "TWO=a b"\n',
              watchdog_usec=30000000, env={'CREDENTIALS_DIRECTORY': '/tmp', 'INVOCATION_ID': 'x' * 32}).ready()
    e = environ_of(d.pid_of('p'))
    for name in ('NOTIFY_SOCKET', 'WATCHDOG_USEC', 'CREDENTIALS_DIRECTORY', 'LISTEN_FDS'):
        check(name not in e, '%s leaked', name)
    equal((e.get('MINE'), e.get('TWO'), e.get('HOLT_NODE')), ('yes', 'a b', 'p'), 'the environment')
    # the kernel closes what is close-on-exec after it has told the parent that execve succeeded
    until(lambda: sorted(os.listdir('/proc/%d/fd' % d.pid_of('p'))) == ['0', '1', '2'])
    with open('/proc/%d/status' % d.pid_of('p')) as f:
        masks = {k: int(v, 16) for k, v in (x.split(':\t') for x in f if x[:6] in ('SigBlk', 'SigIgn'))}
    equal(masks, {'SigBlk': 0, 'SigIgn': 0}, 'signals')
    d.signal(TERM)
    d.ends(0)


@case
def files_environment_and_limits_are_as_it_says(t):
    folder = t.folder()
    with open(folder + '/env', 'w') as f:
        f.write('# a comment\nA="x  y"\n')
    d = Holtd(t, '''[process p]
EnvironmentFile=@F@/env
EnvironmentFile=-@F@/none
WorkingDirectory=@F@
StandardOutput=append:@F@/out
StandardError=append:@F@/out
LimitNOFILE=100:200
UMask=0027
Nice=3
Type=oneshot
ExecStart=/bin/sh -c 'echo "$A"; pwd; ulimit -n; ulimit -Hn; umask; nice'
''', folder=folder)
    d.ends(0)
    with open(folder + '/out') as f:
        equal(f.read().split('\n')[:-1], ['x  y', folder, '100', '200', '0027', '3'], 'output')


@case
def a_missing_environment_file_is_named(t):
    d = Holtd(t, '[process p]\nEnvironmentFile=@F@/none\nExecStart=/bin/true\n')
    d.ends(1)
    d.logged(r'EnvironmentFile=.*/none.*No such file')


@case
def a_process_runs_as_its_user(t):
    need_root()
    d = Holtd(t, '[process p]\nType=oneshot\nUser=nobody\nExecStart=/bin/sh -c \'id -un; echo $HOME $USER\'\n')
    d.ends(0)
    equal(d.lines('p')[0], 'nobody', 'who it is')


@case
def credentials_are_copied_for_its_user_and_removed(t):
    need_root()
    folder = t.stack.enter_context(tempfile.TemporaryDirectory(prefix='holt-', dir='/tmp'))
    os.chmod(folder, 0o755)                         # the user has to get to it
    with open(folder + '/secret', 'w') as f:
        f.write('sesame')
    d = Holtd(t, '''[process p]
User=nobody
LoadCredential=key:@F@/secret
Type=oneshot
ExecStart=/bin/sh -c 'cat $CREDENTIALS_DIRECTORY/key; echo; stat -c %%a $CREDENTIALS_DIRECTORY/key'
''', folder=folder)
    d.ends(0)
    equal(d.lines('p'), ['sesame', '400'], 'output')
    equal(glob.glob(d.state_dir + '/credentials/*'), [], 'what is left')


@case
def lines_keep_their_node_and_none_is_lost(t):
    d = Holtd(t, '''[process loud]
Type=oneshot
ExecStart=/bin/sh -c 'seq 1 9000; printf "<3>bad\\nno end"'
''')
    d.ends(0)
    equal(d.lines('loud'), [str(i) for i in range(1, 9001)] + ['bad', 'no end'], 'lines')


@case
def logs_go_to_files_and_are_rotated(t):
    d = Holtd(t, '''[tree]
LogTarget=@F@/log
LogFileMax=1K
LogFileKeep=2
[process p]
Type=oneshot
ExecStart=/bin/sh -c 'i=0; while [ $$i -lt 600 ]; do echo line $$i; i=$$((i+1)); done'
''')
    d.ends(0)
    files = sorted(os.path.basename(f) for f in glob.glob(d.path('log') + '/*'))
    equal(files, ['p.log', 'p.log.1', 'p.log.2'], 'files')
    with open(d.path('log/p.log')) as f:
        check(f.read().endswith('line 599\n'), 'the last line is not there')


@case
def a_second_holtd_is_refused_and_names_the_first(t):
    d = Holtd(t, '[process a]\nExecStart=/bin/sleep infinity\n').ready()
    p = subprocess.run([HOLTD, '--state', d.state_dir, d.file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    equal(p.returncode, 1, 'status')
    check('pid %d' % d.pid in p.stdout, 'it does not name the first: %s', p.stdout)
    check(d.pid_of('a'), 'the first lost its process')
    d.signal(TERM)
    d.ends(0)


@case
def a_file_with_errors_is_not_started_and_says_where(t):
    d = Holtd(t, '[tree]\n[process a]\nExecStrat=/bin/true\nRestart=perhaps\n')
    equal(d.exit(), 1, 'status')
    text = d.log.wait_end()
    check('%s:3:' % d.file in text and 'ExecStart=' in text, 'the misspelled key: %s', text)
    check('%s:4:' % d.file in text, 'the bad value: %s', text)


@case
def wrong_usage_is_2(t):
    for args in ([], ['a', 'b'], ['--nonsense', 'a.tree']):
        p = subprocess.run([HOLTD, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        equal(p.returncode, 2, 'status of %r' % args)
        check('Usage:' in p.stdout, 'no usage: %s', p.stdout)


@case
def as_first_process_it_reaps_orphans_and_obeys_sigterm_and_sigrtmin_3(t):
    need_root()
    need('unshare')
    for sig in (TERM, signal.SIGRTMIN + 3):
        d = Holtd(t, '''[process p]
ExecStart=/bin/sh -c '(sleep 0.01 & sleep 0.01 &) ; echo up; exec sleep infinity'
''', inside=['unshare', '--pid', '--fork', '--mount-proc', '--kill-child']).ready()
        first = int(open('/proc/%d/task/%d/children' % (d.pid, d.pid)).read().split()[0])
        d.logged('up')
        kids = '/proc/%d/task/%d/children' % (first, first)
        until(lambda: len(open(kids).read().split()) == 1)     # the orphans were reaped
        os.kill(first, sig)
        equal(d.exit(), 0, 'status after %s' % sig)


@case
def holtctl_tells_starts_stops_and_waits(t):
    d = shop(t, '[process off]\nEnabled=no\nExecStart=/bin/sleep infinity\n').ready()
    out = d.ctl('status')
    for words in ('redis', 'web', 'ready', 'pid %d' % d.pid_of('redis')):
        check(words in out, '%r is not in\n%s', words, out)
    d.ctl('wait', '--for=ready', '/')
    d.ctl('stop', 'web')
    check('web' not in d.nodes(), 'nginx runs')
    d.ctl('wait', '--for=stopped', 'web')
    d.ctl('wait', '--for=ready', '--timeout=100ms', 'web', status=None)
    d.ctl('start', 'web')
    until(lambda: get(d.http))
    old = d.pid_of('redis')
    d.ctl('restart', 'redis')
    check(d.pid_of('redis') != old, 'the same redis')
    d.ctl('start', 'off')
    check(d.pid_of('off'), 'it was not started')
    d.ctl('status', 'nonsense', status=4)
    d.ctl('nonsense', status=2)
    d.ctl('stop', '/')
    d.ends(0)


@case
def sighup_reads_the_file_again_and_changes_nothing_on_errors(t):
    d = Holtd(t, '[process a]\nExecStart=/bin/sleep infinity\n').ready()
    pid = d.pid_of('a')
    with open(d.file, 'a') as f:
        f.write('Nonsense=1\n')
    d.signal(HUP)
    d.wait('RELOADING', '1')
    d.logged(r'Nonsense=')
    equal(d.pid_of('a'), pid, 'the pid')
    d.signal(TERM)
    d.ends(0)


@case
def sigusr1_writes_the_tree_to_the_log(t):
    d = Holtd(t, '[process a]\nExecStart=/bin/sleep infinity\n').ready()
    d.signal(signal.SIGUSR1)
    d.logged(r'a ready pid %d' % d.pid_of('a'))
    d.signal(TERM)
    d.ends(0)


@case
def descriptors_are_the_same_after_many_restarts(t):
    d = Holtd(t, '[tree]\nIntensity=1000/1s\n[process a]\nRestartSec=0\nExecStart=/bin/sleep infinity\n').ready()
    d.ctl('status')
    until(lambda: d.state() == 'S')
    before = d.fds()
    for _ in range(50):
        pid = d.pid_of('a')
        os.kill(pid, KILL)
        d.pid_of('a', but=pid)
    until(lambda: d.fds() == before)
    d.signal(TERM)
    d.ends(0)


if __name__ == '__main__':
    cases.main()
