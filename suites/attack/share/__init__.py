"""The neighbour's figure beside an attack, and what the machine alone would have cost it.

An attack's clients are processes, and take processor time like the server does. On a machine with few cores that alone makes
everybody slower, whatever the server does. So the neighbour is measured three times: quiet; beside the attack; and beside
processes that do nothing but burn as much processor time as the attack's clients did. Its aim is three times the larger of the
two figures without an attack.
"""

import multiprocessing
import os
import time

from neighbour import Neighbour, quiet

TIMES = 3
# Figures below are the scheduler's: among a hundred samples of a short run, one is always that late.
FULL_MS_MIN, SHORT_MS_MIN = 15, 100
SHORT_QUIET_S, SHORT_TRIES_MAX = 2, 3
# How long an attack may take to do what it is for.
STEPS_S_MAX = 120
SLICE_S = 0.01
ATTACKERS_ADDRESS = "127.0.0.3"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Attackers:
    """Processes that run `attack(ended, number, *args)` until `ended` is set: a generator, whose steps are counted."""

    def __init__(self, count, attack, *args):
        self.ended, self.steps = multiprocessing.Event(), multiprocessing.Value("L")
        self.processes = [
            multiprocessing.Process(target=self.go, args=(attack, number, args), daemon=True) for number in range(count)
        ]
        self.load = 0.0

    def go(self, attack, number, args):
        for _ in attack(self.ended, number, *args):
            with self.steps.get_lock():
                self.steps.value += 1
            if self.ended.is_set():
                break

    def __enter__(self):
        self.begun = time.monotonic()
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_):
        burnt, took = sum(processor_s(process.pid) for process in self.processes), time.monotonic() - self.begun
        self.load = min(1.0, burnt / took / len(self.processes))
        self.ended.set()
        for process in self.processes:
            process.join(1)
            process.kill()


def processor_s(pid):
    """The processor time that a process has had."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def burn(ended, _number, load):
    """Burns this share of a processor, and attacks nothing."""
    while not ended.is_set():
        until = time.monotonic() + SLICE_S * load
        while time.monotonic() < until:
            pass
        time.sleep(SLICE_S * (1 - load))
        yield


class Figure:
    """What an attack came to. A short run measures the neighbour beside burnt processors only when it would miss its aim."""

    def __init__(self, running, seconds, full, memory_mib_max):
        self.running, self.seconds, self.full, self.memory_mib_max = running, seconds, full, memory_mib_max
        self.quiet_ms = quiet(running, seconds if full else SHORT_QUIET_S).p99_ms()

    def beside(self, count, attack, *args, steps_min=1, during=None):
        """Attacks with so many processes, until they have done so many steps. Returns how many they did. `during()` is called
        meanwhile. A short run that misses its aim is tried again: the machine may be doing other things.
        """
        for _ in range(1 if self.full else SHORT_TRIES_MAX):
            steps = self.once(count, attack, args, steps_min, during)
            if self.attacked.p99_ms() <= self.aim_ms():
                break
        return steps

    def once(self, count, attack, args, steps_min, during):
        self.running.forget_peak()
        with Neighbour(self.running) as self.attacked, Attackers(count, attack, *args) as attackers:
            begun = time.monotonic()
            if during:
                during()
            while attackers.steps.value < steps_min:
                assert time.monotonic() < begun + STEPS_S_MAX, f"only {attackers.steps.value} steps were done"
                time.sleep(0.1)
            time.sleep(max(0, begun + self.seconds - time.monotonic()))
        self.peak_mib = self.running.status_mib("VmHWM")
        self.load, self.burnt_ms = attackers.load * count, None
        if self.full or self.attacked.p99_ms() > self.aim_ms():
            with Neighbour(self.running) as burnt, Attackers(count, burn, attackers.load):
                time.sleep(self.seconds if self.full else SHORT_QUIET_S)
            self.burnt_ms = burnt.p99_ms()
        return attackers.steps.value

    def aim_ms(self):
        return TIMES * max(self.quiet_ms, self.burnt_ms or 0, FULL_MS_MIN if self.full else SHORT_MS_MIN)

    def text(self, name="the attack"):
        """The figure; raises AssertionError when an aim is missed."""
        attacked, failures = self.attacked, self.attacked.failures
        assert not failures, f"{name}: {len(failures)} of {len(attacked.times_ms)} refused, first {failures[0]}"
        burnt = f", beside {self.load:.1f} burnt cores {self.burnt_ms:.0f}" if self.burnt_ms else ""
        figures = (
            f"neighbour's p99 {attacked.p99_ms():.0f} ms (quiet {self.quiet_ms:.0f}{burnt}; aim {self.aim_ms():.0f}), "
            f"none refused; server {self.peak_mib} MiB at most (bound {self.memory_mib_max})"
        )
        assert attacked.p99_ms() <= self.aim_ms() and self.peak_mib <= self.memory_mib_max, f"{name}: {figures}"
        return figures
