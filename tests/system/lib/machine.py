# SPDX-License-Identifier: MIT
#
# A booted container: systemd as process 1 of a root folder, with a cgroup, a network and an overlay of its own.
#
#	m = Machine('bookworm')                 # boots; Skip says why not
#	m.unit('x.service', '...'); m.ok('systemctl', 'start', 'x')
#	m.journal.wait(lambda e: e.get('UNIT') == 'x.service' and ...)
#
# tests/system/run starts us in mount, pid and network namespaces that end with us, so that whatever becomes of us, no
# mount and no process stays behind; cgroups it removes itself. The root is unpacked once into a tmpfs; each machine has
# an overlay over it and may write where it likes.
import contextlib
import ctypes
import itertools
import os
import shutil
import signal
import subprocess
import threading

from . import cases, echo
from .journal import Follow
from .process import Service, until

WORK = os.environ.get('HOLT_WORK', '')
NAME = 'holt-%s-%d' % (os.environ.get('HOLT_RUN', ''), os.getpid())
CLONE_NEWNET = 0x40000000
number = itertools.count(1)
libc = ctypes.CDLL(None, use_errno=True)

# nspawn shall see one unified hierarchy, whatever the machine has
UNIFIED = 'echo 0 >"$1/cgroup.procs" && umount -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && shift && exec "$@"'


def mount(kind, where, *options):
    os.makedirs(where, exist_ok=True)
    subprocess.run(['mount', '-t', kind, *options, 'none', where], check=True)


def base(suite):
    """The unpacked root of a suite, in a tmpfs: (root, folder for overlays, cgroup2)."""
    reason = os.environ.get('HOLT_NO_ROOT_' + suite)
    tarball = os.environ.get('HOLT_ROOT_' + suite)
    if not tarball:
        raise cases.Skip(reason or 'run by tests/system/run, which prepares a root')
    if not os.environ.get('HOLT_PRIVATE'):
        raise cases.Skip('no namespaces of our own here')
    fs, cg = os.path.join(WORK, 'fs'), os.path.join(WORK, 'cg')
    if not os.path.ismount(fs):
        mount('tmpfs', fs)
        try:
            mount('cgroup2', cg)
        except subprocess.CalledProcessError:
            raise cases.Skip('cgroup2 cannot be mounted here')
    root = os.path.join(fs, suite)
    if not os.path.isdir(root):
        os.mkdir(root)
        subprocess.run(['tar', '-C', root, '-I', 'zstd -q', '-xf', tarball], check=True)
    return root, fs, cg


