"""The example is run as it is told to be."""

import pytest

from tests.cli.programs import REPOSITORY, succeed
from tests.cli.tiny import RUN


@pytest.mark.slow
def test_the_quickstart_draws_horizons_and_q_values_of_a_run(trained):
    run = f"{RUN}/seed0"
    told = succeed(trained, "examples/quickstart.py", run, PYTHONPATH=str(REPOSITORY))
    assert "steps on average, Q " in told.splitlines()[-2]
    picture = trained / told.splitlines()[-1]
    assert picture.read_bytes().startswith(b"\x89PNG")
