"""What the hot programs ask of a graphics card, counted without one.

    make gpu-check                                   # once: XLA's compiler for CUDA, 250 MB
    python benchmarks/gpu_programs.py [--cards h100,a100,l40s] [--datasets hopper-medium-v2,...]
        [--programs update,...] [--loops-in-graphs] [--sources] [--json FILE] [--target FILE]

What `--json` names is written after each program, and what it already holds is not compiled again:
an interrupted table is continued. Remove it after a change of the code.

Each program is compiled for the card at the published sizes of the dataset. Of every loop it says
how many kernels one turn launches, their matrix products and bytes, and three shortest times: on
the card's float32 and TF32 units, and in TF32 if no kernel takes less than two microseconds.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import ahead_of_time  # noqa: E402
from benchmarks.gpu_cards import CARDS, Card  # noqa: E402
from benchmarks.gpu_hlo import (  # noqa: E402
    SHORTEST_KERNEL,
    Module,
    Work,
    every_loop,
    loops_outside_graphs,
)

DATASETS = {
    "hopper-medium-v2": "d4rl_loco",
    "halfcheetah-medium-v2": "d4rl_loco",
    "antmaze-umaze-v2": "antmaze",
    "pen-cloned-v1": "adroit",
    "hammer-cloned-v1": "adroit",
}
PROGRAMS = (
    *("update", "update_side_by_side", "fit_epoch", "collection", "add", "warm_up"),
    *("uncertainty", "act"),
)


@dataclass(frozen=True)
class LoopFigures:
    """One turn of a loop, or what a program does outside its loops."""

    name: str
    #: None where it depends on data
    turns: int | None
    launches: int
    short_launches: int
    #: loops inside, which the launches do not count
    inner_loops: int
    gflop: float
    gigabytes: float
    float32_ms: float
    tf32_ms: float
    launch_bound_ms: float
    sources: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, turns: int | None, work: Work, inner: int, card: Card) -> "LoopFigures":
        def milliseconds(flops: float, shortest: float = 0.0) -> float:
            return 1e3 * work.seconds(flops, card.bandwidth, shortest)

        return cls(
            name=name,
            turns=turns,
            launches=work.count,
            short_launches=work.short(card.tf32, card.bandwidth),
            inner_loops=inner,
            gflop=work.flop / 1e9,
            gigabytes=work.bytes / 1e9,
            float32_ms=milliseconds(card.float32),
            tf32_ms=milliseconds(card.tf32),
            launch_bound_ms=milliseconds(card.tf32, SHORTEST_KERNEL),
            sources=dict(work.launches.most_common()),
        )


@dataclass(frozen=True)
class ProgramFigures:
    card: str
    dataset: str
    program: str
    once: LoopFigures
    loops: list[LoopFigures]
    loops_outside_graphs: int
    argument_bytes: int
    temporary_bytes: int
    aliased_bytes: int
    largest_array: int

    def without_sources(self) -> "ProgramFigures":
        once, *loops = (replace(loop, sources={}) for loop in (self.once, *self.loops))
        return replace(self, once=once, loops=loops)

    @classmethod
    def parse(cls, written: dict[str, Any]) -> "ProgramFigures":
        loops = [LoopFigures(**loop) for loop in written["loops"]]
        return cls(**written | {"once": LoopFigures(**written["once"]), "loops": loops})


def read(file: Path) -> list[ProgramFigures]:
    """What `--json` wrote."""
    return [ProgramFigures.parse(written) for written in json.loads(file.read_text())]


def write(file: Path, results: Sequence[ProgramFigures]) -> None:
    """One program a line."""
    lines = ",\n".join(json.dumps(asdict(figures)) for figures in results)
    file.write_text(f"[\n{lines}\n]\n")


def measure(
    card: Card, target: str, dataset: str, program: str, overrides: Sequence[str] = ()
) -> ProgramFigures:
    """Compile `program` at the sizes of `dataset` for `card`; `overrides` are of its config."""
    from benchmarks.workloads import Workloads
    from experience.tasks import get_task
    from harness.configuration.composition import load_config

    domain = DATASETS[dataset]
    config = load_config(f"{domain}/base", [f"dataset_name={dataset}", *overrides])
    with ahead_of_time.beside_a_card():
        workload = getattr(Workloads(config, get_task(domain, dataset)), program)()
    compiled = ahead_of_time.compile_for(
        target, workload.function, workload.frozen, workload.donated
    )
    module = Module(compiled.hlo)
    once, loops = module.program()
    return ProgramFigures(
        card=card.name,
        dataset=dataset,
        program=program,
        once=LoopFigures.of("outside loops", 1, once, len(loops), card),
        loops=[
            LoopFigures.of(loop.source, loop.trips, loop.work, len(loop.inner), card)
            for loop in every_loop(loops)
        ],
        loops_outside_graphs=loops_outside_graphs(compiled.thunks),
        argument_bytes=compiled.argument_bytes,
        temporary_bytes=compiled.temporary_bytes,
        aliased_bytes=compiled.aliased_bytes,
        largest_array=module.largest,
    )


COLUMNS = (
    "| card | dataset | program: loop | turns | launches (< 2 µs) | inner loops | GFLOP | GB |"
    " fp32 ms | TF32 ms | ≥ 2 µs each, ms |\n"
    "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def rows(figures: ProgramFigures) -> list[str]:
    """Lines of the Markdown table."""
    where = f"{figures.card.split()[1].split('-')[0]} | {figures.dataset}"
    return [
        f"| {where} | {figures.program}: {loop.name} | {loop.turns or 'data'} |"
        f" {loop.launches} ({loop.short_launches}) | {loop.inner_loops} | {loop.gflop:.3g} |"
        f" {loop.gigabytes:.3g} | {loop.float32_ms:.3g} | {loop.tf32_ms:.3g} |"
        f" {loop.launch_bound_ms:.3g} |"
        for loop in (figures.once, *figures.loops)
    ]


def memory(figures: ProgramFigures) -> str:
    """The line on memory and graphs of a program."""
    return (
        f"  {figures.program}: arguments {figures.argument_bytes:,}, temporaries"
        f" {figures.temporary_bytes:,}, in place {figures.aliased_bytes:,} bytes; largest array"
        f" {figures.largest_array / 2**31:.1%} of 2³¹ elements; loops outside CUDA graphs"
        f" {figures.loops_outside_graphs}"
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cards", default=",".join(CARDS))
    parser.add_argument("--datasets", default="hopper-medium-v2")
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--target", type=Path, help="XLA's own description of the (one) card")
    parser.add_argument("--loops-in-graphs", action="store_true", help="as gpu.command_buffer")
    parser.add_argument(
        "--sources", action="store_true", help="launches by function, also in the file"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("overrides", nargs="*", help="of the configuration, as in key=value")
    options = parser.parse_intermixed_args(arguments)
    ahead_of_time.prepare(loops_in_graphs=options.loops_in_graphs)
    results = read(options.json) if options.json and options.json.exists() else []
    known = {(figures.card, figures.dataset, figures.program): figures for figures in results}
    print(COLUMNS, flush=True)
    for name in options.cards.split(","):
        card = CARDS[name]
        target = options.target.read_text() if options.target else card.target()
        for dataset in options.datasets.split(","):
            for program in options.programs.split(","):
                figures = known.get((card.name, dataset, program))
                if figures is None:
                    figures = measure(card, target, dataset, program, options.overrides)
                    results.append(figures if options.sources else figures.without_sources())
                    if options.json:
                        write(options.json, results)
                print("\n".join(rows(figures)), memory(figures), sep="\n", flush=True)
                if options.sources:
                    for loop in figures.loops:
                        print(f"  {loop.name}: {loop.sources}", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ahead_of_time.NotInstalled as missing:
        sys.exit(str(missing))
