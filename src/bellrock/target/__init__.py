"""Kinds of devices, each a folder with the same file names in it; `base` is their contract.

Flows in: a name, or `name:device`. Flows out: the `Target` of that name, from whichever package
provides it, for that device:

    [project.entry-points."bellrock.targets"]
    cpu = "bellrock.target.cpu.target:CPU"

Nobody imports a target's folder by name; `TARGETS.get(name)` is the only way to one. Whatever takes
a target's name takes `name:device` as well, in this process and in every worker.
"""

from bellrock.registry import Registry
from bellrock.target.base import Target

__all__ = ["TARGETS", "Target", "Targets", "with_device"]

_SEPARATOR = ":"


class Targets(Registry[Target]):
    """The registry of targets, by `name` or `name:device`."""

    def get(self, name: str, *, where: object = None) -> Target:
        """Load and return a target, for one of its devices if the name says so.

        Args:
            name: as registered, or `name:device`.
            where: file:line that asked, for the message.

        Raises:
            UnknownNameError: no such target, or it has no such device.
            RegistryError: its package is missing.
        """
        plain, separator, device = name.partition(_SEPARATOR)
        target = super().get(plain, where=where)
        return target.on(device) if separator else target

    def owner(self, name: str) -> str:
        return super().owner(name.partition(_SEPARATOR)[0])

    def identity(self, name: str) -> str:
        plain, separator, device = name.partition(_SEPARATOR)
        return super().identity(plain) + separator + device

    def require(self, name: str, *, where: object = None) -> None:
        plain, separator, _ = name.partition(_SEPARATOR)
        super().require(plain, where=where)
        if separator:
            self.get(name, where=where)


TARGETS = Targets("target", "bellrock.targets", Target)
"""All targets that installed packages provide."""


def with_device(target: str, device: str | None) -> str:
    """Return the name of a target for one of its devices.

    Args:
        target: name, which may name a device already.
        device: to use instead; None leaves the name as it is.
    """
    return target if device is None else f"{target.partition(_SEPARATOR)[0]}{_SEPARATOR}{device}"
