/* SPDX-License-Identifier: MIT */
/*
 * holt/stream.h - buffered streams: lines, marks and exact counts from a descriptor, and writes that do not wait
 *
 * asyncio's StreamReader and StreamWriter in one. <holt/io.h> brings it along.
 *
 * READING takes from the kernel what is there, at once, and hands out of that what was asked for: a hundred short
 * lines that came together cost one system call. Nothing is read ahead of a reader: while no task reads, what
 * comes stays with the kernel, which holds back the peer. A call that did not succeed (canceled, the line too
 * long, the end inside) has consumed nothing: the bytes stay, and the next read of any kind finds them.
 * One task reads at a time.
 *
 * WRITING copies, and returns. What was written goes out by itself, whatever the task does next: all
 * that was written in a turn of the loop together, in one system call, before the loop looks for events; and what
 * the kernel had no room for as soon as it has. So a request is out when its writer waits for the
 * answer, with no flush between. Each write is taken whole or not at all, and those of several tasks are
 * not mixed. While more than .buffer bytes wait to go out, a write waits until there are no more than
 * a quarter of it: a slow peer holds back who writes to it. holt_stream_flush() waits until all is with the
 * kernel; a task that computes for long calls it to have its bytes sent before.
 *
 * AN ERROR of sending ends the writing side: what was not sent is dropped, and each later write, flush and end
 * tells it. An error of the connection met in reading is told again by each later read, when what came before it has been
 * read: a broken stream never looks like one that came to its end.
 *
 * Lengths count, not NULs: a line may hold zero bytes.
 */
#ifndef HOLT_STREAM_H
#define HOLT_STREAM_H

#include <stdbool.h>

#include <holt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

HOLT__AUTO(stream, holt_stream *) /* closes it */

/**
 * struct holt_stream_options - options of holt_stream_open()
 * @size: set by the macro
 * @limit: bytes of the longest line or piece, its newline or mark not counted; 0: 64 KiB. A bound on what a peer can make us hold
 * @buffer: how many written bytes may wait to go out before a write waits; 0: 64 KiB
 * @keep_fd: closing the stream leaves the descriptor open
 */
struct holt_stream_options {
	size_t size;
	size_t limit, buffer;
	bool keep_fd;
};

/**
 * holt_stream_open(), holt_stream_open_with() - a stream on a descriptor
 * @ret: the stream, which the caller closes; see holt_auto(stream)
 * @fd: a connected stream socket, one end of a pipe, a terminal; taken on success, unless .keep_fd. While the
 *	stream is open, nobody else reads from it or writes to it
 * @o: options, or NULL; the macro takes them by name: holt_stream_open(&s, fd, .limit = 4096)
 *
 * Does not suspend, and asks the system for nothing: what @fd is, is seen at the first use. Allowed outside
 * tasks. Returns 0, or:
 * -EBADF: @fd is negative.
 * -EINVAL: NULL for @ret.
 * -E2BIG: options that this library does not know.
 * -ENOMEM: no memory.
 */
HOLT_EXPORT int holt_stream_open_with(holt_stream **ret, int fd, const struct holt_stream_options *o);
#ifndef __cplusplus
#define holt_stream_open(ret, fd, ...) \
	holt_stream_open_with(ret, fd, &(struct holt_stream_options){ .size = sizeof(struct holt_stream_options), __VA_ARGS__ })
#endif

/**
 * holt_stream_read() - read what there is, waiting for the first byte
 * @s: the stream
 * @buf: where to put it
 * @n: bytes at most
 *
 * Suspends, if nothing is buffered. Returns how many bytes; 0 at the end, and for an @n of 0; or:
 * -EBUSY: another task is in a read of this stream, as all four reads say.
 * -errno of holt_read(), as all four reads; the connection's own again and again.
 * -ENOMEM: no memory for the buffer.
 * -ECANCELED, -EPERM: as always.
 */
HOLT_EXPORT ssize_t holt_stream_read(holt_stream *s, void *buf, size_t n);

/**
 * holt_stream_read_exactly() - read so many bytes and no fewer
 * @s: the stream
 * @buf: where to put them; not touched on an error
 * @n: how many; may be more than .limit: the buffer grows to it
 *
 * Suspends, if fewer are buffered. Returns @n, or:
 * -ENODATA: the stream ended before. What there is stays to be read: a holt_stream_read() that says 0 tells that it ended
 *	between two pieces and not inside of one.
 * the others as holt_stream_read().
 */
