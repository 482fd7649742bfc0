"""The one exception for mistakes a user can mend."""


class InputError(ValueError):
    """Bad input: a file, an utterance, a configuration, an argument.

    The message is one line and names the file or the utterance, the cause and the way out.
    The command line prints it without a traceback and exits with 2.
    """
