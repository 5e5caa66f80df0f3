# SPDX-License-Identifier: MIT
#
# A root folder of a distribution, as a tarball that is kept: prepare() makes it with debootstrap the first time and gives
# its path, or raises Skip with the reason why there can be none.
#
# The mirror, its key and the proxy are those that apt on this machine uses; none is written here. The cache is
# $XDG_CACHE_HOME/holt-tests, or build/cache; where that cannot be written, the tarball lives as long as the run. Its
# name says suite, architecture and a hash of the list of packages: another list is another tarball.
#
# Must be called where the network can be reached, so by tests/system/run, before it makes namespaces.
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile

from . import cases

PACKAGES = ('systemd', 'systemd-sysv', 'dbus', 'libsystemd0', 'libjansson4', 'procps', 'redis-server', 'nginx')
OFF = ('redis-server', 'nginx')                 # only what a test starts runs


def output(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True).stdout


def apt_sources():
    """What apt would fetch: a list of dictionaries (Repo-URI, Release, Origin, Sourcesentry, ...), in its order."""
    text = output('apt-get', 'indextargets', 'Created-By: Packages')
    return [dict(line.split(': ', 1) for line in stanza.splitlines() if ': ' in line) for stanza in text.split('\n\n')]


def signed_by(source):
    """The keyring that a source names, if it names a file."""
    path, _, n = source.get('Sourcesentry', '').rpartition(':')
    try:
        with open(path) as f:
            text = f.read()
        if path.endswith('.sources'):
            kept = '\n'.join(line for line in text.splitlines() if not line.startswith('#'))
            stanza = [s for s in kept.split('\n\n') if s.strip()][int(n) - 1]
            words = [line.split(':', 1)[1].split() for line in stanza.splitlines() if line.lower().startswith('signed-by:')]
            word = words[0][0]
        else:
            word = text.splitlines()[int(n) - 1].split('signed-by=')[1].split(']')[0].split()[0].split(',')[0]
    except (OSError, ValueError, IndexError):
        return None
    return word if os.path.isfile(word) else None


def mirror(suite, sources):
    """The source that has the suite: one that names it, else the first of Debian's own."""
    fitting = [s for s in sources if s.get('Repo-URI', '').startswith(('http:', 'https:', 'file:'))]
    for right in (lambda s: s['Release'] == suite,
                  lambda s: s.get('Origin') == 'Debian' and s['Release'] == s.get('Codename') and 'security' not in s['Repo-URI'],
                  lambda s: s['Repo-URI'].rstrip('/').endswith('/debian')):
        for s in fitting:
            if right(s):
                return s
    raise cases.Skip("no mirror with %s in apt's sources" % suite)


def proxies():
    """apt's proxy, as environment variables that debootstrap's downloader knows."""
    env = {}
    for line in output('apt-config', 'dump', '--format', '%f %v%n').splitlines():
        name, _, value = line.partition(' ')
        for kind in ('http', 'https'):
            if name.lower() == 'acquire::%s::proxy' % kind and value and value != 'DIRECT':
                env[kind + '_proxy'] = value
    return env


def cache_folder():
    base = os.environ.get('XDG_CACHE_HOME')
    return os.path.join(base, 'holt-tests') if base else os.path.join(cases.TOP, 'build/cache')


def usable_cache(work):
    folder = cache_folder()
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return work


def build(suite, packages, tarball, work, say):
    """debootstrap, in a mount namespace of its own so that nothing it mounts can stay behind."""
    for program in ('debootstrap', 'unshare', 'tar'):
        if not cases.found(program):
            raise cases.Skip('no %s here' % program)
    source = mirror(suite, apt_sources())
    uri, keyring = source['Repo-URI'], signed_by(source)
    folder = os.path.join(work, suite)
    argv = ['unshare', '--mount', '--propagation', 'private', 'debootstrap', '--variant=minbase',
            '--include=' + ','.join(packages)]
    argv += ['--keyring=' + keyring] if keyring else []
    say('# making a root of %s: a minute or more' % suite)
    log = os.path.join(work, suite + '.log')
    try:
        with open(log, 'w') as out:
            rc = subprocess.run(argv + [suite, folder, uri], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                env=dict(os.environ, **proxies())).returncode
        if rc:
            with open(log) as f:
                raise cases.Skip('debootstrap of %s ended with %d: %s' % (suite, rc, (f.read().splitlines() or ['?'])[-1]))
        for unit in OFF:
            subprocess.run(['systemctl', '--quiet', '--root', folder, 'disable', unit], check=True, stderr=subprocess.DEVNULL)
        subprocess.run(['tar', '-C', folder, '-I', 'zstd -q -3 -T2', '--exclude=./var/cache/apt/*',
                        '--exclude=./var/lib/apt/lists/*', '-cf', tarball + '.new', '.'], check=True)
        os.rename(tarball + '.new', tarball)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(tarball + '.new')
        shutil.rmtree(folder, ignore_errors=True)


def prepare(suite, work, packages=PACKAGES, say=print):
    """The path of the tarball. work is a folder of the run, on a file system that allows devices."""
    if os.geteuid() != 0:
        raise cases.Skip('not root')
    for program in ('systemd-nspawn', 'nsenter', 'zstd', 'journalctl'):
        if not cases.found(program):
            raise cases.Skip('no %s here' % program)
    folder = usable_cache(work)
    key = hashlib.sha256('\n'.join(sorted(packages)).encode()).hexdigest()[:12]
    tarball = os.path.join(folder, '%s-%s-%s.tar.zst' % (suite, os.uname().machine, key))
    with open(os.path.join(folder, '.lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # two runs at once make one
        if not os.path.exists(tarball):
            try:
                build(suite, packages, tarball, work, say)
            except (OSError, subprocess.CalledProcessError) as e:
                raise cases.Skip('no root of %s: %s' % (suite, e))
    return tarball