HOLT_EXPORT ssize_t holt_stream_read_exactly(holt_stream *s, void *buf, size_t n);

/**
 * holt_stream_read_line() - read a line
 * @s: the stream
 * @ret_line: the line, a NUL in place of its newline; borrowed until the next read or the close of @s, and
 *	writable. NULL: the end
 *
 * Only the newline is taken off; a carriage return before it stays, as in asyncio. What stands behind the last newline is
 * a line, too. When a line is too long, its beginning stays to be read: holt_stream_read() takes
 * what there is, and the next line read is then the rest of the long one.
 *
 * Suspends, if no whole line is buffered. Returns the length of the line, or 0 with NULL for @ret_line at the end; or:
 * -EMSGSIZE: the line is longer than .limit.
 * the others as holt_stream_read().
 */
HOLT_EXPORT ssize_t holt_stream_read_line(holt_stream *s, char **ret_line);

/**
 * holt_stream_read_until() - read up to a mark
 * @s: the stream
 * @mark: the bytes that end a piece
 * @mark_size: how many; at least 1
 * @ret_data: the piece, the mark included, as in asyncio; not NUL-terminated; borrowed as a line is. NULL: the end
 *
 * Suspends, if no whole piece is buffered. Returns the bytes of the piece with its mark, or 0 with NULL for
 * @ret_data at the end; or:
 * -ENODATA: the stream ended behind bytes without a mark, which stay to be read.
 * -EMSGSIZE: the piece is longer than .limit, the mark not counted; it stays, as a long line does.
 * -EINVAL: no mark.
 * the others as holt_stream_read().
 */
HOLT_EXPORT ssize_t holt_stream_read_until(holt_stream *s, const void *mark, size_t mark_size, void **ret_data);

/**
 * holt_stream_write() - write bytes
 * @s: the stream
 * @buf: the bytes, copied
 * @n: how many; taken whole, however many they are
 *
 * Suspends while more than .buffer bytes wait to go out; several that wait are served first come, first
 * served. Returns 0, all of them taken; or, and none of them is:
 * -EPIPE: after holt_stream_end(); or the peer reads no more.
 * -errno of sending, now or before.
 * -ENOMEM: no memory for them.
 * -ECANCELED, -EPERM: as always.
 */
HOLT_EXPORT int holt_stream_write(holt_stream *s, const void *buf, size_t n);

/**
 * holt_stream_printf() - write formatted text
 * @s: the stream
 * @fmt: as for printf(3), with what it needs
 *
 * Suspends, and returns, as holt_stream_write(): the whole text is taken or nothing of it; or -errno of vsnprintf(3).
 */
HOLT_EXPORT int holt_stream_printf(holt_stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * holt_stream_flush() - wait until what was written is with the kernel
 * @s: the stream
 *
 * What other tasks write meanwhile is not waited for.
 *
 * Suspends, if the kernel has no room. Returns 0; -errno of sending, now or before; -ECANCELED, and the bytes go on going out;
 * -EPERM outside tasks.
 */
HOLT_EXPORT int holt_stream_flush(holt_stream *s);

/**
 * holt_stream_end() - send all, then tell the peer that no more comes
 * @s: the stream
 *
 * The peer of a socket reads its end then, while reading from @s goes on. Other descriptors have no half that could be shut: for
 * them it is a flush, and the end comes with the close.
 *
 * Suspends, if the kernel has no room. Returns 0, also when it was ended before; -errno of sending or of
 * shutdown(2); -ECANCELED, with nothing shut; -EPERM outside tasks.
 */
HOLT_EXPORT int holt_stream_end(holt_stream *s);

/**
 * holt_stream_close() - close a stream
 * @s: the stream, or NULL; taken. A task that waits in it would be left with freed memory, so that aborts with one
 *	sentence: close the group of those who use it first
 *
 * What was written and is not out yet is offered to the kernel once more, without waiting; what it does not take is lost, and nobody
 * is told. To know, call holt_stream_flush() or holt_stream_end() before. What was read ahead is lost, too, which counts with
 * .keep_fd only.
 *
 * Does not suspend. Allowed outside tasks. Returns NULL.
 */
HOLT_EXPORT holt_stream *holt_stream_close(holt_stream *s);

#ifdef __cplusplus
}
#endif
#endif
