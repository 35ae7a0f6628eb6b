"""The one exception that is meant for a person to read."""


class UserError(Exception):
    """Bad input from outside: the message says what came, what was wanted and what to do.

    Commands print it as one sentence and exit with 1; the window shows it in its message bar. Anything else that
    is raised is a bug of ours.
    """
