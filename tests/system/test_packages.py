# SPDX-License-Identifier: MIT
# root: bookworm
# root: trixie
#
# The packages that "make deb" and "make rpm" build, as an administrator meets them: installed in a booted systemd, a tree
# started, the package upgraded below it, removed, purged. bookworm has systemd 252, trixie 257. Each case installs by
# itself and leaves the machine as it was, which is compared: what a purge forgets fails here. Needs root.
#
# REUSE=1 takes the packages that are there already; else they are built, which is most of the time this takes.
#
# It will not show that a package is right for a distribution built on RPM: there is none here, only its rpm.
import glob
import os
import subprocess

from lib import cases
from lib.cases import case, check, equal, need
from lib.packages import SUITES, Before, booted, finally_ran, get_debs, get_rpms, install, processes, purge, start
from lib.process import until

TREE = '''[tree]
Finally=/bin/sh -c 'echo $HOLT_RESULT >>/var/finally'
[process first]
Type=oneshot
ExecStart=/bin/true
[process sleeper]
ExecStart=/bin/sleep infinity
'''


# ---- Debian

@case(limit=900)
def lintian_has_nothing_to_say(t):
    debs = get_debs()
    need('lintian')
    changes, = glob.glob(os.path.join(cases.BUILD, 'deb/*.changes'))
    p = subprocess.run(['lintian', '--allow-root', '--fail-on', 'error,warning', changes], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True)
    equal(p.returncode, 0, 'lintian: ' + p.stdout)
    check(debs.files, 'no packages')


def field(deb, name):
    return subprocess.run(['dpkg-deb', '-f', deb, name], stdout=subprocess.PIPE, check=True, text=True).stdout


@case(limit=900)
def jansson_is_needed_by_the_daemon_and_recommended_by_the_library(t):
    debs = get_debs()
    check('libjansson4' in field(debs['holt'], 'Depends'), 'the daemon')
    check('libjansson4' not in field(debs['libholt0'], 'Depends'), 'the library needs it')
    equal(field(debs['libholt0'], 'Recommends').strip(), 'libjansson4', 'Recommends')
    check('libholt0' not in field(debs['holt'], 'Depends'), 'the daemon needs the library')


@case(limit=900)
def a_program_is_built_and_runs_by_the_librarys_two_packages(t):
    debs = get_debs()
    need('pkg-config')
    folder = t.folder()
    for name in ('libholt0', 'libholt-dev'):
        subprocess.run(['dpkg-deb', '-x', debs[name], folder], check=True)
    pc, = glob.glob(folder + '/usr/lib/*/pkgconfig')
    libdir = os.path.dirname(pc)
    flags = subprocess.run(['pkg-config', '--define-variable=prefix=%s/usr' % folder, '--define-variable=libdir=' + libdir, '--cflags',
                            '--libs', 'holt'], env=dict(os.environ, PKG_CONFIG_PATH=pc), stdout=subprocess.PIPE, check=True, text=True)
    source = glob.glob(folder + '/usr/share/doc/libholt-dev/examples/fanout.c')
    subprocess.run(['cc', '-D_GNU_SOURCE', '-o', folder + '/program', *source, *flags.stdout.split()], check=True)
    p = subprocess.run([folder + '/program'], env=dict(os.environ, LD_LIBRARY_PATH=libdir), stdout=subprocess.PIPE, text=True)
    equal(p.returncode, 0, 'status')
    check(p.stdout, 'it says nothing')


@booted(SUITES)
def the_packaged_example_starts_and_stops(t, m):
    debs = get_debs()
    before = Before(m)
    install(t, m, debs)
    m.ok('holtctl', 'check', '/usr/share/doc/holt/examples/demo.tree')
    with open(m.path('/usr/share/doc/holt/examples/demo.tree')) as f:
        start(m, f.read())
    m.ok('holtctl', 'status')
    m.ok('holtctl', '--tree', 'demo', 'wait', '/')
    check(processes(m), 'nothing runs')
    m.ok('systemctl', 'stop', 'holt@demo')
    equal(m.show('holt@demo', 'ActiveState', 'Result'), {'ActiveState': 'inactive', 'Result': 'success'}, 'the unit')
    equal(processes(m), [], 'processes of the tree')
    purge(m)
    before.is_so_again()


