"""From loops over buffers to kernels of a device and the calls that launch them.

Flows in: functions of linalg ops and loops on buffers. Flows out: the same functions, which
touch no buffer themselves any more and only call `bellrock_launch`, and `gpu.module`s.
"""
