#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The porting guide, holt-asyncio(7), has every public name of Python 3.11's asyncio, threading, queue, concurrent.futures
# and multiprocessing: those of tests/checks/python-names. And what it marks with "(to come)" is not there yet.
#
# The list is Python 3.11's own word: a machine that has it compares. A newer Python has names more, and fewer, and is not
# asked: the guide is one to 3.11. "tests/checks/porting.sh list" prints the list of the Python that runs.
set -euo pipefail

page=lib/man/holt-asyncio.7
list=tests/checks/python-names

# What a module calls public (__all__), and the public members of its classes. One that is inherited belongs to the
# furthest class that is public, too; loop stands for AbstractEventLoop.
ask_python()
{
	python3 - <<-'END'
	import asyncio, concurrent.futures, importlib, inspect, multiprocessing, queue, threading

	def public(names):
	    return sorted(n for n in names if not n.startswith('_'))

	def say(module, name):
	    print(module, name.replace('AbstractEventLoop.', 'loop.'))

	def members(module, name, cls, known):
	    for member in public(dir(cls)):
	        owners = [b for b in cls.__mro__ if hasattr(b, member) and known.get(b.__name__) is b]
	        if not owners or owners[-1] is cls or name == 'Task':
	            say(module, name + '.' + member)

	def tell(module, names, get, prefix=''):
	    known = {n: get(n) for n in names if inspect.isclass(get(n))}
	    for name in public(names):
	        say(module, prefix + name)
	        if name in known and not issubclass(known[name], (BaseException, tuple)):
	            members(module, prefix + name, known[name], known)

	tell('asyncio', set(asyncio.__all__) | {'TaskGroup'}, lambda n: getattr(asyncio, n))
	tell('asyncio', ['Process'], lambda n: asyncio.subprocess.Process, 'subprocess.')
	for name in 'PIPE', 'STDOUT', 'DEVNULL':
	    say('asyncio', 'subprocess.' + name)
	for module in threading, queue, concurrent.futures:
	    tell(module.__name__, set(module.__all__), lambda n: getattr(module, n))
	for name in 'Lock', 'RLock': # functions that make one
	    for member in public(dir(getattr(threading, name)())):
	        if not member.endswith('_lock'):
	            say('threading', name + '.' + member)
	tell('multiprocessing', set(multiprocessing.__all__), lambda n: getattr(multiprocessing, n))
	for name, inside in ('Pool', 'pool'), ('AsyncResult', 'pool'):
	    members('multiprocessing', name, getattr(importlib.import_module('multiprocessing.' + inside), name), {})
	for inside, names in ('connection', ('Client', 'Connection', 'Listener', 'wait')), ('shared_memory', ()), ('managers', ()):
	    module = importlib.import_module('multiprocessing.' + inside)
	    for name in names or [n for n in module.__all__ if n in ('SharedMemory', 'ShareableList', 'BaseManager', 'SyncManager')]:
	        say('multiprocessing', inside + '.' + name)
	        if names and inspect.isclass(getattr(module, name)):
	            members('multiprocessing', inside + '.' + name, getattr(module, name), {})
	END
}

sorted() { LC_ALL=C sort -u; }
version() { python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true; }

if [ "${1:-}" = list ]; then
	ask_python | sorted
	exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# say SENTENCE FILE: each of its lines is wrong in this way
say()
{
	[ ! -s "$2" ] || { sed "s|\$|: $1|" "$2"; failed=1; }
}

grep -v '^#' "$list" | sorted >"$work/list"
awk '$2 == "names:" { module = $3 } $1 == ".It" && $2 == "Cm" && module { for (i = 3; i <= NF; i++) if ($i != ",") print module, $i }' \
	"$page" | sorted >"$work/page"
LC_ALL=C comm -23 "$work/list" "$work/page" >"$work/missing"
say "not in $page" "$work/missing"

# A row says "(to come)" when it names a function that no header declares yet, and only then.
grep -ohE '\bholt_[a-z0-9_]+' lib/include/holt/*.h | sorted >"$work/declared"
awk -v declared="$work/declared" '
	function row() {
		if (absent && !marked)
			print title ": " absent " is not declared, and not marked as to come"
		if (marked && !absent)
			print title ": is marked as to come, but all that it names is declared"
		absent = marked = ""
	}
	BEGIN { while ((getline name <declared) > 0) known[name] = 1 }
	/^\.It/ { if (filled) row(); sub(/^.It Cm /, ""); title = filled ? $0 : title " " $0; filled = 0; next }
	/^\.(El|Sh|Ss)/ { row(); filled = 1; next }
	{ filled = 1 }
	/to come/ { marked = 1 }
	$1 == ".Fn" && !($2 in known) { absent = $2 }
' <(sed -n '/^\.Sh NAMES/,/^\.Sh SEE/p' "$page") >"$work/marks"
say "in $page" "$work/marks"
[ $failed = 0 ] || exit 1

case $(version) in
"")
	echo "there is no python3 to compare $list with"
	exit 77
	;;
3.11)
	ask_python | sorted >"$work/python"
	LC_ALL=C comm -3 "$work/list" "$work/python" | tr -d '\t' >"$work/differs"
	say "is in one of $list and Python 3.11 only" "$work/differs"
	;;
3.[0-9] | 3.10)
	echo "python3 is older than 3.11, and cannot be compared with $list"
	exit 77
	;;
*) ;; # newer: what it added is no matter of the guide, and what it dropped stays there
esac
exit $failed
