#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The seams hold: memory comes through lib/base/alloc.c and the kernel through lib/sys, so that a simulator can
# stand in both places. An object elsewhere that refers to one of libc's functions below goes round them. Read from
# the symbols of this build's objects, so a macro cannot hide it.
set -euo pipefail

memory='malloc calloc realloc reallocarray free posix_memalign aligned_alloc memalign strdup strndup asprintf vasprintf
	open_memstream getline getdelim'
files='read write readv writev pread pwrite pread64 pwrite64 preadv2 pwritev2 open open64 openat openat64 creat close dup dup2 dup3
	pipe pipe2 fcntl fcntl64 ioctl lseek fsync splice sendfile memfd_create unlink rename flock stat lstat fstat close_range
	fopen fdopen freopen tmpfile popen opendir readdir dprintf vdprintf'
sockets='socket socketpair bind listen accept accept4 connect shutdown send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg
	getsockopt setsockopt getsockname getpeername getaddrinfo'
events='epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll select pselect timerfd_create
	timerfd_settime timerfd_gettime eventfd eventfd_read eventfd_write signalfd inotify_init inotify_init1 inotify_add_watch pidfd_open pidfd_send_signal'
clocks='clock_gettime clock_nanosleep gettimeofday time nanosleep sleep usleep random rand getrandom getentropy'
processes='fork vfork clone posix_spawn posix_spawnp execve execv execvp execvpe execl waitpid waitid wait4 kill getpgid prctl system popen syscall
	mmap mmap64 munmap mprotect madvise'

# OBJECT FUNCTION: what may go round them, each with its reason
allowed='
lib/sim/leaks.o opendir
lib/sim/leaks.o readdir
'

BUILD=${BUILD:-build}
objects=$(find "$BUILD/obj/lib" -name '*.o' -not -path '*/obj/lib/examples/*' -not -path '*/obj/lib/sys/*' \
	-not -path '*/obj/lib/base/alloc.o' 2>/dev/null | sort || true)
[ -n "$objects" ] || { echo "no objects in $BUILD/obj/lib"; exit 1; }

# shellcheck disable=SC2086 # a list
bad=$(${NM:-nm} -A -P -u $objects | awk -v list="$memory $files $sockets $events $clocks $processes" -v allowed="$allowed" '
	BEGIN {
		n = split(list, f, "[ \n\t]+")
		for (i = 1; i <= n; i++)
			forbidden[f[i]] = 1
		n = split(allowed, line, "\n")
		for (i = 1; i <= n; i++) {
			split(line[i], w, " ")
			fine[w[1] " " w[2]] = 1
		}
	}
	{
		sub(/:$/, "", $1)
		sub(/.*\/obj\//, "", $1)
		name = $2
		sub(/@.*/, "", name)
		if (name ~ /^__.*_chk$/) # as _FORTIFY_SOURCE calls it
			name = substr(name, 3, length(name) - 6)
		if (name in forbidden && !($1 " " name in fine))
			print $1 ": calls " name "() itself"
	}')
[ -z "$bad" ] || { echo "$bad"; exit 1; }

# Processes are made in one place of the whole tree.
objects=$(find "$BUILD/obj/lib" "$BUILD/obj/daemon" -name '*.o' -not -path '*/obj/lib/examples/*' -not -path '*/obj/lib/sys/spawn.o' 2>/dev/null | sort || true)
# shellcheck disable=SC2086 # a list
bad=$(${NM:-nm} -A -P -u $objects | sed 's/@[^ ]*//' |
	awk '$2 ~ /^(v?fork|_Fork|clone|posix_spawnp?|f?exec[vl]p?e?|system|popen)$/ { sub(/:$/, "", $1); print $1 ": calls " $2 "()" }')
[ -z "$bad" ] || { echo "$bad"; echo "only lib/sys/spawn.c makes processes"; exit 1; }
