"""Processor time and memory of other processes, as the kernel counts them."""

import os
from pathlib import Path

from disputes.errors import ConfigurationError

#: Fields of /proc/PID/stat after the command's closing bracket: utime and stime (proc(5)).
_USER, _SYSTEM = 11, 12


def cpu_seconds(pid: int) -> float:
    """User and system seconds that a process and its threads have used so far.

    Raises:
        ConfigurationError: this machine has no /proc.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        raise ConfigurationError("processor time is read from /proc: run this on Linux") from None
    fields = stat.rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")


def memory_bytes(pid: int) -> int:
    """Bytes of memory that a process holds at this moment (resident).

    Raises:
        ConfigurationError: this machine has no /proc.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        raise ConfigurationError("memory is read from /proc: run this on Linux") from None
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(resident.split()[1]) * 1024


def machine() -> str:
    """The machine in a few words: processors and memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{len(os.sched_getaffinity(0))} processors, {memory:.0f} GiB of memory"
