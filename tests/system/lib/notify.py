# SPDX-License-Identifier: MIT
#
# A fake service manager: the receiving end of NOTIFY_SOCKET. It keeps each field of each message in the order in which
# they came, with the descriptors that came along, and answers BARRIER=1 as systemd does, by closing its descriptor.
#
# A wait looks at all that came since a mark, so a message that was faster than its test is never missed. It ends as
# soon as the program has exited and all that it had sent was seen: no wait is for time.
#
# It will not act on a message: a watchdog that fires, a restart, a store of descriptors are the test's.
import array
import os
import socket
import tempfile
import threading

from . import cases


class Field:
    """One KEY=VALUE. n is the number of its message, fds what came with it (owned by the manager)."""
    def __init__(self, n, key, value, fds, pid):
        self.n, self.key, self.value, self.fds, self.pid = n, key, value, fds, pid

    def __repr__(self):
        return '%d: %s=%s%s' % (self.n, self.key, self.value, ' +%d fds' % len(self.fds) if self.fds else '')


class Manager:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='holt-')
        self.path = os.path.join(self.dir, 'notify')
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.sock.bind(self.path)
        self.cond = threading.Condition()
        self.fields = []
        self.sentinels = 0                      # of our own, see drained()
        self.closing = False
        self.thread = threading.Thread(target=self._receive, daemon=True)
        self.thread.start()

    def close(self):
        self.closing = True
        self._send(b'X_HARNESS_SENTINEL=1')
        self.thread.join()
        self.sock.close()
        for f in self.fields:
            for fd in f.fds:
                os.close(fd)
            f.fds.clear()
        os.unlink(self.path)
        os.rmdir(self.dir)

    def _send(self, data):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(data, self.path)

    def _receive(self):
        n = 0
        while not self.closing:
            data, aux, _, _ = self.sock.recvmsg(65536, 4096, socket.MSG_CMSG_CLOEXEC)
            fds, pid = [], 0
            for level, kind, body in aux:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    a = array.array('i')
                    a.frombytes(body[:len(body) - len(body) % a.itemsize])
                    fds += list(a)
                elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                    pid = int.from_bytes(body[:4], 'little')
            lines = data.decode(errors='replace').split('\n')
            with self.cond:
                if lines == ['X_HARNESS_SENTINEL=1']:
                    self.sentinels += 1
                elif 'BARRIER=1' in lines:      # all before it was taken: that is what closing says
                    for fd in fds:
                        os.close(fd)
                else:
                    n += 1
                    for line in lines:
                        key, eq, value = line.partition('=')
                        if eq:
                            self.fields.append(Field(n, key, value, fds, pid))
                self.cond.notify_all()

    def _drained(self):
        """All that was sent before this call is in fields when it returns: datagrams keep their order."""
        with self.cond:
            want = self.sentinels + 1
        self._send(b'X_HARNESS_SENTINEL=1')
        with self.cond:
            self.cond.wait_for(lambda: self.sentinels >= want)

    def mark(self):
        """A place to look from: all that comes later. What is under way already counts as before."""
        self._drained()
        return len(self.fields)

    def find(self, key, value=None, since=0):
        for f in self.fields[since:]:
            if f.key == key and (value is None or (value(f.value) if callable(value) else f.value == value)):
                return f
        return None

    def all(self, key, since=0):
        return [f for f in self.fields[since:] if f.key == key]

    def after(self, field):
        """The mark just after a field."""
        return self.fields.index(field) + 1

    def message(self, field):
        """The whole message that a field came in, as a dictionary."""
        return {f.key: f.value for f in self.fields if f.n == field.n}

    def wait(self, key, value=None, since=0, gone=None):
        """The first field of that key, and value (a string or a predicate), since a mark. gone() says that no more
        can come."""
        with self.cond:
            self.cond.wait_for(lambda: self.find(key, value, since) or (gone and gone()))
            f = self.find(key, value, since)
        if not f:
            self._drained()
            f = self.find(key, value, since)
        cases.check(f, 'the program ended and never sent %s=%s', key, '…' if value is None or callable(value) else value)
        return f

    def poke(self):
        """Something outside has changed: waiters look again."""
        with self.cond:
            self.cond.notify_all()

    def text(self):
        with self.cond:
            return 'notify: ' + (' · '.join(map(repr, self.fields)) or 'nothing')
