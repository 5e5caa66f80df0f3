# SPDX-License-Identifier: MIT
#
# One program under test: started with a fake manager's socket, its log read as it comes, its end waited for.
#
#	s = Service(t, [ECHOD, 'unix:/run/x'])          the case t ends it, and shows what it said if it failed
#	s.wait('READY', '1'); s.signal(SIGTERM); equal(s.exit(), 0, 'status')
#
# A wait ends when what it waits for has come, or the program has ended without it. A Service may be given descriptors
# (listen=[(name, socket or fd)]), a terminal of its own (terminal=True) or a journal stream for a stderr.
#
# A pid is used only while the child is not reaped, so it is never another's.
import fcntl
import os
import re
import signal
import subprocess
import sys
import termios
import threading

from . import cases
from .notify import Manager

ACTIVATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'activate.py')


class Lines:
    """Reads a descriptor to its end in a thread, and lets others wait for what is in it."""
    def __init__(self, fd):
        self.fd, self.data, self.ended = fd, b'', False
        self.cond = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                more = os.read(self.fd, 1 << 16)
            except OSError:                     # a terminal whose other side is closed says EIO
                more = b''
            with self.cond:
                self.data += more
                self.ended = not more
                self.cond.notify_all()
            if not more:
                os.close(self.fd)
                return

    def text(self):
        with self.cond:
            return self.data.decode(errors='replace')

    def wait(self, pattern, start=0):
        """The match of a regular expression (multi-line) in what came from start on."""
        with self.cond:
            look = lambda: re.search(pattern, self.data.decode(errors='replace')[start:], re.M)
            self.cond.wait_for(lambda: look() or self.ended)
            m = look()
        cases.check(m, 'the log ended without %r', pattern)
        return m

    def wait_end(self):
        with self.cond:
            self.cond.wait_for(lambda: self.ended)
        return self.text()


def own_terminal():
    """In the child: a session of its own, its stdin the controlling terminal."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Service:
    def __init__(self, t, argv, *, manager=None, watchdog_usec=None, listen=(), env=None, terminal=False, stderr=None,
                 inside=()):
        self.own_manager = manager is None
        self.manager = manager or Manager()
        self.argv, self.status, self.terminal = argv, None, None
        self.on_exit = threading.Event()
        e = {k: v for k, v in os.environ.items() if not re.match('LISTEN_|NOTIFY_|WATCHDOG_|JOURNAL_|HOLT_', k)}
        e['NOTIFY_SOCKET'] = self.manager.path
        if watchdog_usec:
            e['WATCHDOG_USEC'] = str(watchdog_usec)
        e.update(env or {})
        e = {k: v for k, v in e.items() if v is not None}  # None takes a variable away
        fds = [(n, f if isinstance(f, int) else f.fileno()) for n, f in listen]
        if fds:
            argv = [sys.executable, '-I', '-S', ACTIVATE, ','.join('%s=%d' % p for p in fds)] + argv
        argv = list(inside) + argv

        theirs, ours = [], None
        if terminal:
            ours, slave = os.openpty()
            theirs = [slave]
            self.terminal = ours
            kw = dict(stdin=slave, stdout=slave, stderr=slave, preexec_fn=own_terminal)
        else:
            ours, w = os.pipe()
            theirs = [w]
            kw = dict(stdin=subprocess.DEVNULL, stdout=w, stderr=w if stderr is None else stderr)
        try:
            self.child = subprocess.Popen(argv, env=e, pass_fds=[f for _, f in fds], **kw)
        finally:
            for fd in theirs:
                os.close(fd)
        self.pid = self.child.pid
        self.log = Lines(os.dup(ours) if terminal else ours)
        self.thread = threading.Thread(target=self._reap, daemon=True)
        self.thread.start()
        t.own(self)
        t.tell(self.text)

    def _reap(self):
        try:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)  # the pid stays ours until someone asks for the status
        except ChildProcessError:               # someone just did
            pass
        self.on_exit.set()
        self.manager.poke()

    def close(self):
        if self.child.returncode is None:
            self.child.kill()
            self.child.wait()
        self.thread.join()
        if self.terminal is not None:
            os.close(self.terminal)
        if self.own_manager:
            self.manager.close()

    def ended(self):
        return self.on_exit.is_set()

    def wait(self, key, value=None, since=0):
        """The first such field on the notify socket, see Manager.wait."""
        return self.manager.wait(key, value, since, self.ended)

    def signal(self, sig):
        if self.child.returncode is None:
            os.kill(self.pid, sig)

    def press(self, keys):
        """Types at the terminal: b'\\x03' is Ctrl-C."""
        os.write(self.terminal, keys)

    def exit(self):
        """Waits for the end: the status, or -SIGNAL."""
        self.on_exit.wait()
        status = self.child.wait()
        self.manager._drained()
        return status

    def killed_by(self, sig):
        status = self.exit()
        cases.check(status == -sig, 'it did not die of %s, but ended with %d', signal.Signals(sig).name, status)

    def text(self):
        state = 'running' if self.child.returncode is None and not self.ended() else 'ended %s' % self.child.poll()
        return '%s (%s)\n%s\nlog:\n%s' % (' '.join(self.argv), state, self.manager.text(), self.log.text()[-6000:])

    # what the kernel says of the process

    def state(self):
        return proc_state(self.pid)

    def pending(self, sig):
        """The signal was sent and not taken yet."""
        bits = 0
        with open('/proc/%d/status' % self.pid) as f:
            for line in f:
                if line.startswith(('SigPnd', 'ShdPnd')):
                    bits |= int(line.split()[1], 16)
        return bits >> (sig - 1) & 1

    def fds(self):
        return len(os.listdir('/proc/%d/fd' % self.pid))


def proc_state(pid):
    """R, S, ... of the main thread; Z when it is gone."""
    try:
        with open('/proc/%s/stat' % pid) as f:
            return f.read().rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return 'Z'


def until(condition):
    """For what the kernel shows but does not announce (a signal taken, a process at rest): looks again and again,
    letting others run in between. The case's limit ends it. Returns what the condition gave."""
    while not (found := condition()):
        os.sched_yield()
    return found
