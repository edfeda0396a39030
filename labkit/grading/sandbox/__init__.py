"""Where a student's code runs when it is graded: a process of its own that can do nothing but its work.

limits.py                             what one submission may use
tiers.py                              which kinds of sandbox this machine offers
kernel.py landlock.py seccomp.py      what Linux is asked for, without a compiler
bubblewrap.py                         the file system that the warm process sees
warm.py pupil.py                      inside: the process that has imported everything, and its fork that runs the work
forkserver.py spare.py channel.py     outside: start and end such processes, talk to them in JSON

The outside believes nothing that comes out of the inside but its bytes: frames have a size limit and a deadline, and
what they hold is read as JSON. What the inside may do is set up by code of ours before the first line of the student's
runs, and only the kernel can undo it.
"""
