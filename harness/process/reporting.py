"""How a program ends that cannot go on: one sentence, and the exit code."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import UserError, first_line
from harness.process.interrupts import Interrupted, raised_at_once
from harness.process.surroundings import prepare

#: The exit code of a UserError.
USER_ERROR = 2
# What somebody typed may be longer than anyone can read.
_LONGEST_SENTENCE = 1500


@contextmanager
def reported_errors() -> Iterator[None]:
    """Ends the program with one line and the right code on a UserError or a signal.

    Programs without a Hydra configuration (argparse) use it around their main function.
    """
    try:
        with raised_at_once():
            prepare()
            yield
    except UserError as error:
        say(f"error: {error}")
        sys.exit(USER_ERROR)
    except RuntimeError as error:
        if type(error).__module__.startswith("submitit"):
            reason = " ".join(str(error).split())
            say(f"error: a job on the cluster did not end, or could not begin: {reason}")
            sys.exit(USER_ERROR)
        # JAX says no more by its type
        if "initialize backend" not in str(error) or "JAX_PLATFORMS" not in os.environ:
            raise
        say(
            f"error: JAX cannot use JAX_PLATFORMS={os.environ['JAX_PLATFORMS']}"
            f" ({first_line(error)}): correct or unset it"
        )
        sys.exit(USER_ERROR)
    except Interrupted as interruption:
        say(str(interruption))
        sys.exit(interruption.exit_code)


def say(text: str) -> None:
    """On stderr, in one line."""
    if len(text) > _LONGEST_SENTENCE:
        text = f"{text[: _LONGEST_SENTENCE // 2]} … {text[-_LONGEST_SENTENCE // 2 :]}"
    # a name may hold bytes that no encoding has, and what some readers take for the line's end
    text = " ".join(text.encode(errors="backslashreplace").decode().splitlines())
    # in one write, which the lines of other processes do not cut
    print(f"{text}\n", end="", file=sys.stderr, flush=True)
