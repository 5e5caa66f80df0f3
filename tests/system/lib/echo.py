# SPDX-License-Identifier: MIT
#
# Clients of an echo server that know what became of every byte.
#
# A client cannot see what a server had read when it closed the connection. So a Talker, before the stop, takes a second
# descriptor of the server's end (pidfd_getfd): the connection then lives on after the server has ended, and what the
# server never read can be read from there. What was sent is then either unread or, if nothing was lost, echoed: the
# sum must be exact, and each byte of it in its place.
#
# It will not measure time; "under load" means that the client never stopped sending.
import ctypes
import os
import select
import socket
import stat
import threading

from . import cases
from .process import proc_state, until

libc = ctypes.CDLL(None, use_errno=True)
SYS_pidfd_getfd = 438                           # one number on every machine
PATTERN = bytes(i * 7 % 251 for i in range(251 * 600))
CHUNK = 8000


def pattern(offset, n):
    """n bytes of the endless text that each client sends, from offset on (n up to 150,000)."""
    start = offset % 251
    return PATTERN[start:start + n]


def connect(address):
    """A socket connected to unix:PATH, unix:@NAME or tcp:HOST:PORT. Bound, so that it can be told from others."""
    kind, _, where = address.partition(':')
    if kind == 'unix':
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.bind('')                              # the kernel gives it an abstract name
        s.connect('\0' + where[1:] if where.startswith('@') else where)
        return s
    host, _, port = where.rpartition(':')
    host = host.strip('[]')
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_STREAM)
    s.connect((host, int(port)))
    return s


def plain(name):
    """A socket's name, the same whether seen from an IPv4 socket or from an IPv6 one that takes both."""
    return (name[0].replace('::ffff:', ''), name[1]) if isinstance(name, tuple) else name


def take_peer(pid, sock):
    """A second descriptor of the other end of sock, which the process pid holds. None if it holds none."""
    me = plain(sock.getsockname())
    pidfd = os.pidfd_open(pid)
    try:
        for name in os.listdir('/proc/%d/fd' % pid):
            try:
                if not stat.S_ISSOCK(os.stat('/proc/%d/fd/%s' % (pid, name)).st_mode):
                    continue
            except FileNotFoundError:
                continue
            fd = libc.syscall(SYS_pidfd_getfd, pidfd, int(name), 0)
            if fd < 0:
                e = ctypes.get_errno()
                raise cases.Skip('pidfd_getfd: %s' % os.strerror(e))
            s = socket.socket(fileno=fd)
            try:
                if plain(s.getpeername()) == me:
                    return s
            except OSError:                     # not connected: a listener
                pass
            s.close()
    finally:
        os.close(pidfd)
    return None


class Talker:
    def __init__(self, t, sock, pid):
        self.sock, self.pid, self.peer = t.own(sock), pid, None
        self.sent = self.got = 0
        self.wrong = self.stopped = False
        self.cond = threading.Condition()
        self.threads = []

    def ask(self, n=1000):
        """One request and its answer: after it the server has accepted us, and rests."""
        data = pattern(self.sent, n)
        self.sock.sendall(data)
        self.sent += n
        while self.got < self.sent:
            cases.check(self._take(self.sock.recv(1 << 16)), 'the connection ended inside an answer')
        cases.check(not self.wrong, 'the answer is not what was sent')

    def hold_peer(self, t):
        """From here on the connection outlives the server."""
        self.peer = take_peer(self.pid, self.sock)
        cases.check(self.peer, 'the server has no such connection')
        t.own(self.peer)

    def fill(self):
        """Sends without reading until nothing moves: the server is inside a write that cannot end by itself."""
        while True:
            try:
                self.sent += self.sock.send(pattern(self.sent, CHUNK), socket.MSG_DONTWAIT)
                continue
            except BlockingIOError:
                pass
            until(lambda: proc_state(self.pid) in 'SZ')
            poll = select.poll()
            poll.register(self.sock, select.POLLOUT)
            if not poll.poll(0):
                break

    def read_on(self):
        """Reads all that comes, in a thread, until the connection ends."""
        self._start(self._read)

    def talk(self):
        """Sends without a pause, and reads, in two threads, until the connection ends."""
        self._start(self._read)
        self._start(self._write)

    def wait_got(self, n):
        with self.cond:
            self.cond.wait_for(lambda: self.got >= n or self.stopped)
        cases.check(self.got >= n, 'the connection ended after %d bytes', self.got)

    def settle(self):
        """After the server has ended: every byte is accounted for. Needs hold_peer()."""
        unread = 0
        self.peer.setblocking(True)             # the flag is shared with the server, which is gone
        self.sock.shutdown(socket.SHUT_WR)      # also wakes a sender that waits for room
        while True:
            data = self.peer.recv(1 << 16)
            if not data:
                break
            unread += len(data)
        self.peer.shutdown(socket.SHUT_WR)      # comes after all that the server wrote
        if not self.threads:
            self.read_on()
        for th in self.threads:
            th.join()
        cases.check(not self.wrong, 'what came back is not what was sent')
        cases.equal(self.got, self.sent - unread, 'bytes echoed of those that the server read')
        return unread

    def _start(self, fn):
        th = threading.Thread(target=fn, daemon=True)
        self.threads.append(th)
        th.start()

    def _take(self, data):
        n = 0
        while n < len(data):
            part = data[n:n + 100000]
            if part != pattern(self.got + n, len(part)):
                self.wrong = True
            n += len(part)
        with self.cond:
            self.got += len(data)
            self.cond.notify_all()
        return len(data)

    def _read(self):
        try:
            while self._take(self.sock.recv(1 << 16)):
                pass
        except OSError:
            pass
        with self.cond:
            self.stopped = True
            self.cond.notify_all()

    def _write(self):
        try:
            while True:
                self.sent += self.sock.send(pattern(self.sent, CHUNK))
        except OSError:
            pass


def refused(address):
    """Connects until it is refused. A connection that was still taken is closed by the server, and does not count."""
    while True:
        try:
            s = connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            return
        try:
            s.recv(1)
        except OSError:
            pass
        s.close()
