# SPDX-License-Identifier: MIT
#
# Turns into a program that was handed descriptors as socket activation does it:
#
#	activate.py NAME=FD[,NAME=FD...] PROGRAM [ARGUMENT...]
#
# The FDs are moved to 3, 4, ... and LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID say so. systemd-socket-activate can only
# listen by itself; this hands over what a test has made, a live connection too.
import os
import sys

pairs = [p.split('=') for p in sys.argv[1].split(',')]
high = [os.dup2(int(fd), 100 + i) for i, (_, fd) in enumerate(pairs)]  # out of the way of 3, 4, ...
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i, inheritable=True)
os.closerange(3 + len(high), 100 + len(high))
os.environ.update(LISTEN_FDS=str(len(pairs)), LISTEN_FDNAMES=':'.join(n for n, _ in pairs), LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
