"""How much memory there is, and how much an answer took: peaks, cache bytes, and what running out looks like.

Knows nothing of models and requests.
"""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from pathlib import Path
from typing import Any

import torch


def free_bytes(device: torch.device) -> int:
    """Memory that can still be had on a device [bytes]; on a CPU what the system calls available."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    info = Path("/proc/meminfo")
    if info.exists():
        fields = dict(line.split(":") for line in info.read_text().splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    return 4 * 2**30


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or a CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(s in str(error) for s in ("DefaultCPUAllocator", "out of memory"))


def tensor_bytes(holder: Any) -> int:
    """Bytes of all tensor storages that an object holds, each counted once, spare room in them included.

    Walks lists, tuples, dicts and the attributes of objects of transformers and of this package, so that it
    counts any cache. Storages count in whole: a view of a larger tensor keeps all of it in memory. Objects whose `counted` is
    False are left out.
    """
    storages: dict[tuple[str, int], int] = {}
    seen: set[int] = set()

    def walk(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            storage = value.untyped_storage()
            storages[str(value.device), storage.data_ptr()] = storage.nbytes()
        elif id(value) in seen:
            return
        elif isinstance(value, list | tuple):
            seen.add(id(value))
            for part in value:
                walk(part)
        elif isinstance(value, dict):
            seen.add(id(value))
            for part in value.values():
                walk(part)
        elif hasattr(value, "__dict__") and not isinstance(value, type | torch.nn.Module) and getattr(value, "counted", True):
            seen.add(id(value))
            walk(vars(value))

    walk(holder)
    return sum(storages.values())


@cache
def _libc() -> ctypes.CDLL | None:
    return ctypes.CDLL(None) if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim") else None


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no {field} in /proc/self/status")


class Peak:
    """The highest memory since it was made, beyond what was held then.

    On a GPU: what torch's allocator handed out (exact). On Linux CPUs: growth of the process's resident memory,
    its high-water mark having been reset; memory of other threads counts too, and pages that the C allocator
    had kept are given back first, so that reusing them is seen. Elsewhere: not measured.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.start = 0
        if device.type == "cuda":
            torch.cuda.synchronize(device)
            torch.cuda.reset_peak_memory_stats(device)
            self.start = torch.cuda.memory_allocated(device)
        elif libc := _libc():
            libc.malloc_trim(0)
            # "5" resets VmHWM (Linux, proc(5)).
            Path("/proc/self/clear_refs").write_text("5")
            self.start = _status("VmRSS")

    def bytes(self) -> int | None:
        """Growth so far [bytes]; None where it cannot be measured."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.device) - self.start
        return max(0, _status("VmHWM") - self.start) if _libc() else None