@booted(SUITES)
def the_catalog_explains_the_messages_while_the_package_is_there(t, m):
    install(t, m, get_debs())
    ids = m.ok('sh', '-c', "sed -n 's/^-- //p' /usr/lib/systemd/catalog/holt*.catalog").split()
    check(len(ids) > 10, 'only %d ids', len(ids))
    for i in ids:
        check('Defined-By: holt' in m.ok('journalctl', '--dump-catalog', i), 'nothing of %s', i)
    purge(m)
    check('Defined-By: holt' not in m.ok('journalctl', '--dump-catalog', fails=True), 'it still does')


@booted(SUITES)
def a_tree_that_is_not_there_is_named(t, m):
    install(t, m, get_debs())
    check(m.run('systemctl', 'start', 'holt@nowhere')[0] != 0, 'it was started')
    said = m.ok('systemctl', 'status', 'holt@nowhere', fails=True)
    check('/etc/holt/nowhere.tree' in said, '%s', said)


@booted(SUITES)
def a_killed_holtd_takes_its_processes_along_owes_nothing_and_is_started_again(t, m):
    install(t, m, get_debs())
    start(m, TREE)
    pid = m.show('holt@demo', 'MainPID')
    first = set(processes(m))
    m.ok('systemctl', 'kill', '--kill-who=main', '-s', 'KILL', 'holt@demo')
    until(lambda: m.show('holt@demo', 'ActiveState', 'NRestarts') == {'ActiveState': 'active', 'NRestarts': '1'})
    check(m.show('holt@demo', 'MainPID') != pid, 'it is the same process')
    check(first and not first & set(processes(m)), 'a process of the first tree lives on')
    equal(finally_ran(m), ['crashed'], 'finally')


@booted(SUITES)
def an_upgrade_leaves_a_tree_running_and_a_restart_takes_the_new_one(t, m):
    install(t, m, get_debs())
    start(m, TREE)
    pid = m.show('holt@demo', 'MainPID')
    m.ok('dpkg', '-i', '/tmp/libholt0.deb', '/tmp/holt.deb')
    equal(m.show('holt@demo', 'ActiveState', 'MainPID', 'NeedDaemonReload'),
          {'ActiveState': 'active', 'MainPID': pid, 'NeedDaemonReload': 'no'}, 'the unit')
    equal(finally_ran(m), [], 'finally')
    m.ok('systemctl', 'restart', 'holt@demo')
    check(m.show('holt@demo', 'MainPID') != pid, 'it is the same process')
    equal(m.show('holt@demo', 'ActiveState'), 'active', 'the unit')
    equal(finally_ran(m), ['stopped'], 'finally')


@booted(SUITES)
def a_removal_stops_the_trees_and_a_purge_leaves_only_the_administrators_own(t, m):
    debs = get_debs()
    before = Before(m)
    install(t, m, debs)
    m.write('/etc/holt/mine.tree', TREE)
    start(m, TREE)
    m.ok('systemctl', 'enable', 'holt@demo')
    m.ok('dpkg', '-r', 'holt')
    equal(processes(m), [], 'processes of the tree')
    equal(finally_ran(m), ['stopped'], 'finally')
    m.ok('rm', '/etc/holt/demo.tree')
    m.ok('dpkg', '--purge', 'holt', 'libholt0')
    equal(m.ok('ls', '/etc/holt').split(), ['mine.tree'], '/etc/holt')
    m.ok('rm', '-r', '/etc/holt')
    before.is_so_again()


@booted(SUITES)
def a_purge_leaves_a_state_directory_alone_that_is_in_use(t, m):
    install(t, m, get_debs())
    m.ok('mkdir', '-p', '/run/holt/other', '/run/holt/old')
    t.stack.callback(m.run, 'rm', '-rf', '/run/holt')
    holder = m.begin('flock', '/run/holt/other/lock', 'sh', '-c', 'echo $$ >/run/holt/other/held; exec sleep infinity')
    until(lambda: m.run('test', '-s', '/run/holt/other/held')[0] == 0)
    kill = ('sh', '-c', 'kill ' + m.ok('cat', '/run/holt/other/held').strip())
    t.stack.callback(m.run, *kill)
    m.ok('dpkg', '--purge', 'holt')
    equal(m.ok('ls', '/run/holt').split(), ['other'], '/run/holt')
    m.ok(*kill)
    holder.wait()                               # its end, and so that of the lock


