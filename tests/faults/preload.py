"""Small libraries that are loaded before libc and make a process's system calls fail or lie. Compiled by the test."""

import shutil
import subprocess
from pathlib import Path
from typing import Literal

import pytest

SOURCES = {
    "fsync": r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
/* While the file named by FAULT_FILE is there, what should reach the disk fails. */
static int failing(void) { const char *f = getenv("FAULT_FILE"); return f && access(f, F_OK) == 0; }
int fsync(int fd) {
    static int (*real)(int); if (!real) real = dlsym(RTLD_NEXT, "fsync");
    if (failing()) { errno = EIO; return -1; } return real(fd);
}
int fdatasync(int fd) {
    static int (*real)(int); if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    if (failing()) { errno = EIO; return -1; } return real(fd);
}
""",
    "clock": r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
/* The wall clock is off by CLOCK_SHIFT seconds; the monotonic one is not. */
static long shift(void) { const char *s = getenv("CLOCK_SHIFT"); return s ? atol(s) : 0; }
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *); if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(id, at);
    if (r == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += shift();
    return r;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now; (void)zone; int r = clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec; at->tv_usec = now.tv_nsec / 1000; return r;
}
time_t time(time_t *at) {
    struct timespec now; clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec; return now.tv_sec;
}
""",
}


def compiled(name: Literal["fsync", "clock"], directory: Path) -> Path:
    """The library, for LD_PRELOAD. Skips the test where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the fault is made by a small library that is loaded first")
    source, library = directory / f"{name}.c", directory / f"{name}.so"
    source.write_text(SOURCES[name])
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    return library
