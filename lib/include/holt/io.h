/* SPDX-License-Identifier: MIT */
/*
 * holt/io.h - the system's reads, writes and sockets, as calls that suspend only the calling task
 *
 * Buffered streams of lines are <holt/stream.h>, which comes along.
 *
 * Descriptors stay plain ints, and the calls are named and behave like those of the system, with
 * -errno in place of errno. Each tries first and waits only if it must. Errors of the system's call
 * of that name are returned as they are; below only those that are ours are listed. EINTR never
 * comes out, and EAGAIN only from a time-out that the program set on the socket itself.
 *
 * RESULT WINS here, too: a read that returned bytes has taken them, one that says -ECANCELED has taken
 * none. A deadline is a scope around the call (<holt/scope.h>).
 *
 * NON-BLOCKING MODE is set by us on first use, and stays. Except for terminals and inherited stdio
 * (0, 1, 2), which others share: those are never made non-blocking, whatever kills us; there a call
 * waits for readiness and takes what is there.
 *
 * REGULAR FILES are always ready for the kernel: in this version the call is made directly, and may
 * block the loop for the disk's time.
 *
 * CLOSING. holt_close() is for every descriptor that was used with these calls: it wakes who waits
 * with -EBADF, and forgets it in the loop. A number that was closed behind our back and is another
 * file now is noticed at the next wait by a task.
 *
 * Several tasks may wait on one descriptor; first come, first served. One that writes while another
 * reads is the usual case. Two that write at once may mix their bytes, as with the system's.
 *
 * SIGPIPE: holt_service_run() ignores it. Others get it as always from a write to a closed pipe or
 * socket, unless they ignore it or pass MSG_NOSIGNAL.
 *
 * All functions but holt_close() suspend: they are cancellation points, and say -EPERM outside tasks.
 *
 * ADDRESSES, for holt_listen() and holt_dial():
 *
 *	tcp:HOST:PORT   numeric: tcp:127.0.0.1:80, tcp:[::1]:80; or tcp:localhost:80, which is the
 *	                loopback (RFC 6761). To listen also tcp:*:80 and tcp:[::]:80 for any, and port 0
 *	                for a free one. No names in this version
 *	unix:/run/x     a path, absolute
 *	unix:@abstract  a name in the abstract namespace
 *	fd:NAME         an inherited listener or connection of that name, from socket activation or from
 *	                the fd store; taken: it is found once (see holt_listen_fds())
 */
#ifndef HOLT_IO_H
#define HOLT_IO_H

#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <holt/base.h>
#include <holt/stream.h>
#include <holt/time.h>
#include <holt/watch.h>

