# SPDX-License-Identifier: MIT
#
# The packages that "make deb" and "make rpm" build, and machines on which they are installed: for tests that look at holt
# as an administrator has it. A case starts with a machine that has neither, and leaves it so.
import functools
import glob
import os
import subprocess

from . import cases
from .cases import case, check, equal, need_root, shared
from .machine import Machine

SUITES = ('bookworm', 'trixie')
# what others write while a package comes and goes: the package manager's own books, caches, logs
OTHERS = ('/proc', '/sys', '/dev', '/tmp', '/results', '/run/systemd', '/run/udev', '/run/dbus', '/run/log', '/run/mount', '/var/log',
          '/var/cache/ldconfig', '/var/lib/dpkg/status-old', '/var/lib/dpkg/lock', '/var/lib/dpkg/triggers', '/var/lib/rpm',
          '/var/lib/systemd/catalog', '/var/lib/systemd/timers', '/var/tmp', '/var/finally', '/etc/holt/mine.tree')


# ---- building, once

class Built:
    """What packaging/build-KIND has built."""
    def __init__(self, kind, pattern):
        if cases.SAN:
            raise cases.Skip('packages are built without SAN')
        stamp = os.path.join(os.environ.get('HOLT_WORK', ''), 'built-' + kind)   # by this run
        if not os.environ.get('REUSE') and not os.path.exists(stamp):
            self._build(kind)
            with open(stamp, 'w'):
                pass
        self.files = {os.path.basename(f).split('_' if kind == 'deb' else '-0.')[0]: f
                      for f in glob.glob(os.path.join(cases.BUILD, kind, pattern))}

    @staticmethod
    def _build(kind):
        p = subprocess.run([os.path.join(cases.TOP, 'packaging/build-' + kind)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, env=dict(os.environ, BUILD=cases.BUILD))
        if p.returncode == 77:
            raise cases.Skip(p.stdout.strip().splitlines()[-1])
        check(p.returncode == 0, 'build-%s: status %d: %s', kind, p.returncode, p.stdout[-3000:])

    def __getitem__(self, name):
        return self.files[name]

    def close(self):
        pass                                    # they stay, as "make deb" would leave them


get_debs = shared(lambda: Built('deb', '*.deb'))
get_rpms = shared(lambda: Built('rpm', 'RPMS/*/*.rpm'))
MACHINES = {s: shared(functools.partial(Machine, s)) for s in SUITES}


def booted(suites):
    """A case on each suite: fn(t, machine)."""
    def add(fn):
        for suite in suites:
            def run(t, get=MACHINES[suite]):
                need_root()
                m = get()
                t.tell(lambda: m.run('journalctl', '-q', '--no-pager', '-n', '40')[1])
                fn(t, m)
            case(run, name='%s on %s' % (fn.__name__, suite), limit=900)
        return fn
    return add


# ---- the machine before and after

def files(m):
    """Every path of the machine that is not others' business."""
    prune = []
    for p in OTHERS:
        prune += ['-path', p, '-o']
    found = m.ok('find', '/', *'('.split(), *prune[:-1], ')', '-prune', '-o', '-print', fails=True)
    return {p for p in found.splitlines() if p.startswith('/')}


def processes(m):
    """Those that belong to a tree, by their environment."""
    return m.run('sh', '-c', 'grep -lsz ^HOLT_TREE= /proc/[0-9]*/environ')[1].split()


class Before:
    """Takes down what there is, to compare."""
    def __init__(self, m):
        self.m, self.files = m, files(m)

    def is_so_again(self):
        now = files(self.m)
        equal(sorted(now - self.files)[:20], [], 'what is left')
        equal(sorted(self.files - now)[:20], [], 'what is missing')
        equal(processes(self.m), [], 'processes of trees')
        equal(self.m.ok('systemctl', 'list-units', '--all', '--no-legend', 'holt@*').strip(), '', 'units')


def purge(m):
    m.run('sh', '-c', 'dpkg --purge holt libholt0; rm -rf /etc/holt /var/finally; systemctl reset-failed')


def install(t, m, debs):
    """Both packages, as dpkg does it. They go with the case."""
    t.stack.callback(purge, m)
    for name in ('libholt0', 'holt'):
        m.copy(debs[name], '/tmp/%s.deb' % name)
    status, out = m.run('dpkg', '-i', '/tmp/libholt0.deb', '/tmp/holt.deb')
    if status and 'depends on libc6' in out:    # built on a newer system than the root's
        raise cases.Skip('what was built here does not run on this root')
    equal(status, 0, 'dpkg -i: ' + out)


def start(m, tree):
    m.write('/etc/holt/demo.tree', tree)
    m.ok('systemctl', 'start', 'holt@demo')
    equal(m.show('holt@demo', 'ActiveState', 'SubState'), {'ActiveState': 'active', 'SubState': 'running'}, 'the unit')


def finally_ran(m):
    return m.run('sh', '-c', 'cat /var/finally 2>/dev/null')[1].split()
