"""From a job's name to its class: every way this can go wrong is one error that says what to change."""

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from pathlib import Path
from types import ModuleType

from framework.errors import ConfigError, DefinitionError, TeamsparkError
from framework.identity import JobName
from framework.job.model import Contract, Job
from framework.schema.annotations import nearest


def load_job(name: str) -> type[Job]:
    """The class called ``name``, for example ``jobs.flights.delays:Delays``; its module is imported.

    Raises: ConfigError when there is no such job; DefinitionError when its module cannot be imported, or the class is
    no job.
    """
    parsed = JobName.parse(name)
    module = _import(parsed)
    found = getattr(module, parsed.class_name, None)
    if found is None:
        known = sorted(jobs_in(module))
        raise ConfigError(
            f"{parsed.module} has no class {parsed.class_name}{nearest(parsed.class_name, known)}",
            where=name,
            expected=", ".join(known) or "a class that subclasses framework.Job",
        )
    if not (isinstance(found, type) and issubclass(found, Job) and found not in (Job, Contract)):
        raise DefinitionError(
            f"{parsed.class_name} is not a job", where=name, expected="a class that subclasses framework.Job"
        )
    return found


def jobs_in(module: ModuleType) -> dict[str, type[Job]]:
    """The jobs that ``module`` itself defines, by class name; abstract ones and imported ones are left out."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Job)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    }


def _import(name: JobName) -> ModuleType:
    try:
        return importlib.import_module(name.module)
    except ModuleNotFoundError as error:
        if error.name and f"{name.module}.".startswith(f"{error.name}."):
            raise _no_module(name, error.name) from error
        raise _broken(name, error) from error
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        # Importing runs the author's module, which may raise anything; the verdict is the same for all of it. Its
        # sys.exit() too: passed on, it would end the caller, with the author's exit code as the caller's verdict.
        raise _broken(name, error) from error


def _no_module(name: JobName, missing: str) -> ConfigError:
    parent, _, leaf = missing.rpartition(".")
    siblings = _modules_in(parent)
    return ConfigError(
        f"there is no module {missing}{nearest(leaf, siblings)}",
        where=str(name),
        expected=f"one of {', '.join(siblings)} in {parent}" if siblings else "a module below jobs/",
        next_step="list the jobs there are with: teamspark jobs list",
    )


def _modules_in(package: str) -> list[str]:
    spec = importlib.util.find_spec(package) if package in sys.modules else None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    folders = (folder for place in places if Path(place).is_dir() for folder in Path(place).iterdir())
    # Folders without an __init__.py are packages too, which pkgutil leaves out: every team's is one.
    found = {one.name for one in pkgutil.iter_modules(places)} | {one.name for one in folders if one.is_dir()}
    return sorted(name for name in found - {"fixtures"} if name.isidentifier() and not name.startswith("_"))


def _broken(name: JobName, error: BaseException) -> DefinitionError:
    return DefinitionError(
        f"{name.module} cannot be imported: {type(error).__name__}: {_first_line(error)}",
        where=_place(name, error),
        next_step=_advice(error),
        details=error.details if isinstance(error, TeamsparkError) else (),
    )


def _place(name: JobName, error: BaseException) -> str:
    """``file:line`` of the author's own code: the last frame in its module, or where the syntax breaks."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    spec = importlib.util.find_spec(name.module)
    own = [frame for frame in frames if spec is not None and frame.filename == spec.origin]
    last = (own or frames)[-1]
    return f"{last.filename}:{last.lineno}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def _advice(error: BaseException) -> str | None:
    if isinstance(error, TeamsparkError):
        return error.next_step
    if isinstance(error, ModuleNotFoundError):
        return f"install {error.name} in the jobs environment, or remove the import"
    if isinstance(error, SystemExit):
        return "remove the exit: a job's module is imported by every command, and is never run by itself"
    if _wants_spark(error):
        return (
            "Spark expressions such as F.col(...) need a session, and a module is imported without one: "
            "build them inside transform"
        )
    return None


def _wants_spark(error: BaseException) -> bool:
    """Whether the module touched Spark while it was imported."""
    frames = traceback.extract_tb(error.__traceback__)
    return any("/pyspark/" in frame.filename.replace("\\", "/") for frame in frames)
