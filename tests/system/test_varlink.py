# SPDX-License-Identifier: MIT
# root: trixie
#
# Our Varlink against systemd's: its varlinkctl (257) asks our service, and our client asks one of its services. Both
# run in the root of that suite by chroot; ours are outside and meet them at a socket in it. Needs root.
import json
import os
import shlex
import subprocess

from lib import cases, machine
from lib.cases import case, check, equal, shared
from lib.process import Service, until

PROGRAM = os.path.join(cases.BUILD, 'system/varlinkd')


def compiled():
    flags = subprocess.run([os.environ.get('PKG_CONFIG') or 'pkg-config', '--cflags', '--libs', 'libsystemd', 'jansson'],
                           stdout=subprocess.PIPE, text=True).stdout.split()
    san = ['-fsanitize=' + cases.SAN] if cases.SAN else []
    os.makedirs(os.path.dirname(PROGRAM), exist_ok=True)
    subprocess.run(shlex.split(os.environ.get('CC') or 'cc') + [
        '-std=gnu11', '-O1', '-g', '-Wall', '-Wextra', '-Werror', '-pthread', *san, '-I' + os.path.join(cases.TOP, 'lib/include'),
        os.path.join(cases.HERE, 'varlinkd.c'), os.path.join(cases.BUILD, 'libholt.a'), *flags, '-o', PROGRAM], check=True)


class Root:
    """The root of a suite with /proc in it, and our program beside."""
    def __init__(self):
        cases.need_root()
        compiled()
        self.root = machine.base('trixie')[0]
        subprocess.run(['mount', '-t', 'proc', 'proc', self.root + '/proc'], check=True)

    def close(self):
        subprocess.run(['umount', self.root + '/proc'], check=True)

    def address(self, name):
        return 'unix:%s/run/%s' % (self.root, name)

    def run(self, *argv):
        p = subprocess.run(['chroot', self.root, *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return p.returncode, p.stdout


get_root = shared(Root)


def serving(t):
    """Our service, at unix:/run/sum of the root."""
    r = get_root()
    Service(t, [PROGRAM, 'serve', r.address('sum')]).wait('READY', '1')
    return r


def ctl(r, verb, *args):
    flags = [a for a in args if a.startswith('--')]
    return r.run('varlinkctl', '-j' if verb == 'call' else '--no-pager', verb, *flags, 'unix:/run/sum',
                 *[a for a in args if not a.startswith('--')])


def call(r, method, params, *flags):
    status, out = ctl(r, 'call', 'com.example.Sum.' + method, json.dumps(params), *flags)
    return status, out.strip()


@case
def varlinkctl_understands_how_our_service_describes_itself(t):
    r = serving(t)
    status, out = ctl(r, 'info')
    equal(status, 0, 'varlinkctl info')
    for word in ('Vendor: Example', 'Product: sum', 'Version: 1.0', 'com.example.Sum', 'io.holt', 'org.varlink.service'):
        check(word in out, 'no %r in %s', word, out)
    for interface in ('com.example.Sum', 'io.holt', 'org.varlink.service'):
        status, out = ctl(r, 'introspect', interface)
        equal(status, 0, 'introspect: ' + out)
        check('interface ' + interface in out, '%s', out)
    status, out = ctl(r, 'list-methods')
    equal(status, 0, 'list-methods')
    check('com.example.Sum.Missing' in out and 'org.varlink.service.GetInfo' in out, '%s', out)


@case
def varlinkctl_gets_our_replies(t):
    r = serving(t)
    equal(call(r, 'Add', {'a': 1, 'b': 41}), (0, '{"sum":42}'), 'a reply')
    status, out = call(r, 'Count', {'to': 3}, '--more')
    equal(status, 0, 'more')
    equal([json.loads(x) for x in out.replace('\x1e', '').splitlines()], [{'n': 1}, {'n': 2}, {'n': 3}], 'its replies')
    status, out = call(r, 'Big', {})
    equal((status, len(json.loads(out)['text'])), (0, 1000000), 'a long reply')
    equal(call(r, 'Fail', {}, '--oneway'), (0, ''), 'a oneway call')


@case
def varlinkctl_gets_our_errors(t):
    r = serving(t)
    for method, params, error in (
            ('Fail', {}, 'io.holt.System'),
            ('Overflow', {}, 'com.example.Sum.Overflow'),
            ('Count', {'to': 3}, 'org.varlink.service.ExpectedMore'),
            ('Missing', {}, 'org.varlink.service.MethodNotImplemented'),
            ('Nowhere', {}, 'org.varlink.service.MethodNotFound'),
            ('Add', {'a': 'one'}, 'org.varlink.service.InvalidParameter')):
        status, out = call(r, method, params)
        check(status != 0 and error in out, '%s: %d %s', method, status, out)


def ask(r, method, params):
    p = subprocess.run([PROGRAM, 'call', r.address('creds'), method, json.dumps(params)], stdout=subprocess.PIPE, text=True)
    return p.returncode, p.stdout.strip()


@case
def our_client_understands_a_service_of_systemds(t):
    r = get_root()
    socket = r.root + '/run/creds'
    Service(t, ['chroot', r.root, 'systemd-socket-activate', '-a', '--fdname=varlink', '-l', '/run/creds', '/usr/bin/systemd-creds'])
    until(lambda: os.path.exists(socket))
    status, out = ask(r, 'org.varlink.service.GetInfo', {})
    equal(status, 0, 'GetInfo')
    check('io.systemd.Credentials' in json.loads(out)['interfaces'], '%s', out)
    status, out = ask(r, 'org.varlink.service.GetInterfaceDescription', {'interface': 'io.systemd.Credentials'})
    equal(status, 0, 'GetInterfaceDescription')
    check('method Encrypt(' in json.loads(out)['description'], '%s', out)
    equal(ask(r, 'io.systemd.Credentials.Encrypt', {'text': 7}), (1, 'error org.varlink.service.InvalidParameter -22'), 'an error')
    equal(ask(r, 'io.systemd.Credentials.Nope', {}), (1, 'error org.varlink.service.MethodNotFound -95'), 'another')


cases.main()
