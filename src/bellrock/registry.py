"""Plug-ins by name: `Registry[T]` loads them lazily from entry points.

Flows in: an entry-point group and the type its plug-ins must have. Flows out: the plug-in
named, loaded on first use; unknown names get a suggestion, clashes name both owners, and
a plug-in whose package is missing says which extra to install.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from bellrock.errors import RegistryError, UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names to lazily loaded plug-ins of one kind.

    Thread safety: reads only after the first `names()`; a plug-in may be loaded twice by
    racing threads, and both get the same object because Python caches modules.
    """

    def __init__(self, kind: str, group: str, base: type[T]) -> None:
        """Make the registry of one kind of plug-in.

        Args:
            kind: what a plug-in is called in messages, e.g. "target".
            group: entry-point group, e.g. "bellrock.targets".
            base: class that each loaded plug-in must be an instance of.
        """
        self.kind, self.group, self.base = kind, group, base
        self._points: dict[str, EntryPoint] | None = None
        self._loaded: dict[str, T] = {}

    def _discover(self) -> dict[str, EntryPoint]:
        if self._points is None:
            points: dict[str, EntryPoint] = {}
            for point in entry_points(group=self.group):
                other = points.get(point.name)
                if other is not None and other.value != point.value:
                    raise RegistryError(
                        f"two packages provide the {self.kind} {point.name!r}",
                        got=f"{_owner(other)} ({other.value}) and {_owner(point)} ({point.value})",
                        hint="uninstall one of them",
                    )
                points[point.name] = point
            self._points = points
        return self._points

    def names(self) -> list[str]:
        """Return the names of all plug-ins, sorted, without loading any."""
        return sorted(self._discover())

    def owner(self, name: str) -> str:
        """Return the name of the package that provides the plug-in `name`."""
        return _owner(self._discover()[name])

    def identity(self, name: str) -> str:
        """Return what a plug-in's results depend on: its name, package and version."""
        point = self._discover()[name]
        return f"{name} from {_owner(point)} {point.dist.version if point.dist else 'unknown'}"

    def require(self, name: str, *, where: object = None) -> None:
        """Check that there is a plug-in `name`, without loading it.

        Args:
            name: as registered.
            where: file:line that asked, for the message.

        Raises:
            UnknownNameError: no plug-in has that name.
        """
        points = self._discover()
        if name not in points:
            raise UnknownNameError(self.kind, name, points, where=where)

    def get(self, name: str, *, where: object = None) -> T:
        """Load and return the plug-in `name`.

        Args:
            name: as registered.
            where: file:line that asked, for the message.

        Raises:
            UnknownNameError: no plug-in has that name.
            RegistryError: its package is missing, or it is not a `base`.
        """
        if name in self._loaded:
            return self._loaded[name]
        self.require(name, where=where)
        points = self._discover()
        try:
            plugin = points[name].load()
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == points[name].value.partition(".")[0]:
                raise RegistryError(
                    f"the {self.kind} {name!r} is not where its entry point says",
                    got=points[name].value,
                    hint=f"reinstall {_owner(points[name])}",
                ) from error
            extras = points[name].extras or [name]
            raise RegistryError(
                f"the {self.kind} {name!r} needs the package {error.name!r}",
                hint=f"pip install '{_owner(points[name])}[{','.join(extras)}]'",
            ) from error
        if not isinstance(plugin, self.base):
            raise RegistryError(
                f"the {self.kind} {name!r} is not a {self.base.__name__}",
                got=f"{type(plugin).__name__} from {points[name].value}",
                hint=f"fix the entry point of {_owner(points[name])}",
            )
        self._loaded[name] = plugin
        return plugin


def _owner(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else "an unknown package"
