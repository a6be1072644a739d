#!/usr/bin/env python3
"""Write docs/BENCHMARKS.md from what `compare --json FILE` has measured.

    benches/page.py target/benchmarks.json > docs/BENCHMARKS.md

`scripts/heavy/benchmarks` does both.
"""

import datetime
import json
import sys

# A row counts as behind from here on, as in `compare`.
BEHIND = 1.05

HEAD = """# Benchmarks

hakmem beside other allocators, on the programs of [benches](../benches/README.md), which also says
how it is measured. Made by `scripts/heavy/benchmarks`, that is by

```sh
{command}
benches/page.py {file} > docs/BENCHMARKS.md
```

on {date}: {machine}. Allocators: {allocators}.

Each figure is the median of {rounds} interleaved rounds. *Behind* is what needs more than {behind}
times the CPU time of the best other allocator on that row; it stands first, the farthest behind on
top. The interval is of 95 %, by a bootstrap over the rounds: where it is wide, the machine was not
quiet enough to tell.
"""


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def main(arguments):
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    with open(arguments[0], encoding="utf-8") as file:
        run = json.load(file)
    if run["metric"] != "CPU":
        print("page.py: the page is of CPU time: compare --metric cpu", file=sys.stderr)
        return 1
    names = [allocator["name"] for allocator in run["allocators"]]
    rows = {}
    for row in run["rows"]:
        rows.setdefault(row["workload"], {})[row["allocator"]] = row
    rows = {name: row for name, row in rows.items() if "hakmem" in row}

    def behind(name):
        return rows[name]["hakmem"]["to_best_peer"]["median"]

    def best(name):
        return next((a for a, row in rows[name].items() if row["is_best_peer"]), "-")

    def cpu(name):
        own = rows[name]["hakmem"]
        reach = own["to_best_peer"]
        others = (rows[name].get(other) for other in names[1:])
        return [
            f"`{name}`",
            f"{reach['median']:.2f} [{reach['low']:.2f}, {reach['high']:.2f}]",
            best(name),
            f"{own['cpu_s']['median']:.3f}",
        ] + [f"{o['cpu_s']['median'] / own['cpu_s']['median']:.2f}" if o else "-" for o in others]

    def memory(name):
        own = rows[name]["hakmem"]["peak_rss_kib"]
        others = (rows[name].get(other) for other in names[1:])
        return [f"`{name}`", f"{own / 1024:.1f}"] + [
            f"{o['peak_rss_kib'] / own:.2f}" if o else "-" for o in others
        ]

    order = sorted(rows, key=behind, reverse=True)
    late = [name for name in order if behind(name) > BEHIND]
    level = [name for name in order if behind(name) <= BEHIND]
    rounds = max(len(row["samples"]) for row in run["rows"])
    versions = [f"{a['name']} {a['version'] or ''}".strip() for a in run["allocators"]]
    machine = run["machine"]
    kernel = machine["kernel"].split("-")[0]
    where = f"{machine['processor']}, {machine['cpus']} CPUs, {machine['system']}, Linux {kernel}"
    # Where the files were is of no interest.
    command = " ".join(a.rsplit("/", 1)[-1] if a.startswith("/") else a for a in run["command"])
    print(
        HEAD.format(
            command=command,
            file=arguments[0],
            date=datetime.date.today(),
            machine=where,
            allocators=", ".join(versions),
            rounds=rounds,
            behind=BEHIND,
        )
    )
    print("## Geometric means\n")
    means = [
        [
            mean["allocator"],
            str(mean["rows"]),
            f"{mean['to_best_peer']:.3f}" if mean["to_best_peer"] else "-",
            f"{mean['to_mimalloc']:.3f}" if mean["to_mimalloc"] else "-",
            f"{mean['rss_to_mimalloc']:.3f}" if mean["rss_to_mimalloc"] else "-",
        ]
        for mean in run["geometric_means"]
    ]
    print(table(["allocator", "rows", "CPU / best peer", "CPU / mimalloc", "RSS / mimalloc"], means))
    head = ["workload", "hakmem / best [95 %]", "best", "hakmem, s"] + names[1:]
    print(f"\n## CPU time: behind ({len(late)} of {len(order)})\n")
    print("The last columns are the others' time as a part of hakmem's: over 1 hakmem is faster.\n")
    print(table(head, map(cpu, late)))
    print("\n## CPU time: level or ahead\n")
    print(table(head, map(cpu, level)))
    print("\n## Peak resident set\n")
    print("In MiB; the others as multiples of hakmem's: over 1 hakmem takes less.\n")
    heaviest = sorted(rows, key=lambda n: rows[n]["hakmem"]["rss_to_mimalloc"] or 0, reverse=True)
    print(table(["workload", "hakmem, MiB"] + names[1:], map(memory, heaviest)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
