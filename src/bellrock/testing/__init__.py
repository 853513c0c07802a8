"""Contract tests that Bellrock ships: a plug-in's author subclasses one and runs pytest.

Flows in: the name under which a plug-in is registered. Flows out: the answer whether it keeps
the contract that the rest of Bellrock relies on. No test asks which plug-in it is testing.

    from bellrock.testing.target import TargetContract

    class TestMyTarget(TargetContract):
        name = "my-target"

Needs pytest (`pip install 'bellrock[dev]'`), so nothing else in Bellrock imports this room.
"""
