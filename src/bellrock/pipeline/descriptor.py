"""The typed model of a pipeline's YAML: which keys there are, and what each may hold.

Flows in: the plain values of one file, `${name}` already resolved. Flows out: a frozen
`Descriptor`. One entry of a list of stages is a map with exactly one of the keys in
`STAGE_MODELS`; that key says what the stage does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    JsonValue,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    Tag,
    field_validator,
    model_validator,
)

WORD = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
"""What names of passes, options, ops and stages look like; the last become names of files."""

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
VariableKind = Literal["int", "float", "bool", "str", "list"]
Text = Annotated[StrictStr, Field(min_length=1)]
Word = Annotated[StrictStr, Field(pattern=WORD)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class VariableSpec(_Model):
    """A variable that the pipeline's stages may use as `${name}`."""

    type: VariableKind
    """`list` is a list of scalars."""
    default: Scalar | list[Scalar] | None = None
    """Without one, whoever loads the pipeline has to give a value."""
    help: StrictStr = ""
    choices: list[Scalar] | None = Field(default=None, min_length=1)
    """The only values allowed, where given."""


class _Entry(_Model):
    name: Word | None = None
    """Label for `--print-after`, `--from-stage` and `--stop-after`."""


class IncludeEntry(_Entry):
    """The stages of another descriptor, in place."""

    include: Text
    """A name below a search folder (`common/normalise`) or a path that ends in `.yaml`."""
    variables: dict[StrictStr, Scalar | list[Scalar]] = {}
    """Values for the other descriptor's variables."""


class PassEntry(_Entry):
    """One MLIR pass, by the name and the options that upstream gives it."""

    pass_name: Word = Field(alias="pass")
    on: Word | Annotated[list[Word], Field(min_length=1)] = "builtin.module"
    """The op that the pass runs on; a list nests (`[gpu.module, gpu.func]`)."""
    options: dict[Word, Scalar | list[Scalar]] = {}


class ScheduleCall(_Model):
    """A named transform schedule with its options."""

    name: Text
    options: dict[StrictStr, JsonValue] = {}


class ScheduleEntry(_Entry):
    """A schedule that the target registers, `schedule: name` for short."""

    schedule: ScheduleCall

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("schedule"), str):
            return {**data, "schedule": {"name": data["schedule"]}}
        return data


class TransformEntry(_Entry):
    """A named sequence of a transform-dialect file."""

    transform: Text
    """Path of the file, relative to the descriptor."""
    sequence: Text = "__transform_main"


class SelectCall(_Model):
    """Which motifs get a choice, and which selectors are asked, in order."""

    motifs: Literal["all"] | Annotated[list[Text], Field(min_length=1)] = "all"
    by: Annotated[list[Text], Field(min_length=1)]


class SelectEntry(_Entry):
    """Find motifs and write a choice on each one's anchor."""

    select: SelectCall


class Condition(_Model):
    """Exactly one of a device feature, a kernel's choice and a variable of this descriptor."""

    feature: Text | None = None
    choice: Word | Annotated[list[Word], Field(min_length=1)] | None = None
    """The class of knobs (one of several, if a list) that the kernel's anchor was given;
    `none` where it has no choice. Only for stages that run on one kernel."""
    variable: Text | None = None
    equals: Scalar | None = None
    """The value that `variable` must have; without it, a bool variable must be true."""

    @model_validator(mode="after")
    def _one(self) -> Condition:
        given = [each for each in (self.feature, self.choice, self.variable) if each is not None]
        if len(given) != 1:
            raise ValueError("a condition has exactly one of `feature`, `choice` and `variable`")
        if self.variable is None and self.equals is not None:
            raise ValueError("`equals` goes with `variable` only")
        return self


class WhenEntry(_Entry):
    """Stages that run only where a condition holds, and others where it does not."""

    when: Condition
    then: list[StageEntry] = []
    otherwise: list[StageEntry] = Field(default=[], alias="else")

    @model_validator(mode="after")
    def _something(self) -> WhenEntry:
        if not self.then and not self.otherwise:
            raise ValueError("a condition needs stages in `then` or `else`")
        return self


class KernelsEntry(_Entry):
    """Stages that every outlined kernel runs through, in a module of its own.

    Kernels are compiled apart: in parallel, equal ones once, and cached by a hash of the
    kernel, these stages and the toolchain. What follows this stage sees the host only.
    """

    kernels: Annotated[list[StageEntry], Field(min_length=1)]


STAGE_MODELS: Mapping[str, type[_Entry]] = {
    "include": IncludeEntry,
    "pass": PassEntry,
    "schedule": ScheduleEntry,
    "transform": TransformEntry,
    "select": SelectEntry,
    "when": WhenEntry,
    "kernels": KernelsEntry,
}
"""The key that says what a stage does, and the model of such a stage."""


def stage_kind(data: object) -> str | None:
    """Return the key that says what a stage does, or None if there is not exactly one."""
    kinds = [kind for kind in STAGE_MODELS if kind in data] if isinstance(data, dict) else []
    return kinds[0] if len(kinds) == 1 else None


StageEntry = Annotated[
    Annotated[IncludeEntry, Tag("include")]
    | Annotated[PassEntry, Tag("pass")]
    | Annotated[ScheduleEntry, Tag("schedule")]
    | Annotated[TransformEntry, Tag("transform")]
    | Annotated[SelectEntry, Tag("select")]
    | Annotated[WhenEntry, Tag("when")]
    | Annotated[KernelsEntry, Tag("kernels")],
    Discriminator(stage_kind),
]


class Descriptor(_Model):
    """One file."""

    schema_version: Literal[1] = Field(alias="schema")
    summary: Text
    variables: dict[StrictStr, VariableSpec] = {}
    stages: list[StageEntry]

    @field_validator("schema_version", mode="before")
    @classmethod
    def _an_integer(cls, value: Any) -> Any:
        if type(value) is not int:  # 1.0 and true are equal to 1
            raise ValueError("the schema's version is the integer 1")
        return value


def allowed_keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of a model as they are spelled in YAML."""
    return [field.alias or name for name, field in model.model_fields.items()]


for _model in (WhenEntry, KernelsEntry, Descriptor):
    _model.model_rebuild()
