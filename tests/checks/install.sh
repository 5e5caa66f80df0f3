#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What "make install" lays down is enough to write a program: the first C program of README.md compiles by
# pkg-config alone, against the shared library and against the static one.
set -euo pipefail

BUILD=${BUILD:-build}
stage=$PWD/$BUILD/stage
[ "${BUILD#/}" = "$BUILD" ] || stage=$BUILD/stage
rm -rf "$stage"
mkdir -p "$stage/program"
"${MAKE:-make}" --no-print-directory -s install BUILD="$BUILD" CC="${CC:-cc}" SAN="${SAN:-}" CONTEXT="${CONTEXT:-}" DESTDIR="$stage" \
	PREFIX=/usr LIBDIR=/usr/lib

awk '/^```c$/ { on = 1; next } /^```$/ && on { exit } on' README.md >"$stage/program/hello.c"
[ -s "$stage/program/hello.c" ] || { echo "README.md shows no program"; exit 1; }

export PKG_CONFIG_PATH=$stage/usr/lib/pkgconfig
where=(--define-variable=prefix="$stage/usr" --define-variable=libdir="$stage/usr/lib")
[ "$(pkg-config --modversion holt)" = "$VERSION" ] || { echo "holt.pc says another version than $VERSION"; exit 1; }
read -ra cflags < <(pkg-config "${where[@]}" --cflags holt)
read -ra libs < <(pkg-config "${where[@]}" --libs holt)
san=()
[ -z "${SAN:-}" ] || san=("-fsanitize=$SAN")

cd "$stage/program"
${CC:-cc} -std=gnu11 -Wall -Wextra -Werror "${san[@]}" "${cflags[@]}" -o hello hello.c "${libs[@]}"
${CC:-cc} -std=gnu11 -Wall -Wextra -Werror "${san[@]}" "${cflags[@]}" -o hello-static hello.c -Wl,-Bstatic -lholt -Wl,-Bdynamic \
	-L"$stage/usr/lib" -lsystemd -pthread
sed -n '/example: simulated\.c/,/^\.\\" end/{/^\.\\"/d; s/\\-/-/g; s/\\e/\\/g; p}' "$OLDPWD/lib/man/holt_sim.3" >simulated.c
read -ra libs < <(pkg-config "${where[@]}" --libs holt-sim)
${CC:-cc} -std=gnu11 -Wall -Wextra -Werror "${san[@]}" "${cflags[@]}" -o simulated simulated.c "${libs[@]}"
readelf -d hello | grep 'NEEDED.*libholt\.so\.0' >/dev/null || { echo "hello does not ask for libholt.so.0"; exit 1; }
