# SPDX-License-Identifier: MIT
#
# What the system tests share. Each module does one thing:
#
#   cases     a file of cases: names, one line each, time limits, skips, cleaning up
#   notify    a fake service manager: the other end of NOTIFY_SOCKET
#   process   one program under test, its exit, its log, its terminal
#   echo      clients of an echo server that count every byte
#   journal   journal entries as they come; a journald of our own
#   root      a root folder of a distribution, kept as a tarball
#   machine   that root, booted, with its own cgroup and network
#
# Python's standard library only. Waits are for events, never for time; the only clock is a case's limit.
