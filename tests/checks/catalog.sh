#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Each MESSAGE_ID of the sources is explained in the catalog, once, and the catalog explains no others; and
# journalctl can read the catalog, where there is one to ask.
set -eu

ids() { sed -n 's/.*"\([0-9a-f]\{32\}\)".*/\1/p' lib/base/messages.h daemon/messages.h | sort; }
explained() { sed -n 's/^-- \([0-9a-f]\{32\}\)$/\1/p' units/*.catalog | sort; }

if [ "$(ids)" != "$(explained)" ]; then
	echo "lib/base/messages.h, daemon/messages.h and units/*.catalog do not have the same ids, each once:"
	{ ids; explained; } | sort | uniq -c | awk '$1 != 2'
	exit 1
fi
command -v journalctl >/dev/null || exit 0
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/usr/lib/systemd/catalog" "$root/var/lib/systemd/catalog"
cp units/*.catalog "$root/usr/lib/systemd/catalog/"
journalctl --root="$root" --update-catalog
listed=$(journalctl --root="$root" --list-catalog | wc -l)
if [ "$listed" -ne "$(ids | wc -l)" ]; then
	echo "journalctl sees $listed entries in the catalog, not $(ids | wc -l)"
	exit 1
fi
