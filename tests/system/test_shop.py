# SPDX-License-Identifier: MIT
# root: bookworm
# root: trixie
#
# The shop as an administrator has it: redis (Type=notify) and nginx in one tree, from the built packages, as a service of
# a booted systemd 252 and 257, each under a user of its own, with cgroups and journal. What test_holtd.py shows of holtd
# alone is shown here of the whole. That holtd has ended all itself, and not systemd what it had left, the journal says.
import json
import re

from lib.cases import check, equal, main
from lib.packages import SUITES, booted, finally_ran, get_debs, install
from lib.process import until

UNIT = 'holt@shop.service'
CGROUP = '/sys/fs/cgroup/system.slice/system-holt.slice/' + UNIT
NGINX = '''daemon off; pid /tmp/nginx.pid; error_log stderr; worker_processes 1;
events {} http { access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u;
scgi_temp_path /tmp/s; server { listen 127.0.0.1:8080; location / { return 200 "hello"; } } }
'''
TREE = '''[tree]
Finally=/bin/sh -c 'echo first $HOLT_RESULT >>/var/finally'
Finally=/bin/sh -c 'echo second >>/var/finally'
%s
[process redis]
Type=notify
User=redis
ExecStart=/usr/bin/redis-server --supervised systemd --port 6379 --bind 127.0.0.1 --save "" --appendonly no --dir /tmp
RestartSec=10ms..1s
%s
[process web]
Requires=redis
User=www-data
ExecStart=/usr/sbin/nginx -e stderr -c /etc/holt/nginx.conf
%s'''


class Shop:
    def __init__(self, t, m, extra='', tree=''):
        self.m = m
        self.limits = 'memory' in m.ok('cat', '/sys/fs/cgroup/cgroup.controllers').split()
        install(t, m, get_debs())
        m.write('/etc/holt/nginx.conf', NGINX)
        m.write('/etc/holt/shop.tree', TREE % (tree, 'MemoryMax=256M' if self.limits else '', extra))
        self.since = m.journal.mark()
        t.stack.callback(m.run, 'systemctl', 'stop', UNIT)

    def start(self):
        self.m.ok('systemctl', 'start', UNIT)
        return self

    def status(self):
        return {n['path']: n for n in json.loads(self.m.ok('holtctl', '--tree', 'shop', 'status', '--json'))['nodes']}

    def pid(self, node):
        return self.status()[node]['pid']

    def said(self):
        """What holtd has told, in its order."""
        self.m.sync()
        return [e.get('MESSAGE') for e in self.m.journal.select(lambda e: e.get('SYSLOG_IDENTIFIER') == 'holtd', self.since)]

    def wait(self, pattern):
        self.m.journal.wait(lambda e: re.search(pattern, str(e.get('MESSAGE'))), self.since)

    def stopped(self, result='success'):
        """It is down, in order, by itself, and nothing is left of it."""
        equal(self.m.show(UNIT, 'ActiveState', 'Result', 'ExecMainStatus'),
              {'ActiveState': 'inactive', 'Result': result, 'ExecMainStatus': '0'}, 'the unit')
        self.nothing_is_left()
        order = [x.split(':')[0] for x in self.said() if re.match(r'(redis|web): stopped', x)]
        equal(order, ['web', 'redis'], 'the order of the stop')

    def nothing_is_left(self):
        check(self.m.run('test', '-e', CGROUP)[0] != 0, 'its cgroup is left')
        killed = self.m.journal.select(lambda e: e.get('_PID') == '1' and e.get('UNIT') == UNIT and
                                       re.search('Killing|left-over|remains', str(e.get('MESSAGE'))), self.since)
        equal([e['MESSAGE'] for e in killed], [], 'what systemd had to end')


def redis_answers(m):
    return m.run('redis-cli', 'ping') == (0, 'PONG\n')


def web_answers(m):
    return m.run('bash', '-c', r'exec 3<>/dev/tcp/127.0.0.1/8080 && printf "GET / HTTP/1.0\r\n\r\n" >&3 && cat <&3')[1].endswith('hello')


@booted(SUITES)
def both_are_ready_when_the_service_is_and_stop_in_reverse(t, m):
    s = Shop(t, m).start()
    check(redis_answers(m), 'the service is active, and redis does not answer')
    until(lambda: web_answers(m))                   # Type=exec: it has been executed, and listens in a moment
    equal(m.show(UNIT, 'ActiveState', 'StatusText'), {'ActiveState': 'active', 'StatusText': 'ready'}, 'the unit')
    equal({n: s.status()[n]['state'] for n in ('redis', 'web')}, {'redis': 'ready', 'web': 'ready'}, 'the nodes')
    for node, user in (('redis', 'redis'), ('web', 'www-data')):
        equal(m.ok('stat', '-c', '%U', '/proc/%d' % s.pid(node)).strip(), user, 'the user of ' + node)
        own = m.ok('sed', '-n', 's/^0:://p', '/proc/%d/cgroup' % s.pid(node)).strip()
        check('/%s/' % UNIT in own, '%s has no cgroup of its own: %s', node, own)
        if s.limits and node == 'redis':
            equal(m.ok('cat', '/sys/fs/cgroup%s/memory.max' % own).strip(), str(256 << 20), 'memory.max of redis')
    m.ok('systemctl', 'stop', UNIT)
    s.stopped()
    equal(finally_ran(m), ['second', 'first', 'stopped'], 'finally')


