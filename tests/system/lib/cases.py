# SPDX-License-Identifier: MIT
#
# A file of cases. Each case is a function that is named as a claim and takes one argument, the case itself:
#
#	@case
#	def a_stop_is_announced_once(t):
#		...
#	cases.main()
#
# It prints one line per case, which tests/system/run counts, whatever language a test is written in:
#
#	PASS claim
#	FAIL claim: why                 then what is known, each line after "    | "
#	SKIP claim: reason
#
# What a case began (processes, sockets, mounts, containers) hangs on t.stack and is ended with it, newest first, also
# when the case failed, ran out of time or was interrupted. What cases share hangs on the session's stack. The limit of a
# case is a guard against a hang, nothing is measured by it. A file ends with status 0 if no case failed.
#
# It will not retry, and will not run two cases at once.
import contextlib
import os
import resource
import signal
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get('BUILD') or 'build')
ECHOD = os.path.join(BUILD, 'examples/echod')
PROBE = os.path.join(BUILD, 'system/probe')
LIBHOLT = os.path.join(BUILD, 'libholt.so.0')
SAN = os.environ.get('SAN', '')
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Failed(Exception):
    """A claim that did not hold."""


class Skip(Exception):
    """What a case needs is not here. Says what."""


class Overrun(BaseException):
    """The case's limit has passed. Not an Exception, so that no cleaning up takes it for its own."""


class Interrupted(BaseException):
    """We were asked to end."""


def check(held, why, *args):
    if not held:
        raise Failed(why % args if args else why)


def equal(got, wanted, what):
    check(got == wanted, '%s: %.300r, not %.300r', what, got, wanted)


class Owner:
    """Something that things hang on: a case, or what cases share."""
    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.known = []                         # functions that give text, asked only when a case failed

    def own(self, thing):
        """Closes thing with us. Gives it back."""
        self.stack.callback(thing.close)
        return thing

    def tell(self, fn):
        """If the case fails, the text that fn() gives is shown."""
        self.known.append(fn)

    def close(self):
        self.stack.close()


class Case(Owner):
    def __init__(self, fn, limit, name=None):
        super().__init__()
        self.fn, self.limit, self.name = fn, limit, name or fn.__name__

    def folder(self):
        """A new folder that goes with the case. Its path is short enough for a unix socket."""
        return self.stack.enter_context(tempfile.TemporaryDirectory(prefix='holt-'))

    def evidence(self):
        for fn in self.known:
            try:
                yield from str(fn()).splitlines()
            except Exception as e:              # it must never hide the failure itself
                yield '(evidence: %r)' % e


def need_root():
    if os.geteuid() != 0:
        raise Skip('not root')


def need(*programs):
    for p in programs:
        if not found(p):
            raise Skip('no %s here' % p)


def found(program):
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin:/usr/lib/systemd:/lib/systemd'
    for folder in path.split(':'):
        p = os.path.join(folder, program)
        if folder and os.access(p, os.X_OK) and os.path.isfile(p):
            return p
    return None


all_cases = []
session = contextlib.ExitStack()


def case(fn=None, *, limit=60, name=None):
    """Registers a case; limit in seconds. Its name is the function's, unless given."""
    def add(f):
        all_cases.append(Case(f, limit, name))
        return f
    return add(fn) if fn else add


def shared(open_it):
    """A function that calls open_it once and gives the same result to each case; closed at the end of the file. If it
    could not be had, each case that asks fails or skips in the same way."""
    kept = []

    def get():
        if not kept:
            try:
                kept.append((session.enter_context(contextlib.closing(open_it())), None))
            except (Exception, Overrun) as e:
                kept.append((None, e))
        thing, error = kept[0]
        if error:
            raise error
        return thing
    return get


def _overrun(*_):
    raise Overrun()


def _interrupted(sig, _):
    for s in INTERRUPTS:                        # once: the cleaning up is not interrupted
        signal.signal(s, signal.SIG_IGN)
    raise Interrupted(signal.Signals(sig).name)


def _close(stack, limit=30):
    """Empties a stack under a limit of its own. The text of what went wrong, or None."""
    signal.alarm(limit)
    try:
        stack.close()
        return None
    except Overrun:
        return 'cleaning up overran %d s' % limit
    except Exception as e:
        return 'cleaning up: %r' % e
    finally:
        signal.alarm(0)


def _where(e):
    """The line of the case that was running: without it, a failure in a helper says too little."""
    frames = [f for f in traceback.extract_tb(e.__traceback__) if os.path.basename(f.filename).startswith('test_')]
    return ' (%s:%d)' % (os.path.basename(frames[-1].filename), frames[-1].lineno) if frames else ''


def run_case(c):
    """'PASS', 'FAIL' or 'SKIP', and why."""
    verdict, why, lines = 'PASS', '', []
    try:
        signal.alarm(c.limit)
        c.fn(c)
    except Skip as e:
        verdict, why = 'SKIP', str(e)
    except Overrun as e:
        verdict, why = 'FAIL', 'nothing more happened within %d s%s' % (c.limit, _where(e))
        lines = traceback.format_tb(e.__traceback__)[-1].splitlines()
    except Failed as e:
        verdict, why = 'FAIL', str(e) + _where(e)
    except Exception as e:
        verdict, why = 'FAIL', repr(e) + _where(e)
        lines = traceback.format_exc().splitlines()
    finally:
        signal.alarm(0)
        if verdict == 'FAIL':
            lines += list(c.evidence())
        wrong = _close(c.stack)
    if wrong and verdict != 'FAIL':
        verdict, why = 'FAIL', wrong
    return verdict, why, lines


def say(verdict, name, why='', lines=()):
    print('%s %s%s' % (verdict, name, ': ' + why if why else ''))
    for line in lines:
        print('    | ' + line)
    sys.stdout.flush()


def main():
    """Runs the cases of this file whose name holds one of our arguments (all, without any)."""
    for sig in INTERRUPTS:
        signal.signal(sig, _interrupted)        # a handler, so that what we start has the default action again
    signal.signal(signal.SIGALRM, _overrun)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))  # some die of SIGQUIT on purpose
    words = sys.argv[1:]
    bad = 0

    try:
        for c in all_cases:
            if words and not any(w in c.name for w in words):
                continue
            begin = time.monotonic()
            verdict, why, lines = run_case(c)
            say(verdict, c.name, why, lines)
            if os.environ.get('V'):
                print('    # %.1f s' % (time.monotonic() - begin), flush=True)
            bad += verdict == 'FAIL'
    except Interrupted as e:
        say('FAIL', 'interrupted', str(e))
        bad += 1
    finally:
        wrong = _close(session, 60)
        if wrong:
            say('FAIL', 'the_session_is_cleaned_up', wrong)
            bad += 1
    sys.stdout.flush()
    os._exit(1 if bad else 0)                   # no thread that still reads a pipe may hold us up
