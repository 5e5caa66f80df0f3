#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Installs what holt's building, running and testing need, by apt or dnf, and says what. "make deps" is this.
#
#   deps.sh          all but the next
#   deps.sh arm64    what "make check-arm64" needs beside: cross compiler, qemu, arm64 libraries (Debian and its kin)
#
# Does nothing, and fast, when all is there. Package lists are fetched only when something is missing. What is
# needed and cannot be had is a failure; what only some tests use is tried, and named when it cannot be had: those
# tests then skip and say so. Needs root, or sudo.
set -eu

need_apt="gcc g++ make pkg-config libc6-dev libsystemd-dev libjansson-dev check"
want_apt="clang clang-format clang-tidy mandoc shellcheck valgrind gdb python3 tmux strace jq socat git tzdata \
	systemd systemd-container debootstrap dbus zstd qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
	libuv1-dev libevent-dev libst-dev redis-server nginx dpkg-dev debhelper lintian rpm"
arm64_apt="qemu-user-static gcc-aarch64-linux-gnu libc6-dev-arm64-cross libsystemd-dev:arm64 libjansson-dev:arm64 check:arm64"

need_dnf="gcc gcc-c++ make pkgconf-pkg-config glibc-devel systemd-devel jansson-devel check-devel diffutils findutils"
want_dnf="clang clang-tools-extra mandoc ShellCheck valgrind gdb python3 tmux strace jq socat git tzdata libasan libubsan libtsan \
	systemd systemd-container debootstrap dbus-daemon zstd qemu-user-static gcc-aarch64-linux-gnu libuv-devel libevent-devel \
	redis nginx rpm-build systemd-rpm-macros"

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "deps: this needs root, and there is no sudo: $*" >&2
		return 1
	fi
}

# missing PACKAGE...: those of them that are not installed
missing_apt()
{
	for p; do
		case " $(dpkg-query -W -f '${db:Status-Status} ' "$p" 2>/dev/null)" in
		*" installed "*) ;;
		*) printf '%s ' "$p" ;;
		esac
	done
}

missing_dnf()
{
	for p; do
		rpm -q --whatprovides "$p" >/dev/null 2>&1 || printf '%s ' "$p"
	done
}

refresh_apt()
{
	as_root apt-get -qq update
}

refresh_dnf()
{
	:
}

# What comes with a service shall not run it here, so systemctl is told that nothing is booted.
install_apt()
{
	as_root env SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install "$@"
}

install_dnf()
{
	as_root dnf -q -y --setopt=install_weak_deps=False install "$@"
}

if command -v apt-get >/dev/null; then
	by=apt need=$need_apt want=$want_apt
elif command -v dnf >/dev/null; then
	by=dnf need=$need_dnf want=$want_dnf
else
	echo "deps: neither apt nor dnf here. holt needs a C compiler, make, pkg-config, libsystemd and, for its tests, libcheck." >&2
	exit 1
fi

if [ "${1:-}" = arm64 ]; then
	[ $by = apt ] || { echo "deps: arm64 libraries are installed on Debian and its kin only" >&2; exit 1; }
	need=$arm64_apt want=
	dpkg --print-foreign-architectures | grep -qx arm64 || as_root dpkg --add-architecture arm64
fi

# shellcheck disable=SC2086 # lists of words, all of them
{
	need=$(missing_$by $need)
	want=$(missing_$by $want)
	if [ -z "$need$want" ]; then
		echo "deps: all there"
		exit 0
	fi

	echo "deps: installing $need$want"
	refresh_$by || echo "deps: the package lists could not be fetched anew; going on with those at hand" >&2
	if [ -n "$need" ]; then
		install_$by $need
	fi
	if [ -n "$want" ] && ! install_$by $want; then
		for p in $want; do
			install_$by "$p" || echo "deps: no $p here; what needs it will be skipped" >&2
		done
	fi
}
