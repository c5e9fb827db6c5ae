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
FULL_MS_MIN, SHORT_MS_MIN = 15, 60
SLICE_S = 0.01
ATTACKERS_ADDRESS = "127.0.0.3"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Attackers:
    """Processes that call `attack(ended, number, *args)`, which goes on until `ended` is set. Counts what it returns."""

    def __init__(self, count, attack, *args):
        self.ended, self.counts = multiprocessing.Event(), multiprocessing.SimpleQueue()
        self.processes = [
            multiprocessing.Process(target=self.go, args=(attack, number, args), daemon=True) for number in range(count)
        ]
        self.total, self.load = 0, 0.0

    def go(self, attack, number, args):
        self.counts.put(attack(self.ended, number, *args) or 0)

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
            process.join(20)
            if process.is_alive():
                process.kill()
        while not self.counts.empty():
            self.total += self.counts.get()


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


class Figure:
    """What an attack came to."""

    def __init__(self, running, seconds, full, memory_mib_max):
        self.running, self.seconds, self.full, self.memory_mib_max = running, seconds, full, memory_mib_max
        self.quiet = quiet(running, seconds)

    def beside(self, count, attack, *args, during=None):
        """Attacks with so many processes; `during()` is called while they do. Returns how much they did."""
        self.running.forget_peak()
        with Neighbour(self.running) as self.attacked, Attackers(count, attack, *args) as attackers:
            if during:
                during()
            else:
                time.sleep(self.seconds)
        self.peak_mib = self.running.status_mib("VmHWM")
        with Neighbour(self.running) as self.burnt, Attackers(count, burn, attackers.load):
            time.sleep(self.seconds)
        self.load = attackers.load * count
        return attackers.total

    def text(self):
        """The figure; raises AssertionError when an aim is missed."""
        attacked, failures = self.attacked, self.attacked.failures
        assert not failures, f"{len(failures)} of {len(attacked.times_ms)} refused, first {failures[0]}"
        alone = max(self.quiet.p99_ms(), self.burnt.p99_ms())
        aim = TIMES * max(alone, FULL_MS_MIN if self.full else SHORT_MS_MIN)
        figures = (
            f"neighbour's p99 {attacked.p99_ms():.0f} ms (quiet {self.quiet.p99_ms():.0f}, beside {self.load:.1f} burnt "
            f"cores {self.burnt.p99_ms():.0f}; aim {aim:.0f}), none refused; server {self.peak_mib} MiB at most "
            f"(bound {self.memory_mib_max})"
        )
        assert attacked.p99_ms() <= aim and self.peak_mib <= self.memory_mib_max, figures
        return figures
