"""Where the nodes of a fleet live: a network namespace each where that is permitted, else all on loopback.

A namespace has one link, to a bridge of the drill's own, and sees of the rest of the world nothing but the two
addresses at which the relays to the database and to the carriers listen. Each of them can be hidden from it: packets to
it then vanish without a word, as they do behind a dead switch. Whatever happens to the drill, kill -9 too, all of it is
taken away.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final, Protocol

_NOWHERE: Final = "02:00:00:00:00:01"
"""An Ethernet address that nobody has."""
_CLEAN: Final = """
trap '' INT TERM HUP
while read -r line; do :; done
for name in "$@"; do
    case $name in
    link:*) ip link del "${name#link:}" ;;
    *) for pid in $(ip netns pids "$name"); do kill -9 "$pid"; done
       ip netns del "$name" ;;
    esac
done 2>/dev/null
"""
"""Waits for the end of the drill, however it comes, and takes away what is named."""


class Hosts(Protocol):
    """Machines for nodes, and what they see."""

    said: str
    """What they are, for people."""
    database: str
    """The address at which a relay to the database listens."""
    carrier: str
    """The same for the carriers."""

    def address(self, name: str) -> str:
        """Where the machine of this name is reached."""
        ...

    def within(self, name: str) -> tuple[str, ...]:
        """The command that runs another one on that machine."""
        ...

    def hide(self, name: str, address: str) -> bool:
        """Let what that machine sends to an address vanish; False when these machines cannot do that."""
        ...

    def show(self, name: str, address: str) -> None:
        """End that."""
        ...


class Loopback:
    """All of them are this machine, and only the relays part them."""

    database = carrier = "127.0.0.1"

    def __init__(self, why: str) -> None:
        self.said = f"separate processes on loopback, parted by relays ({why})"

    def address(self, _: str) -> str:
        """See Hosts.address."""
        return "127.0.0.1"

    def within(self, _: str) -> tuple[str, ...]:
        """See Hosts.within."""
        return ()

    def hide(self, _name: str, _address: str) -> bool:
        """See Hosts.hide."""
        return False

    def show(self, _name: str, _address: str) -> None:
        """See Hosts.show."""


class Namespaces:
    """A network namespace each."""

    said = "a network namespace each"

    def __init__(self, names: list[str]) -> None:
        self._net = _free_net()
        self.database, self.carrier = f"{self._net}.1", f"{self._net}.2"
        self._names = names
        self._bridge = f"og{os.getpid()}b"

    def spaces(self) -> list[str]:
        """The namespaces' own names."""
        return [self._space(name) for name in self._names]

    def _space(self, name: str) -> str:
        return f"opengage-{os.getpid()}-{name}"

    def address(self, name: str) -> str:
        """See Hosts.address."""
        return f"{self._net}.{11 + self._names.index(name)}"

    def within(self, name: str) -> tuple[str, ...]:
        """See Hosts.within. `ip` becomes the command that it runs: the pid is the same."""
        return ("ip", "netns", "exec", self._space(name))

    def hide(self, name: str, address: str) -> bool:
        """See Hosts.hide."""
        _ip("-n", self._space(name), *f"neigh replace {address} lladdr {_NOWHERE} nud permanent dev eth0".split())
        return True

    def show(self, name: str, address: str) -> None:
        """See Hosts.show."""
        with contextlib.suppress(OSError):  # it was never hidden
            _ip("-n", self._space(name), *f"neigh del {address} dev eth0".split())

    @contextlib.contextmanager
    def made(self) -> Iterator[None]:
        """They are there until the block ends, or this process does."""
        taken = [*self.spaces(), f"link:{self._bridge}"]
        cleaner = subprocess.Popen(
            ["/bin/sh", "-c", _CLEAN, "clean", *taken], stdin=subprocess.PIPE, start_new_session=True
        )
        assert cleaner.stdin
        try:
            self._make()
            yield
        finally:
            cleaner.stdin.close()
            cleaner.wait(30)

    def _make(self) -> None:
        _ip(*f"link add {self._bridge} type bridge".split())
        for address in (self.database, self.carrier):
            _ip(*f"addr add {address}/24 dev {self._bridge}".split())
        _ip(*f"link set {self._bridge} up".split())
        for place, name in enumerate(self._names):
            space, link = self._space(name), f"og{os.getpid()}v{place}"
            _ip("netns", "add", space)
            _ip(*f"link add {link} type veth peer name eth0 netns {space}".split())
            _ip(*f"link set {link} master {self._bridge} up".split())
            _ip("-n", space, *f"addr add {self.address(name)}/24 dev eth0".split())
            for each in ("lo", "eth0"):
                _ip("-n", space, "link", "set", each, "up")


@contextlib.contextmanager
def hosts(names: list[str], *, are_apart: bool = True) -> Iterator[Hosts]:
    """Machines of these names: apart where that is permitted and wanted."""
    why = _why_not() if are_apart else "as was asked"
    if why:
        yield Loopback(why)
        return
    made = Namespaces(names)
    with made.made():
        yield made


def _why_not() -> str | None:
    """Why there can be no namespaces here, by trying one."""
    if shutil.which("ip") is None:
        return "there is no ip command"
    name = f"opengage-{os.getpid()}-trial"
    try:
        _ip("netns", "add", name)
        try:
            _ip("-n", name, "link", "add", f"og{os.getpid()}t", "type", "bridge")
        finally:
            _ip("netns", "del", name)
    except OSError as error:
        return f"namespaces are not permitted: {error}"
    return None


def _free_net() -> str:
    """The first three octets of a network of 198.18.0.0/15, set aside for trials (RFC 2544), that nobody here uses."""
    used = _ip("-o", "addr") + _ip("route")
    nets = (f"198.18.{(os.getpid() + each) % 256}" for each in range(256))
    return next(net for net in nets if f" {net}." not in used)


def _ip(*arguments: str) -> str:
    """What `ip` answers. Raises OSError with its words."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
