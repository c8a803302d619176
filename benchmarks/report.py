"""The table and the picture of a file under results/: ``python benchmarks/report.py results/DATE.json``.

Rewrites what stands between the benchmark's two markers in docs/benchmark.md, which has all rows, and in README.md,
which has one of each kind; and benchmarks/results/benchmark.svg and .png.
"""

import json
import sys
from pathlib import Path
from statistics import median

from fastbp.bench.workloads import WORKLOADS

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- benchmark: begin -->\n", "<!-- benchmark: end -->\n"
OWN = ("fastbp", "fastbp, bound")
OF_EACH_KIND = {"W1 4-8-3 f32", "W1b 2-2-1 f32", "W2 4-16-3 f32", "W3 8-32-32-1 f32 momentum",
                "W5 1024-2048-2048-10 f32", "W6 20-50-1 f32"}
# Okabe and Ito's palette, made to be told apart by everybody; shapes differ as well.
STYLES = {
    "fastbp": ("#D55E00", "o"), "fastbp, bound": ("#E69F00", "o"), "NumPy": ("#0072B2", "s"), "Numba": ("#009E73", "^"),
    "JAX": ("#CC79A7", "D"), "PyTorch": ("#56B4E9", "v"), "PyTorch, compiled": ("#56B4E9", ">"),
    "scikit-learn": ("#000000", "P"), "ONNX Runtime": ("#F0E442", "X"), "FANN": ("#999999", "*"),
}


def units(workload):
    return workload.samples if workload.unit == "sample" else 1


def readable(seconds):
    for size, name in ((1, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= size:
            return f"{seconds / size:.3g} {name}"
    return f"{seconds * 1e9:.3g} ns"


def medians(results, workload):
    """Median seconds a unit of every peer, the fastest first."""
    rows = {peer: median(values) / units(workload) for peer, values in results["seconds"][workload.name].items()}
    return dict(sorted(rows.items(), key=lambda row: row[1]))


def spread(values):
    """Half the distance of the quartiles, in percent of the median."""
    ordered = sorted(values)
    return 50 * (ordered[3 * len(ordered) // 4] - ordered[len(ordered) // 4]) / median(ordered)


def table(results, names):
    """Markdown: a row for each of these workloads, with the best peer, by how much fastbp is faster, and the others."""
    lines = ["| workload | fastbp | best peer | fastbp is faster by | target | the others |",
             "|---|---|---|---|---|---|"]
    for workload in WORKLOADS:
        if workload.name not in names:
            continue
        times = medians(results, workload)
        own = times["fastbp"]
        bound = f" (bound: {readable(times['fastbp, bound'])})" if "fastbp, bound" in times else ""
        rivals = [peer for peer in times if peer not in OWN]
        error = spread(results["seconds"][workload.name]["fastbp"])
        others = ", ".join(f"{peer} {readable(times[peer])}" for peer in rivals[1:])
        best = f"{rivals[0]} {readable(times[rivals[0]])}"
        lines.append(f"| {workload.name} | {readable(own)} ± {error:.0f} %{bound} | {best} "
                     f"| {times[rivals[0]] / own:.2f} | {workload.reach or 'see performance.md'} | {others} |")
    return "\n".join(lines)


def draw(results, folder):
    """Every peer's time relative to fastbp's, on a logarithmic scale; left of the line fastbp has lost."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = [workload for workload in WORKLOADS if workload.name in results["seconds"]]
    figure, axes = plt.subplots(figsize=(9, 0.32 * len(names) + 1.6), facecolor="white")
    for peer, (colour, shape) in STYLES.items():
        points = [(medians(results, w)[peer] / medians(results, w)["fastbp"], row) for row, w in enumerate(names)
                  if peer in results["seconds"][w.name]]
        if points and peer != "fastbp":
            label = peer if peer in OWN else f"{peer} {results['versions'][peer]}"
            axes.scatter(*zip(*points, strict=True), color=colour, marker=shape, s=45, edgecolors="black",
                         linewidths=0.4, label=label, zorder=3)
    axes.axvline(1, color=STYLES["fastbp"][0], linewidth=2, label="fastbp")
    axes.set_xscale("log")
    axes.set_yticks(range(len(names)), [workload.name for workload in names], fontsize=8)
    axes.invert_yaxis()
    axes.grid(axis="both", color="#dddddd", zorder=0)
    axes.set_xlabel("time, as a multiple of fastbp's (logarithmic; left of the line fastbp loses)")
    axes.set_title(f"{results['machine']}, one core, {results['date']}, commit {results['commit']}", fontsize=9)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    figure.savefig(folder / "benchmark.svg", bbox_inches="tight")
    figure.savefig(folder / "benchmark.png", bbox_inches="tight", dpi=110)


def main(file):
    results = json.loads(Path(file).read_text())
    draw(results, ROOT / "benchmarks" / "results")
    versions = ", ".join(f"{peer} {version}" for peer, version in results["versions"].items() if peer not in OWN)
    text = (f"Measured on {results['date']} at commit {results['commit']}: {results['machine']}, one core, one thread, "
            f"Python {results['python']}, {results['compiler']}, instruction set {results['instruction_set'][-1]}. "
            f"{versions}. "
            f"Medians of {results['rounds']} round{'s' * (results['rounds'] > 1)} by pyperf; ± is half the distance of the quartiles.\n")
    picture = "![Time of every peer as a multiple of fastbp's](../benchmarks/results/benchmark.png)\n\n"
    write("docs/benchmark.md", f"{picture}{table(results, results['seconds'])}\n\n{text}")
    write("README.md", f"{table(results, OF_EACH_KIND & results['seconds'].keys())}\n\n{text}")


def write(page, text):
    """Put the text between the page's two markers."""
    path = ROOT / page
    before, rest = path.read_text().split(BEGIN)
    path.write_text(before + BEGIN + text + END + rest.split(END)[1])


if __name__ == "__main__":
    main(sys.argv[1])