class Machine(cases.Owner):
    def __init__(self, suite):
        super().__init__()
        self.journal = None
        try:
            self._boot(suite)
        except BaseException:
            self.close()
            raise

    def _boot(self, suite):
        lower, fs, cg = base(suite)
        self.name = '%s-%d' % (NAME, next(number))
        dirs = {k: os.path.join(fs, self.name, k) for k in 'uwm'}
        for d in dirs.values():
            os.makedirs(d)
        mount('overlay', dirs['m'], '-o', 'lowerdir=%s,upperdir=%s,workdir=%s' % (lower, dirs['u'], dirs['w']))
        self.stack.callback(subprocess.run, ['umount', '-l', dirs['m']])
        self.folder = dirs['m']
        self.cgroup = os.path.join(cg, self.name)
        try:
            os.mkdir(self.cgroup)
        except OSError as e:
            raise cases.Skip('no cgroup of our own: %s' % e)
        self.stack.callback(self._end_cgroup)

        os.makedirs(self.folder + '/var/log/journal', exist_ok=True)
        os.makedirs(self.folder + '/etc/systemd/journald.conf.d', exist_ok=True)
        with open(self.folder + '/etc/systemd/journald.conf.d/holt.conf', 'w') as f:
            f.write('[Journal]\nRateLimitIntervalSec=0\nForwardToWall=no\n')

        self.root = self.folder
        self.nspawn = Service(self, [
            'unshare', '-m', '--propagation', 'private', 'sh', '-euc', UNIFIED, 'sh', self.cgroup, 'systemd-nspawn', '-q',
            '-D', self.folder, '-M', self.name, '--boot', '--register=no', '--keep-unit', '--notify-ready=yes',
            '--console=pipe', '--kill-signal=SIGRTMIN+4', '--private-network', '--link-journal=no'])
        try:
            self.nspawn.wait('READY', '1')
            self.leader = int(self.nspawn.wait('X_NSPAWN_LEADER_PID').value)
        except cases.Failed:
            raise cases.Failed('the container did not boot: ' + self.nspawn.text())
        self.root = '/proc/%d/root' % self.leader
        self.ok('systemctl', 'is-system-running', '--wait', fails=True)
        self.journal = self.own(Follow(self.folder + '/var/log/journal'))

    def _end_cgroup(self):
        def populated():
            with open(self.cgroup + '/cgroup.events') as f:
                return 'populated 1' in f.read()
        with open(self.cgroup + '/cgroup.kill', 'w') as f:
            f.write('1')
        until(lambda: not populated())
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            os.rmdir(folder)

    def poweroff(self):
        """An orderly end, which takes a second or two; close() alone pulls the plug."""
        self.nspawn.signal(signal.SIGTERM)
        return self.nspawn.exit()

    def run(self, *argv, text=None):
        """Runs a command inside: (status, what it said)."""
        front = ['nsenter', '-t', str(self.leader), '-a', 'env', '-i', 'TERM=dumb', 'SYSTEMD_PAGER=cat', 'LC_ALL=C.UTF-8',
                 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin']
        p = subprocess.run(front + list(argv), input=text, stdin=subprocess.DEVNULL if text is None else None,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace')
        return p.returncode, p.stdout

    def ok(self, *argv, text=None, fails=False):
        rc, out = self.run(*argv, text=text)
        cases.check(rc == 0 or fails, '%s: status %d: %s', ' '.join(argv), rc, out)
        return out

    def begin(self, *argv):
        """The same, not waited for: for a stop that shall be looked at while it lasts."""
        return self.own(Running(self, argv))

    # files

    def path(self, path):
        return self.root + path

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), 'w') as f:
            f.write(text)
        os.chmod(self.path(path), mode)

    def copy(self, source, path):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        shutil.copy(source, self.path(path))

    def install(self):
        """The programs under test, below /usr/local."""
        if cases.SAN:
            raise cases.Skip('built with SAN=%s, whose libraries are not in the root' % cases.SAN)
        self.copy(cases.LIBHOLT, '/usr/local/lib/libholt.so.0')
        self.ok('ldconfig')
        for program in (cases.ECHOD, cases.PROBE):
            path = '/usr/local/bin/' + os.path.basename(program)
            self.copy(program, path)
            missing = [line.strip() for line in self.ok('ldd', path, fails=True).splitlines() if 'not found' in line]
            if missing:                         # built on a newer system than the root's
                raise cases.Skip('what was built here does not run on this root: %s' % missing[0])

    # units

    def unit(self, name, text):
        """Writes a unit. A reload of the manager takes longer than all else here, so only where it must be."""
        self.write('/etc/systemd/system/' + name, text)
        if self.show(name, 'NeedDaemonReload') == 'yes':
            self.ok('systemctl', 'daemon-reload')

    def show(self, unit, *names):
        """Properties of a unit: one as a string, several as a dictionary."""
        out = self.ok('systemctl', 'show', unit, '-p', ','.join(names))
        d = dict(line.split('=', 1) for line in out.splitlines() if '=' in line)
        return d.get(names[0]) if len(names) == 1 else d

    def pid(self, unit):
        """The main process of a unit, as we call it. None when there is none."""
        inner = self.show(unit, 'MainPID')
        same = os.stat('/proc/%d/ns/pid' % self.leader).st_ino
        for p in filter(str.isdigit, os.listdir('/proc')):
            try:
                if os.stat('/proc/%s/ns/pid' % p).st_ino != same:
                    continue
                with open('/proc/%s/status' % p) as f:
                    nspid = [line.split()[-1] for line in f if line.startswith('NSpid:')]
            except OSError:
                continue
            if nspid == [inner]:
                return int(p)
        return None

    def clean(self, *units):
        """Ends units, whatever they are doing, and forgets them."""
        self.run('sh', '-c', 'systemctl stop --no-block "$@"; systemctl kill --kill-who=all -s KILL "$@"; systemctl stop "$@"; '
                 'systemctl reset-failed "$@"; cd /etc/systemd/system && rm -f "$@"', 'sh', *units)

    def sync(self):
        """What was logged by the native protocol so far is in self.journal."""
        self.journal.sync(self.path('/run/systemd/journal/socket'))

    # sockets

    def connect(self, address):
        """Like echo.connect(), from inside. The socket works in any thread; only its birth is in the container's network."""
        if address.startswith('unix:/'):
            return echo.connect('unix:' + self.path(address[5:]))
        result = []

        def inside():
            try:
                with open('/proc/%d/ns/net' % self.leader) as ns:
                    if libc.setns(ns.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), 'setns')
                result.append(echo.connect(address))
            except Exception as e:
                result.append(e)
        th = threading.Thread(target=inside)
        th.start()
        th.join()
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]


class Running:
    """A command inside that was begun."""
    def __init__(self, machine, argv):
        self.child = subprocess.Popen(['nsenter', '-t', str(machine.leader), '-a', *argv], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def wait(self):
        out, _ = self.child.communicate()
        return self.child.returncode, out.decode(errors='replace')

    def close(self):
        if self.child.returncode is None:
            self.child.kill()
            self.child.communicate()
