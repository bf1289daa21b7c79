"""`launcher.py FD SIGNAL COMMAND…`: tell the guardian about this process, then become COMMAND.

The line is written before the command runs, and the guardian cannot see the end of
its pipe while this process still holds it: there is no moment in which the parent's
death would leave the command unguarded.
"""

import os
import sys

if __name__ == "__main__":
    pipe, stop_signal, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    os.write(pipe, f"+ {os.getpid()} {stop_signal}\n".encode())
    os.close(pipe)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")
