"""The command line: one file a command, and only this room prints.

Flows in: `argv`. Flows out: text on stdout (results), text on stderr (progress and errors),
an exit code: 0 all well, 1 something is wrong, slow or failed, 2 the caller's usage.

A file of this folder is a command when its name has no leading underscore and is not
`main`: `my_command.py` exports `command` (a click command) and becomes
`bellrock my-command`. It imports torch and MLIR inside its functions only, so that `--help`
is quick.
"""