@booted(SUITES)
def a_killed_redis_comes_back_and_nothing_else_is_touched(t, m):
    s = Shop(t, m).start()
    redis, web = s.pid('redis'), s.pid('web')
    m.ok('kill', '-KILL', str(redis))
    m.ok('holtctl', '--tree', 'shop', 'wait', 'redis')
    until(lambda: redis_answers(m) and s.pid('redis') != redis)
    equal(s.pid('web'), web, 'the pid of nginx')
    equal(m.show(UNIT, 'ActiveState', 'NRestarts'), {'ActiveState': 'active', 'NRestarts': '0'}, 'the unit')
    m.ok('systemctl', 'stop', UNIT)
    s.stopped()


@booted(SUITES)
def it_stops_in_order_whatever_a_process_or_a_finally_does(t, m):
    s = Shop(t, m, '''[process stubborn]
TimeoutStopSec=200ms
ExecStart=/bin/sh -c 'trap "" TERM; echo stubborn here; while :; do sleep 1; done'
[process parent]
ExecStart=/bin/sh -c 'setsid sh -c "trap : TERM; echo grandchild here; while :; do sleep 1; done" & exec sleep infinity'
''', '''Finally=/bin/false
Finally=/bin/sleep infinity
Finally=/nonexistent/cleanup
FinallyTimeoutSec=300ms
''').start()
    s.wait('stubborn here')
    s.wait('grandchild here')
    m.ok('systemctl', 'stop', UNIT)
    s.stopped()
    equal(finally_ran(m), ['second', 'first', 'stopped'], 'finally')
    text = '\n'.join(s.said())
    for words in ('Finally=/bin/false', 'took longer than FinallyTimeoutSec=', '/nonexistent/cleanup'):
        check(words in text, 'the log does not tell of %s', words)


@booted(SUITES)
def what_cannot_be_executed_fails_the_service_and_is_named(t, m):
    s = Shop(t, m, '''[process missing]
ExecStart=/nonexistent/program --flag
''')
    check(m.run('systemctl', 'start', UNIT)[0] != 0, 'it has started')
    equal(m.show(UNIT, 'ActiveState', 'ExecMainStatus', 'NRestarts'),
          {'ActiveState': 'failed', 'ExecMainStatus': '1', 'NRestarts': '0'}, 'the unit')
    at = 1 + m.ok('cat', '/etc/holt/shop.tree').split('\n').index('ExecStart=/nonexistent/program --flag')
    line = [x for x in m.ok('systemctl', 'status', '-n', '50', UNIT, fails=True).split('\n') if '/nonexistent/program' in x][0]
    for words in ('missing', '/etc/holt/shop.tree:%d' % at, 'No such file or directory'):
        check(words in line, '%r is not in %r', words, line)
    s.nothing_is_left()
    equal(finally_ran(m), ['second', 'first', 'failed'], 'finally')


@booted(SUITES)
def a_stop_in_the_middle_of_the_start_stops_what_was_started(t, m):
    s = Shop(t, m, '''[process late]
After=web
Type=notify
ExecStart=/bin/sh -c 'echo late here; exec sleep infinity'
''')
    m.ok('systemctl', 'start', '--no-block', UNIT)
    s.wait('late here')
    m.ok('systemctl', 'stop', UNIT)
    s.stopped()
    equal(finally_ran(m), ['second', 'first', 'stopped'], 'finally')


@booted(SUITES)
def a_second_sigterm_changes_nothing(t, m):
    s = Shop(t, m, '''[process slow]
ExecStart=/bin/sh -c 'trap "echo asked; until test -e /tmp/go; do sleep 0.1; done; echo done; exit 0" TERM; echo here; while :; do sleep 0.1; done'
''').start()
    s.wait('^here$')
    m.ok('systemctl', 'stop', '--no-block', UNIT)
    s.wait('^asked$')
    m.ok('systemctl', 'kill', '--kill-who=main', '-s', 'TERM', UNIT)
    m.ok('touch', '/tmp/go')
    s.wait('^done$')
    m.ok('systemctl', 'stop', UNIT)
    m.ok('rm', '/tmp/go')
    s.stopped()


@booted(SUITES)
def a_killed_holtd_owes_nothing_and_the_service_comes_back(t, m):
    s = Shop(t, m, '''[group g]
Finally=/bin/sh -c 'echo inner $HOLT_RESULT >>/var/finally'
[process g/p]
ExecStart=/bin/sh -c 'setsid sleep 4243 & echo grandchild here; exec sleep infinity'
''').start()
    s.wait('grandchild here')
    old = [s.pid(n) for n in ('redis', 'web', 'g/p')]
    m.ok('systemctl', 'kill', '--kill-who=main', '-s', 'KILL', UNIT)
    until(lambda: m.show(UNIT, 'ActiveState', 'NRestarts') == {'ActiveState': 'active', 'NRestarts': '1'})
    check(redis_answers(m), 'redis does not answer')
    check(not set(old) & {n.get('pid') for n in s.status().values()}, 'a process of the first life is there')
    check(m.run('sh', '-c', 'kill -0 %s' % ' '.join(map(str, old)))[0] != 0, 'a process lives on')
    equal(len(m.run('pgrep', '-f', 'sleep 4243')[1].split()), 1, 'grandchildren')
    equal(finally_ran(m), ['inner', 'crashed', 'second', 'first', 'crashed'], 'finally')
    m.ok('systemctl', 'stop', UNIT)
    equal(finally_ran(m)[5:], ['inner', 'stopped', 'second', 'first', 'stopped'], 'finally of the second life')


main()
