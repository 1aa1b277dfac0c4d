"""Mistakes on the command lines of the programs without a configuration."""

import pytest

from harness.errors import UserError
from harness.process.flags import Flags, json_object, number, seed, whole_number


@pytest.fixture
def parser():
    parser = Flags("What it does.")
    parser.add_argument("run_dir")
    parser.add_argument("--episodes", type=whole_number(1, 50))
    parser.add_argument("--rows", type=whole_number(1))
    parser.add_argument("--seed", type=seed)
    parser.add_argument("--noise", type=number(0))
    parser.add_argument("--kwargs", type=json_object)
    return parser


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the following arguments are required: run_dir; see --help"),
        (["x", "--nothing"], "unrecognized arguments: --nothing; see --help"),
        (["x", "--seed"], "argument --seed: expected one argument; see --help"),
        (["x", "--episodes=0"], "argument --episodes: 0 is no whole number from 1 to 50; see"),
        (["x", "--episodes=51"], "51 is no whole number from 1 to 50"),
        (["x", "--episodes=2.5"], "2.5 is no whole number from 1 to 50"),
        (["x", "--rows=-1"], "argument --rows: -1 is no whole number of at least 1"),
        (["x", "--seed=-1"], "-1 is no whole number from 0 to 4294967295"),
        (["x", "--seed=" + "9" * 5000], "9 is no whole number from 0 to 4294967295"),
        (["x", "--noise", "-0.3"], "--noise: -0.3 is no finite number of at least 0; see"),
        (["x", "--noise=nan"], "nan is no finite number"),
        (["x", "--noise=1e999"], "1e999 is no finite number"),
        (["x", "--noise=loud"], "loud is no finite number"),
        (["x", "--kwargs=5"], "--kwargs: 5 is no JSON object such as {"),
        (["x", "--kwargs={gravity: 1}"], "is no JSON object"),
        (["x", "--kwargs=" + "[" * 100_000], "is no JSON object"),
    ],
)
def test_mistakes_are_sentences(parser, arguments, sentence):
    with pytest.raises(UserError) as caught:
        parser.parse_args(arguments)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_right_is_read(parser):
    options = parser.parse_args(["x", "--episodes=50", "--seed=4294967295", "--noise=0.3"])
    assert (options.episodes, options.seed, options.noise) == (50, 2**32 - 1, 0.3)
    assert parser.parse_args(["x", '--kwargs={"g": 1}']).kwargs == {"g": 1}


def test_files_stand_on_both_sides_of_an_option():
    parser = Flags("What it does.")
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--out")
    options = parser.parse_args(["a", "b", "--out", "x", "c"])
    assert (options.runs, options.out) == (["a", "b", "c"], "x")
    with pytest.raises(UserError, match="the following arguments are required: runs"):
        parser.parse_args(["--out", "x"])
