#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The floors of lib/: a file includes only its own floor and those before it, and calls only functions of those.
# The first is read from the sources, the second from the symbols of the objects, if this build has them.
# A public header belongs to a floor too. log.h is everybody's, the umbrella header is for users only.
# The daemon stands on the public headers and lib/base.
set -euo pipefail

floors="base sys loop task sync work io supervise varlink service inspect sim"
# run.h also declares what the loop itself defines (holt_now, holt_loop_call)
areas="base=base run=loop scope=task group=task task=task sync=sync queue=sync future=sync work=work io=io stream=io time=io watch=io
	supervise=supervise varlink=varlink service=service log=base inspect=inspect sim=sim"
# What is defined on a higher floor than it is called from, by design: the log writes to the journal.
upward='^holt_log(_at|_level|_sink)?$'

bad=$(
	tests/checks/files 'lib/*' 'daemon/*' | grep '\.[chS]$' | grep -v -e '^lib/examples/' -e '^lib/man/' | tr '\n' '\0' |
	xargs -0 -r awk -v floors="$floors" -v areas="$areas" '
	BEGIN {
		n = split(floors, f, " ")
		for (i = 1; i <= n; i++)
			rank[f[i]] = i
		n = split(areas, a, "[ \n\t]+")
		for (i = 1; i <= n; i++) {
			split(a[i], pair, "=")
			area[pair[1]] = pair[2]
		}
	}
	function complain(what) { print FILENAME ":" FNR ": " what }
	FNR == 1 {
		split(FILENAME, part, "/")
		own = part[1] == "daemon" ? "daemon" : part[2]
		if (own == "include") {
			own = part[3]
			sub(/\.h$/, "", part[4])
			own = part[3] == "holt" && part[4] in area ? area[part[4]] : "umbrella"
		}
		if (own != "daemon" && own != "umbrella" && !(own in rank))
			complain("lib/" own " is no floor")
	}
	/^[ \t]*#[ \t]*include/ {
		name = $0
		sub(/^[^<"]*[<"]/, "", name)
		sub(/[>"].*/, "", name)
		if (own == "umbrella" || name ~ /^sys\// && $0 ~ /</)
			next
		if (name == "holt.h" || name == "holt/holt.h") {
			complain("the umbrella header is for users only")
		} else if (name ~ /^holt\//) {
			sub(/^holt\//, "", name)
			sub(/\.h$/, "", name)
			if (!(name in area))
				complain("holt/" name ".h belongs to no floor")
			else if (own != "daemon" && name != "log" && rank[area[name]] > rank[own])
				complain(own " includes holt/" name ".h of " area[name] ", a later floor")
		} else if ($0 ~ /"/ && name ~ /\//) {
			split(name, to, "/")
			if (own == "daemon" ? to[1] != "base" && to[1] != "daemon" : !(to[1] in rank))
				complain(own " includes " name)
			else if (own != "daemon" && rank[to[1]] > rank[own])
				complain(own " includes " name ", a later floor")
		} else if ($0 ~ /"/) {
			beside = FILENAME
			sub(/[^\/]*$/, name, beside)
			if ((getline line < beside) < 0)
				complain(name " is not beside it")
			close(beside)
		}
	}'
)

objects=$(find "${BUILD:-build}/obj/lib" -name '*.o' -path '*/obj/lib/*' -not -path '*/examples/*' 2>/dev/null | sort || true)
if [ -n "$objects" ]; then
	# shellcheck disable=SC2086 # a list
	calls=$(${NM:-nm} -A -P $objects | awk -v floors="$floors" -v upward="$upward" '
	BEGIN {
		n = split(floors, f, " ")
		for (i = 1; i <= n; i++)
			rank[f[i]] = i
	}
	{
		sub(/:$/, "", $1)
		object = $1
		sub(/.*\/obj\/lib\//, "", object)
		split(object, part, "/")
		if ($3 == "U" || $3 == "w")
			need[object " " $2] = part[1]
		else if ($3 ~ /[A-Z]/)
			home[$2] = part[1]
	}
	END {
		for (k in need) {
			split(k, w, " ")
			if (w[2] in home && rank[home[w[2]]] > rank[need[k]] && w[2] !~ upward)
				print "lib/" w[1] " uses " w[2] "() of " home[w[2]] ", a later floor"
		}
	}' | sort)
	bad=$(printf '%s\n%s' "$bad" "$calls" | sed '/^$/d')
fi

[ -z "$bad" ] || { echo "$bad"; exit 1; }
