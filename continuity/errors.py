"""The errors that end a command with one message for the operator, in one tree.

    ContinuityError
    ├── UsageError          an option or an argument is wrong
    ├── SetupError          this machine lacks a program, a file, a variable or a right
    ├── StackError          a stack is not in the state that the command needs
    ├── EngineError         Pulumi ended with an error
    │   └── StoppedError    Pulumi ended because the operator pressed Ctrl-C
    ├── CloudError          a call to a cloud failed
    │   ├── CredentialsError    no credentials are set, or the cloud does not accept them
    │   ├── CannotLookError     the cloud cannot be read: it fails, or these credentials may not read it
    │   │   └── NoAnswerError       the cloud does not answer
    │   └── RefusedError        the cloud answered and refused the call
    ├── DatabaseError       the application database does not answer, or refused a statement
    ├── BundleError         the repository cannot be bundled, or the bundle is damaged
    ├── DrillError          a drill cannot begin, or it measured nothing
    ├── UnfinishedError     a change was interrupted; running the command again continues it
    ├── NotThereError       a dependency does not exist
    ├── MissingError        a check found that something is missing or wrong
    ├── NotShownError       no API shows what a check asks
    └── ConflictError       something exists that only the operator may change

Each module that calls a cloud, a database or a program translates the exceptions of its client into these errors.
`cli.main` catches the root, prints the message and exits with `code`. A traceback is therefore always a defect.
"""

from __future__ import annotations


class ContinuityError(Exception):
    """The root. The message states the error and its remedy. `code` is the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class UsageError(ContinuityError):
    """An option, an argument or the answer to a prompt is wrong. The operator corrects it and tries again."""


class SetupError(ContinuityError):
    """This machine lacks a program, a file, a variable or a right. The operator provides it, and tries again."""


class StackError(ContinuityError):
    """A stack does not exist, is not complete, or is protected. The operator brings it into the named state."""


class EngineError(ContinuityError):
    """Pulumi ended with an error. Pulumi has printed it, or the message repeats it. `code` is Pulumi's own."""


class StoppedError(EngineError):
    """The operator pressed Ctrl-C, and Pulumi ended its current steps. Nothing is retried."""


class CloudError(ContinuityError):
    """A call to a cloud failed. The message contains the cloud's own message."""


class CredentialsError(CloudError):
    """No credentials are set, or the cloud does not accept them. The operator logs in, or sets the named variable."""


class CannotLookError(CloudError):
    """A cloud or one of its regions fails, or refuses to be read. Its state stays unknown.

    The operator waits for the cloud, or uses credentials that may read.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class NoAnswerError(CannotLookError):
    """A cloud or a region does not answer. The operator checks the network, or works without it."""


class RefusedError(CloudError):
    """A cloud refused a call. `answer` is its code for the reason. The operator corrects the named parameter."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message)
        self.answer = answer


class DatabaseError(ContinuityError):
    """The application database does not answer, or refused a statement. The operator checks its state at AWS."""


class BundleError(ContinuityError):
    """The repository cannot be bundled, or a bundle is damaged. The operator fixes the clone, or uses an older one."""


class DrillError(ContinuityError):
    """A drill cannot begin, or measured nothing. The operator restores the service and runs the drill again."""


class UnfinishedError(ContinuityError):
    """A change was interrupted. Completed steps stay, and running the command again continues with the rest."""


class NotThereError(ContinuityError):
    """A dependency does not exist. The dependency has its own finding, with its own remedy."""

    def __init__(self, message: str = "a dependency does not exist") -> None:
        super().__init__(message)


class MissingError(ContinuityError):
    """A check found that something is missing or wrong. `remedy` says what to do."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.remedy = remedy


class NotShownError(ContinuityError):
    """No API shows what a check asks. The message says what a person looks up, and where."""


class ConflictError(ContinuityError):
    """An existing resource has a different owner, or cannot be changed. The operator decides.

    `remedy` says how. It is empty if `found` says it.
    """

    def __init__(self, found: str, remedy: str = "") -> None:
        super().__init__(f"{found}: {remedy}" if remedy else found)
        self.found = found
        self.remedy = remedy
