# SPDX-License-Identifier: MIT
#
# holtd under a fake manager, with a tree file and a state directory of the case's own.
#
#	d = Holtd(t, '[process a]\nExecStart=/bin/sleep infinity\n')
#	d.ready(); d.pid_of('a'); d.signal(SIGTERM); equal(d.exit(), 0, 'status'); d.nothing_is_left()
#
# What a process of the tree is, is told by HOLT_NODE= in its environment, read from /proc: not by what holtd says of it. After
# every case nothing of the tree may live; a case that kills holtd itself says when that is.
import json
import os
import re
import signal
import socket
import subprocess

from . import cases
from .cases import check
from .process import Service, until

HOLTD = os.path.join(cases.BUILD, 'holtd')
HOLTCTL = os.path.join(cases.BUILD, 'holtctl')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def environ_of(pid):
    try:
        with open('/proc/%s/environ' % pid, 'rb') as f:
            return dict(v.split('=', 1) for v in f.read().decode(errors='replace').split('\0') if '=' in v)
    except (OSError, ValueError):
        return {}


def parent_of(pid):
    try:
        with open('/proc/%s/stat' % pid) as f:
            return int(f.read().rpartition(')')[2].split()[1])
    except (OSError, ValueError):
        return 0


def start_of(pid):
    try:
        with open('/proc/%s/stat' % pid) as f:
            return f.read().rpartition(')')[2].split()[19]
    except (OSError, IndexError):
        return None


def dead(pid):
    try:
        with open('/proc/%d/stat' % pid) as f:
            return f.read().rpartition(')')[2].split()[0] == 'Z'
    except OSError:
        return True


def command_of(pid):
    try:
        with open('/proc/%s/cmdline' % pid, 'rb') as f:
            return f.read().replace(b'\0', b' ').decode(errors='replace').strip()
    except OSError:
        return ''


def all_pids():
    return [int(p) for p in os.listdir('/proc') if p.isdigit()]


class Holtd(Service):
    def __init__(self, t, tree, *, name=None, folder=None, args=(), **kw):
        self.folder = folder or t.folder()
        # a name of its own for each, so that what is left of it is known
        self.name = name or 't%d' % (abs(hash((id(t), tree, self.folder))) % 10**9)
        self.file = os.path.join(self.folder, self.name + '.tree')
        self.state_dir = os.path.join(self.folder, 'state')
        with open(self.file, 'w') as f:
            f.write(tree.replace('@F@', self.folder))
        self.known = {}                             # (pid, start time) -> node
        super().__init__(t, [HOLTD, '--state', self.state_dir, *args, self.file], **kw)

    def path(self, name):
        return os.path.join(self.folder, name)

    def ready(self):
        self.wait('READY', '1')
        return self

    def nodes(self):
        """node -> pids of all processes that have it in their environment, children of holtd first. One that has
        overwritten its environment (redis does, for its title) is known from the time before that, or by its parent."""
        found = {}
        for pid in sorted(all_pids()):
            e = environ_of(pid)
            if e.get('HOLT_TREE') == self.name:
                self.known[pid, start_of(pid)] = e.get('HOLT_NODE')
            node = self.known.get((pid, start_of(pid))) or self.known_by_holtd(pid)
            if node and not dead(pid):
                found.setdefault(node, []).append(pid)
        for pids in found.values():
            pids.sort(key=lambda p: parent_of(p) != self.pid)
        return found

    def known_by_holtd(self, pid):
        if parent_of(pid) != self.pid or not environ_of(pid) and self.ended():
            return None
        if 'HOLT_TREE' in environ_of(pid) or not os.path.exists(self.state_dir + '/control'):
            return None
        for n in json.loads(self.ctl('status', '--json', status=None) or '{}').get('nodes', []):
            if n.get('pid') == pid:
                self.known[pid, start_of(pid)] = n['path']
                return n['path']
        return None

    def pid_of(self, node, but=None):
        """Of the one that holtd started, as soon as there is one that is not `but`."""
        return until(lambda: [p for p in self.nodes().get(node, []) if p != but])[0]

    def alive(self):
        return {n: [(p, command_of(p)) for p in pids] for n, pids in self.nodes().items()}

    def nothing_is_left(self):
        left = self.alive()
        check(not left, 'processes are left: %r', left)

    def ends(self, status=0):
        cases.equal(self.exit(), status, 'exit status')
        self.nothing_is_left()

    def logged(self, pattern):
        """Waits for it, and gives the match."""
        return self.log.wait(pattern)

    def lines(self, node):
        """What a node has written, by holtd's console log."""
        return re.findall(r'^%s *\| (.*)$' % re.escape(node), self.log.text(), re.M)

    def states(self):
        """The order of what was said of nodes: [('a', 'ready'), ...]."""
        return re.findall(r'^holtd *\| ([^ :]+): (ready|stopped|failed|done)', self.log.text(), re.M)

    def ctl(self, *args, status=0):
        p = subprocess.run([HOLTCTL, '--tree', self.state_dir + '/control', *args], stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, timeout=60)
        if status is not None:
            check(p.returncode == status, 'holtctl %s: status %d, not %d: %s', ' '.join(args), p.returncode, status, p.stdout)
        return p.stdout

    def close(self):
        super().close()
        until_gone = [p for pids in self.nodes().values() for p in pids]
        for pid in until_gone:                      # a case that failed: they are not to disturb the next one
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass


def recover(d, *args):
    return subprocess.run([HOLTD, '--recover', '--state', d.state_dir, *args, d.file], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60)


__all__ = ['Holtd', 'parent_of', 'HOLTD', 'HOLTCTL', 'free_port', 'environ_of', 'recover', 'until', 'all_pids', 'dead', 'command_of']
