# SPDX-License-Identifier: MIT
#
# Journal entries, as dictionaries, from outside:
#
#	Follow(argv)    entries as they are written, from a folder of journal files; waits for one
#	Journald()      a journald of our own: its sockets and files live in a mount namespace that only what it starts sees
#
# A field that holds bytes that are no text is a bytes object; a field that an entry has several times is a list.
#
# It will not touch the machine's own journal.
import json
import os
import socket
import subprocess
import threading

from . import cases
from .process import Service

CONFIG = '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\nForwardToWall=no\nForwardToSyslog=no\n'


def entry(line):
    """One line of journalctl -o json."""
    def plain(v):
        if isinstance(v, list) and v and all(isinstance(b, int) for b in v):
            return bytes(v)
        return [plain(x) for x in v] if isinstance(v, list) else v
    return {k: plain(v) for k, v in json.loads(line).items()}


class Follow:
    """Entries of journalctl -f, run by the command in front of it (nsenter ..., or none)."""
    def __init__(self, folder, front=()):
        argv = list(front) + ['journalctl', '-q', '-D', folder, '-f', '-n', 'all', '-a', '-o', 'json']
        self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.entries, self.ended, self.syncs = [], False, 0
        self.cond = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.child.stdout:
            if not line.endswith(b'\n'):        # torn by our own close()
                break
            e = entry(line)
            with self.cond:
                self.entries.append(e)
                self.cond.notify_all()
        with self.cond:
            self.ended = True
            self.cond.notify_all()

    def close(self):
        self.child.kill()
        self.child.wait()
        self.thread.join()
        self.child.stdout.close()

    def mark(self):
        with self.cond:
            return len(self.entries)

    def select(self, match, since=0):
        with self.cond:
            return [e for e in self.entries[since:] if match(e)]

    def wait(self, match, since=0, count=1):
        """Entries for which match() holds, as soon as there are that many."""
        found, at = [], since
        with self.cond:
            while len(found) < count:
                self.cond.wait_for(lambda: len(self.entries) > at or self.ended)
                cases.check(len(self.entries) > at, 'journalctl ended')
                found += [e for e in self.entries[at:] if match(e)]
                at = len(self.entries)
        return found

    def wait_until(self, condition):
        """Until condition(entries) holds; asked again with each new entry."""
        with self.cond:
            self.cond.wait_for(lambda: condition(self.entries) or self.ended)
            cases.check(condition(self.entries), 'journalctl ended')

    def sync(self, socket_path):
        """All that a journald was sent by the native protocol is in entries: datagrams keep their order."""
        self.syncs += 1
        word = 'sync %d' % self.syncs
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(b'PRIORITY=7\nSYSLOG_IDENTIFIER=harness\nMESSAGE=%s\n' % word.encode(), socket_path)
        self.wait(lambda e: e.get('SYSLOG_IDENTIFIER') == 'harness' and e.get('MESSAGE') == word)

    def text(self, since=0):
        with self.cond:
            return '\n'.join('%s[%s]: %.300s' % (e.get('SYSLOG_IDENTIFIER'), e.get('PRIORITY'), e.get('MESSAGE'))
                             for e in self.entries[since:][-40:])


class Journald(cases.Owner):
    """journald in a mount namespace of its own."""
    SETUP = '''
mount -t tmpfs none /run/systemd && mount -t tmpfs none /run/log &&
mkdir -p /run/systemd/journald.conf.d /run/systemd/journal &&
printf %s "$1" >/run/systemd/journald.conf.d/holt.conf && exec "$2"'''

    def __init__(self):
        super().__init__()
        cases.need_root()
        cases.need('unshare', 'nsenter', 'journalctl')
        program = cases.found('systemd-journald')
        if not program:
            raise cases.Skip('no systemd-journald here')
        for point in ('/run/systemd', '/run/log'):
            os.makedirs(point, exist_ok=True)
        try:
            self.service = Service(self, ['unshare', '-m', '--propagation', 'private', 'sh', '-euc', self.SETUP, 'sh', CONFIG,
                                          program])
            self.service.wait('READY', '1')
            self.pid = self.service.pid
            self.run = '/proc/%d/root/run' % self.pid
            self.inside = ['nsenter', '-t', str(self.pid), '-m', '--']
            self.follow = self.own(Follow('/run/log/journal', self.inside))
        except BaseException:
            self.close()
            raise

    def sync(self):
        self.follow.sync(self.run + '/systemd/journal/socket')

    def start(self, t, argv, **kw):
        """A Service of the case t, whose stderr is a journal stream, as systemd would have made it."""
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            s.connect(self.run + '/systemd/journal/stdout')
            s.shutdown(socket.SHUT_RD)
            # identifier, unit, level, level prefix, forward to syslog, kmsg, console
            s.sendall(b'%s\n\n6\n1\n0\n0\n0\n' % os.path.basename(argv[0]).encode())
            st = os.fstat(s.fileno())
            env = dict(kw.pop('env', None) or {}, JOURNAL_STREAM='%d:%d' % (st.st_dev, st.st_ino))
            return Service(t, argv, env=env, stderr=s.fileno(), inside=self.inside, **kw)
        finally:
            s.close()