# ---- RPM

def rpm(m, *argv):
    """The rpm that is here on the machine's files: its scripts see the machine's manager."""
    p = subprocess.run(['nsenter', '-t', str(m.leader), '-p', '-i', '-u', '-n', 'rpm', '--root', m.path('/'), '--dbpath', '/var/lib/rpm',
                        '--force-debian', *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def rpm_ok(m, *argv):
    status, out = rpm(m, *argv)
    equal(status, 0, 'rpm %s: %s' % (' '.join(argv), out))
    return out


BASE = '''
Name: base
Version: 1
Release: 1
Summary: Stands for what a root that was not made by rpm provides
License: MIT
Provides: /bin/sh
Provides: systemd
Provides: rtld(GNU_HASH)
%s
%%description
%%files
'''


def base_of(t, m):
    """An empty rpm that provides what the machine's libraries do, so that dependencies are checked, not skipped."""
    elfdeps = '/usr/lib/rpm/elfdeps'
    if not os.access(elfdeps, os.X_OK):
        raise cases.Skip('no %s here' % elfdeps)
    libs = [f for n in ('libc.so.6', 'libsystemd.so.0', 'libjansson.so.4') for f in glob.glob(m.path('/usr/lib/*-linux-gnu/') + n)]
    provides = subprocess.run([elfdeps, '--provides'], input=''.join(f + '\n' for f in libs), stdout=subprocess.PIPE, check=True, text=True).stdout
    folder = t.folder()
    with open(folder + '/base.spec', 'w') as f:
        f.write(BASE % '\n'.join('Provides: ' + p for p in provides.split('\n') if p))
    subprocess.run(['rpmbuild', '--quiet', '--define', '_topdir ' + folder, '-bb', folder + '/base.spec'], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return glob.glob(folder + '/RPMS/*/*.rpm')[0]


@case(limit=900)
def each_rpm_holds_its_part(t):
    rpms = get_rpms()
    for name, paths in {'holt': ('/usr/sbin/holtd', '/usr/bin/holtctl', '/usr/lib/systemd/system/holt@.service', '/etc/holt'),
                        'libholt': ('/libholt.so.0',), 'libholt-devel': ('/usr/include/holt.h', '/usr/include/holt/task.h', '/libholt.so'),
                        'libholt-static': ('/libholt.a',)}.items():
        listed = subprocess.run(['rpm', '-qpl', rpms[name]], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        for path in paths:
            check([p for p in listed.splitlines() if p.endswith(path)], '%s lacks %s:\n%s', name, path, listed)


@booted(SUITES[:1])
def the_rpms_install_run_a_tree_verify_upgrade_and_go(t, m):
    rpms = get_rpms()
    need('rpm', 'rpmbuild')
    base = base_of(t, m)
    before = Before(m)
    t.stack.callback(purge, m)
    t.stack.callback(lambda: [rpm(m, '-e', '--noscripts', '--nodeps', p) for p in ('holt', 'libholt', 'base')])
    t.stack.callback(m.run, 'systemctl', 'stop', 'holt@demo')
    check(rpm(m, '-i', rpms['holt'])[0] != 0, 'it does not ask for what it needs')
    rpm_ok(m, '-i', base)
    rpm_ok(m, '-i', rpms['holt'], rpms['libholt'])
    start(m, TREE)
    m.ok('holtctl', 'status')
    equal(rpm_ok(m, '-V', 'holt', 'libholt'), '', 'what rpm -V says')
    pid = m.show('holt@demo', 'MainPID')
    rpm_ok(m, '-U', '--replacepkgs', rpms['holt'], rpms['libholt'])
    equal(m.show('holt@demo', 'ActiveState', 'MainPID'), {'ActiveState': 'active', 'MainPID': pid}, 'the unit')
    m.ok('rm', '/etc/holt/demo.tree')
    rpm_ok(m, '-e', 'holt', 'libholt')
    equal(processes(m), [], 'processes of the tree')
    equal(finally_ran(m), ['stopped'], 'finally')
    rpm_ok(m, '-e', 'base')
    m.ok('rmdir', '/usr/share/licenses')        # where rpm is at home, a package of its own holds it
    before.is_so_again()


cases.main()
