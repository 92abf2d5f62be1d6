"""All errors that end a command with one message for a person, in one tree.

    ContinuityError
    ├── UsageError          the command cannot do what it was asked for
    ├── SetupError          this machine lacks a program, a file, a variable or a right
    ├── StackError          a stack is not in the state that the command needs
    ├── EngineError         Pulumi ended with an error
    │   └── StoppedError    Pulumi ended because a person pressed Ctrl-C
    ├── CloudError          a cloud did not do what it was asked for
    │   ├── CredentialsError    the cloud accepts no credentials that it was given
    │   ├── CannotLookError     what exists stays unknown: these credentials may not read, or the cloud fails
    │   │   └── NoAnswerError       nothing answers there
    │   └── RefusedError        the cloud answered and refused the call
    ├── DatabaseError       the application database does not answer, or refused a statement
    ├── BundleError         the repository cannot be bundled, or the bundle is damaged
    ├── DrillError          a drill cannot begin, or it measured nothing
    ├── UnfinishedError     a change began and did not end; running the command again continues it
    ├── NotThereError       something that this depends on does not exist
    └── ConflictError       something exists that only a person may change

Every client of a cloud, a database or a program turns that client's own errors into these where it calls the client.
`cli.main` catches the root, prints the message and exits with `code`. A traceback is therefore always a defect.
"""

from __future__ import annotations


class ContinuityError(Exception):
    """The root: what is wrong and what the person does about it. `code` is the exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class UsageError(ContinuityError):
    """An option or an argument is wrong, or a question was answered with something else. The person asks again."""


class SetupError(ContinuityError):
    """This machine lacks a program, a file, a variable or a right. The person provides it, and tries again."""


class StackError(ContinuityError):
    """A stack does not exist, is not complete, or is protected. The person brings it into the state that is named."""


class EngineError(ContinuityError):
    """Pulumi ended with an error, which it printed or which the message repeats. `code` is Pulumi's own."""


class StoppedError(EngineError):
    """A person pressed Ctrl-C, and Pulumi ended its steps. Nothing is retried."""


class CloudError(ContinuityError):
    """A cloud did not do what it was asked for. The person reads the cloud's own words in the message."""


class CredentialsError(CloudError):
    """There are no credentials, or the cloud does not accept them. The person logs in, or sets the named variable."""


class CannotLookError(CloudError):
    """A cloud or one of its regions fails, or does not let us read: what exists there stays unknown.

    The person waits for the cloud, or uses credentials that may read.
    """

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}")
        self.where = where
        self.why = why


class NoAnswerError(CannotLookError):
    """Nothing answers at a cloud's or a region's address. The person looks at the network, or works without it."""


class RefusedError(CloudError):
    """A cloud answered and refused a call. `answer` is its code for the reason. The person corrects what it names."""

    def __init__(self, message: str, answer: str) -> None:
        super().__init__(message)
        self.answer = answer


class DatabaseError(ContinuityError):
    """The application database does not answer, or refused a statement. The person looks at its state at AWS."""


class BundleError(ContinuityError):
    """The repository cannot be bundled, or it is damaged. The person corrects the clone, or takes an older bundle."""


class DrillError(ContinuityError):
    """A drill cannot begin, or measured nothing. The person brings the service into order and runs it again."""


class UnfinishedError(ContinuityError):
    """A change began and did not end. What is done stays; the person runs the command again, which continues it."""


class NotThereError(ContinuityError):
    """Something that this depends on does not exist, which is a finding of its own. The person looks at that one."""

    def __init__(self, message: str = "something that this depends on does not exist") -> None:
        super().__init__(message)


class ConflictError(ContinuityError):
    """What exists belongs to others, or cannot be changed: only a person can decide. `remedy` says how.

    It is empty when `found` says it.
    """

    def __init__(self, found: str, remedy: str = "") -> None:
        super().__init__(f"{found}: {remedy}" if remedy else found)
        self.found = found
        self.remedy = remedy
