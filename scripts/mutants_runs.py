"""Runs tests on changed modules: tests are collected once, then run in a fork per change.

The fork replaces the code of the module's functions by that of the changed source. With
NUMBA_DISABLE_JIT=1 kernels are ordinary functions, so nothing is imported or compiled again. Time
limits count the processor time of the fork, so that the load of the machine changes no result.
"""

import inspect
import math
import os
import pickle
import resource
import signal
import sys
import tempfile
import time
import traceback
import types
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from _pytest.runner import runtestprotocol

MEMORY = 24 << 30
"""Maximum address space of a fork in bytes."""


@dataclass
class Baseline:
    """Results of the tests on the unchanged modules.

    seconds: processor time of each test that passes in time. reached: (file, line) -> tests that
    run it, without lines that run on import. left_out: test -> reason.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    reached: dict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    left_out: dict[str, str] = field(default_factory=dict)


class Suite:
    """Collected tests."""

    def __init__(self, items: Sequence[pytest.Item], examples: int, limit: float) -> None:
        """examples: maximum for hypothesis. limit: seconds that a test may take."""
        self.items = {item.nodeid: item for item in items}
        self.limit = limit
        for item in items:
            test = getattr(item, "obj", None)
            chosen = getattr(test, "_hypothesis_internal_use_settings", None)
            if chosen is not None:
                fewer = min(examples, chosen.max_examples)
                test._hypothesis_internal_use_settings = hypothesis.settings(
                    chosen, max_examples=fewer, deadline=None, database=None, derandomize=True,
                    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
                    suppress_health_check=list(hypothesis.HealthCheck),
                )  # fmt: skip

    def measure(self, modules: Sequence[Path]) -> Baseline:
        """Run the tests on the unchanged modules."""

        def work() -> Baseline:
            import coverage

            watch = coverage.Coverage(
                data_file=None, config_file=False, include=[str(path) for path in modules]
            )
            found = Baseline()
            watch.start()
            for test, following in pairwise([*self.items, None]):
                signal.signal(signal.SIGVTALRM, _too_long)
                signal.setitimer(signal.ITIMER_VIRTUAL, self.limit, 0.2)
                watch.switch_context(test)
                start = time.process_time()
                try:
                    why = self._failure(test, following)
                finally:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
                watch.switch_context("")
                if why is None:
                    found.seconds[test] = time.process_time() - start
                else:
                    found.left_out[test] = why
            watch.stop()
            for path in modules:
                for line, names in watch.get_data().contexts_by_lineno(str(path)).items():
                    found.reached[str(path), line] = set(names) & found.seconds.keys()
            return found

        result = _fork(work, 60 + self.limit * len(self.items))
        if not isinstance(result, Baseline):
            raise SystemExit(f"the tests do not run on the unchanged modules\n{result}")
        return result

    def killer(self, name: str, code: str, tests: Iterable[str], limit: float) -> str | None:
        """The first test that fails with `code` as the source of module `name`, or None.

        Instead of a test: "import" if the changed module cannot be imported, "time" if `limit` is
        exceeded, "exit: ..." if the fork ended before its tests did, which is inconclusive.
        """

        def work() -> str | None:
            if not _replace(sys.modules[name], code):
                return "import"
            pairs = pairwise([*tests, None])
            return next((test for test, after in pairs if self._failure(test, after)), None)

        return _fork(work, limit)

    def _failure(self, test: str, following: str | None) -> str | None:
        """How a test fails or is skipped, in one line; None if it passes. following: next test."""
        after = self.items[following] if following else None
        reports = runtestprotocol(self.items[test], log=False, nextitem=after)
        wrong = [report for report in reports if not report.passed]
        return str(wrong[0].longrepr).splitlines()[-1] if wrong else None


def with_suite(tests: Sequence[str], examples: int, limit: float, work: Callable) -> None:
    """Collect `tests` in a separate process and call `work` with the suite there."""

    class Plugin:
        def pytest_runtestloop(self, session: pytest.Session) -> bool:
            work(Suite(session.items, examples, limit))
            return True

    child = os.fork()
    if child == 0:
        code = 70
        try:
            _compute_as_compiled()
            options = "-q -s --no-header --no-summary -p no:cacheprovider -p no:xdist"
            options += " -o faulthandler_timeout=0"  # forks have limits of their own
            ignored = ["-W", "ignore::RuntimeWarning", "-W", "ignore::SyntaxWarning"]
            ignored += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
            code = pytest.main([*options.split(), *ignored, *tests], plugins=[Plugin()])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 5):
        raise SystemExit(f"pytest cannot run {' '.join(tests)}")


def _compute_as_compiled() -> None:
    """Make numpy and math behave as in compiled code: no exceptions, fields as attributes."""
    np.seterr(all="ignore")
    log, exp = math.log, math.exp

    def log_of_any(x: float, *base: float) -> float:
        return log(x, *base) if x > 0 else -math.inf if x == 0 else math.nan

    def exp_of_any(x: float) -> float:
        return exp(x) if x < 709 else float(np.exp(x))

    def of_records(make: Callable) -> Callable:
        def made(*arguments: Any, **options: Any) -> np.ndarray:
            array = make(*arguments, **options)
            return array.view(np.recarray) if array.dtype.names else array

        return made

    math.log, math.exp = log_of_any, exp_of_any  # type: ignore[assignment]
    for name in ("zeros", "empty", "concatenate"):
        setattr(np, name, of_records(getattr(np, name)))


def _too_long(*_: Any) -> None:
    pytest.skip("takes too long without compiled kernels")


def _replace(module: types.ModuleType, code: str) -> bool:
    """Make an imported module behave as if its source were `code`; whether that was possible."""
    assert module.__file__
    changed = types.ModuleType(module.__name__)
    changed.__file__, changed.__package__ = module.__file__, module.__package__
    changed.__spec__ = module.__spec__
    sys.modules[module.__name__] = changed  # dataclasses look there
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(compile(code, module.__file__, "exec"), changed.__dict__)
    except Exception:
        return False
    finally:
        sys.modules[module.__name__] = module
    for name, new in vars(changed).items():
        old = vars(module).get(name)
        if name.startswith("__") or old is new:
            continue
        if not _take_over(old, new, module.__name__):
            for other in list(sys.modules.values()):  # constants may have been imported elsewhere
                if getattr(other, "__dict__", {}).get(name) is old:
                    setattr(other, name, new)
    return True


def _take_over(old: Any, new: Any, module: str) -> bool:
    """Replace the code of the functions in `old` by that in `new`; whether that was possible."""
    old, new = inspect.unwrap(old), inspect.unwrap(new)
    if isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType):
        old.__code__ = new.__code__
        old.__defaults__, old.__kwdefaults__ = new.__defaults__, new.__kwdefaults__
        for mine, yours in zip(old.__closure__ or (), new.__closure__ or (), strict=True):
            if not isinstance(yours.cell_contents, type):
                mine.cell_contents = yours.cell_contents
        return True
    if isinstance(old, type) and isinstance(new, type):
        if old.__module__ != module:
            return True
        for name, value in vars(new).items():
            mine = vars(old).get(name)
            parts = [(mine, value)]
            if isinstance(value, property):
                parts = [(mine.fget, value.fget)]
            elif isinstance(value, (classmethod, staticmethod)):
                parts = [(mine.__func__, value.__func__)]
            elif hasattr(value, "func"):  # cached_property
                parts = [(mine.func, value.func)]
            done = [_take_over(a, b, module) for a, b in parts if a is not None]
            if not all(done) and not name.startswith("__"):
                setattr(old, name, value)
        return True
    return False


def _fork(work: Callable[[], Any], limit: float) -> Any:
    """What `work` returns in a fork; "time" after `limit` seconds, "exit: ..." if it raises."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as answer:
        child = os.fork()
        if child == 0:
            try:
                seconds = int(limit) + 1
                resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
                resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
                os.dup2(output.fileno(), 1)
                os.dup2(output.fileno(), 2)
                result = work()
                answer.write(pickle.dumps(result))
                answer.flush()
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(0)
        status = _wait(child, 30 * limit + 60)
        answer.seek(0)
        written = answer.read()
        if written:
            return pickle.loads(written)
        if status is None or os.WIFSIGNALED(status):
            return "time"
        output.seek(0)
        return "exit: " + output.read().decode(errors="replace")[-2000:]


def _wait(child: int, limit: float) -> int | None:
    """The status of a process that ends within `limit` seconds of wall time, else None."""
    end = time.monotonic() + limit
    pause = 0.002
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(pause)
        pause = min(0.05, pause * 1.5)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None