#ifdef __cplusplus
extern "C" {
#endif

HOLT__AUTO(fd, int) /* closes it with holt_close(), unless it is negative */

/**
 * holt_read() - read what there is, waiting for the first byte
 * @fd: any descriptor that read(2) takes
 * @buf: where to put it
 * @n: bytes at most
 *
 * Suspends. Returns how many bytes, perhaps fewer than @n; 0 at the end; or -errno of read(2), among
 * them -EBADF when holt_close() came meanwhile; -ECANCELED; -EPERM outside tasks; -ENOMEM and
 * -ENOSPC when the loop cannot watch one more descriptor.
 */
HOLT_EXPORT ssize_t holt_read(int fd, void *buf, size_t n);

/**
 * holt_write() - write what fits, waiting for room for the first byte
 * @fd: any descriptor that write(2) takes
 * @buf: the bytes
 * @n: how many
 *
 * Suspends. Returns how many were written, perhaps fewer than @n (see holt_write_full()); or -errno
 * of write(2), and those of ours as for holt_read().
 */
HOLT_EXPORT ssize_t holt_write(int fd, const void *buf, size_t n);

/**
 * holt_readv() - holt_read() into several buffers
 * @fd: the descriptor
 * @v: the buffers
 * @n: how many buffers
 *
 * Suspends. Returns as holt_read(), and -errno of readv(2).
 */
HOLT_EXPORT ssize_t holt_readv(int fd, const struct iovec *v, int n);

/**
 * holt_writev() - holt_write() from several buffers
 * @fd: the descriptor
 * @v: the buffers
 * @n: how many buffers
 *
 * Suspends. Returns as holt_write(), and -errno of writev(2).
 */
HOLT_EXPORT ssize_t holt_writev(int fd, const struct iovec *v, int n);

/**
 * holt_recv() - receive from a socket, waiting for something to come
 * @fd: the socket
 * @buf: where to put it
 * @n: bytes at most
 * @flags: those of recv(2)
 *
 * Suspends. Returns how many bytes; 0 at the end; or -errno of recv(2), and those of ours as for
 * holt_read().
 */
HOLT_EXPORT ssize_t holt_recv(int fd, void *buf, size_t n, int flags);

/**
 * holt_send() - send on a socket, waiting for room
 * @fd: the socket
 * @buf: the bytes
 * @n: how many
 * @flags: those of send(2)
 *
 * Suspends. Returns how many were sent, perhaps fewer than @n; or -errno of send(2), and those of
 * ours as for holt_read().
 */
HOLT_EXPORT ssize_t holt_send(int fd, const void *buf, size_t n, int flags);

/**
 * holt_recvmsg() - receive a message, with its address and control data
 * @fd: the socket
 * @m: as for recvmsg(2); written when something came
 * @flags: those of recvmsg(2); MSG_CMSG_CLOEXEC is the caller's to set
 *
 * Suspends. Returns as holt_recv(), and -errno of recvmsg(2).
 */
HOLT_EXPORT ssize_t holt_recvmsg(int fd, struct msghdr *m, int flags);

/**
 * holt_sendmsg() - send a message, with an address and control data
 * @fd: the socket
 * @m: as for sendmsg(2); descriptors in it stay the caller's
 * @flags: those of sendmsg(2)
 *
 * Suspends. Returns as holt_send(), and -errno of sendmsg(2).
 */
HOLT_EXPORT ssize_t holt_sendmsg(int fd, const struct msghdr *m, int flags);

/**
 * holt_read_full() - read until a buffer is full
 * @fd: the descriptor
 * @buf: where to put it
 * @n: how many bytes
 *
 * Suspends. Returns @n; fewer: the end came, or the caller was canceled after some had been read,
 * which then are counted, and the next call says -ECANCELED; or the errors of holt_read().
 */
HOLT_EXPORT ssize_t holt_read_full(int fd, void *buf, size_t n);

/**
 * holt_write_full() - write all of a buffer
 * @fd: the descriptor
 * @buf: the bytes
 * @n: how many
 *
 * Suspends. Returns @n; fewer: the caller was canceled after some had been written, and the next call
 * says -ECANCELED; or the errors of holt_write().
 */
HOLT_EXPORT ssize_t holt_write_full(int fd, const void *buf, size_t n);

/**
 * holt_accept() - take the next connection
 * @fd: a listening socket
 * @addr: where to put the peer's address; NULL: nowhere
 * @len: in: bytes at @addr; out: bytes of the address; as for accept(2); NULL with @addr
 *
 * The new descriptor is CLOEXEC and non-blocking, and the caller's. Errors that are the passing
 * connection's own (-ECONNABORTED and the network's) do not come out: it goes on with the next. While
 * descriptors or memory are used up (EMFILE, ENFILE, ENOBUFS, ENOMEM) it waits until one is closed by
 * holt_close(), or 100 ms, and says so once in the log: no busy loop, no end of the server.
 *
 * Suspends. Returns the descriptor, or -errno of accept4(2) that tells of @fd itself; -EBADF when
 * holt_close() came meanwhile; -ECANCELED, with no connection lost; -EPERM outside tasks.
 */
HOLT_EXPORT int holt_accept(int fd, struct sockaddr *addr, socklen_t *len);

/**
 * holt_connect() - connect a socket
 * @fd: the socket, which stays the caller's
 * @addr: where to
 * @len: bytes at @addr
 *
 * Suspends until it is connected or refused. Returns 0, or -errno of connect(2), the outcome that
 * came later among them; -ECANCELED: not connected, and all that can be done with @fd is to close it.
 */
HOLT_EXPORT int holt_connect(int fd, const struct sockaddr *addr, socklen_t len);

/**
 * holt_wait_fd() - wait for events on anybody's descriptor
 * @fd: the descriptor, of a foreign library for example; its mode is not changed
 * @events: EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP; EPOLLERR and EPOLLHUP always count
 *
 * Level-triggered, as poll(2): what is there already is returned at once. Leaves nothing behind in
 * the loop, so the owner may close it afterwards as it likes.
 *
 * Suspends. Returns the events that came, or:
 * -EBADF: not open, or holt_close() came meanwhile.
 * -EINVAL: other bits than those above.
 * -ENOMEM, -ENOSPC: the loop cannot watch one more descriptor.
 * -ECANCELED, -EPERM: as always.
 */
HOLT_EXPORT int holt_wait_fd(int fd, unsigned events);

/**
 * holt_close() - close a descriptor, and wake who waits on it
 * @fd: the descriptor; taken, whatever is returned
 *
 * For every descriptor used with the calls above, on the loop in which it was used. Who waits on it
 * gets -EBADF.
 *
 * Does not suspend. Allowed outside tasks. Returns 0, or -errno of close(2): -EBADF when it was none;
 * never -EINTR.
 */
HOLT_EXPORT int holt_close(int fd);

/**
 * struct holt_listen_options - options of holt_listen()
 * @size: set by the macro
 * @backlog: how many connections may wait to be accepted; 0: SOMAXCONN
 * @reuse_port: SO_REUSEPORT: several loops or processes have a listener each on one tcp port
 * @mode: permissions of the socket at a unix path; 0: as the umask says
 */
struct holt_listen_options {
	size_t size;
	int backlog;
	bool reuse_port;
	mode_t mode;
};

/**
 * holt_listen(), holt_listen_with() - a listening socket at an address
 * @address: see above; "fd:NAME" takes an inherited one, for which the options count for nothing
 * @o: options, or NULL; the macro takes them by name: holt_listen("unix:/run/x", .mode = 0660)
 *
 * SO_REUSEADDR is set. tcp:[::]:N listens on both families where the system's bindv6only says so, and
 * on 0.0.0.0 where the machine has no IPv6. A unix path is replaced if it is a stale socket's, never if
 * somebody listens on it, and never if it is no socket. It is not removed at close.
 *
 * Suspends by contract; in this version nothing in it waits. Returns a CLOEXEC, non-blocking
 * descriptor, which the caller closes by holt_close(), or:
 * -EINVAL: not an address, a negative backlog, or a mode with more than permissions.
 * -ENOENT: no inherited descriptor of that name, or no such directory.
 * -EADDRINUSE: somebody listens there, or the path is no socket.
 * -E2BIG: options that this library does not know.
 * -errno of socket(2), bind(2) and listen(2); -ECANCELED; -EPERM outside tasks.
 */
HOLT_EXPORT int holt_listen_with(const char *address, const struct holt_listen_options *o);
#ifndef __cplusplus
#define holt_listen(address, ...) \
	holt_listen_with(address, &(struct holt_listen_options){ .size = sizeof(struct holt_listen_options), __VA_ARGS__ })
#endif

/**
 * struct holt_dial_options - options of holt_dial()
 * @size: set by the macro
 * @from: for tcp the local address, numeric: HOST:PORT or HOST; NULL: the system's choice
 */
struct holt_dial_options {
	size_t size;
	const char *from;
};

/**
 * holt_dial(), holt_dial_with() - a connection to an address
 * @address: see above; "fd:NAME" takes an inherited connection
 * @o: options, or NULL; the macro takes them by name
 *
 * tcp:localhost:N tries both loopbacks. On every error, -ECANCELED among them, nothing is left open.
 *
 * Suspends. Returns a CLOEXEC, non-blocking descriptor, which the caller closes by holt_close(), or:
 * -EINVAL: not an address, or .from is none.
 * -ENOENT: no inherited descriptor of that name, or no such path.
 * -E2BIG: options that this library does not know.
 * -errno of socket(2), bind(2) and connect(2); -ECANCELED; -EPERM outside tasks.
 */
HOLT_EXPORT int holt_dial_with(const char *address, const struct holt_dial_options *o);
#ifndef __cplusplus
#define holt_dial(address, ...) \
	holt_dial_with(address, &(struct holt_dial_options){ .size = sizeof(struct holt_dial_options), __VA_ARGS__ })
#endif

/**
 * holt_signal_wait() - wait for a signal
 * @sig: its number
 * @ret: who sent it, and with what; may be NULL
 *
 * The signal is taken from the process's default handling at the first call, and stays with the loop
 * until holt_run() returns, so that none is lost between two waits; the same signals that come in
 * between become one. Several waiters are served first come, first served, one each.
 *
 * It works best in the main thread, before other threads start: those must have it blocked, or they
 * take it.
 *
 * Suspends. Returns 0, or:
 * -EINVAL: no signal's number, SIGKILL, SIGSTOP, or SIGSEGV and its like, which tell of this thread's
 *	own fault.
 * -EBUSY: one that holt_service_run() handles itself.
 * -ENOMEM, -EMFILE, -ENFILE: no memory, or no descriptor.
 * -ECANCELED, with no signal lost; -EPERM outside tasks.
 *
 * From trio.open_signal_receiver().
 */
HOLT_EXPORT int holt_signal_wait(int sig, struct signalfd_siginfo *ret);

#ifdef __cplusplus
}
#endif
#endif
