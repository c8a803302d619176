"""
A network as C source
=====================

``net.to_c`` writes a trained network as one C header that needs no library. A program of a few lines includes it, the C
compiler translates it, and its answers are compared with those of ``predict``: once in double precision, and once in
16-bit integers, for processors without floating point.
"""

import subprocess
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import fastbp

x = np.linspace(-3, 3, 601)[:, None]
net = fastbp.Network([1, 16, 1], "tanh", "identity", seed=0)
net.fit(x, np.sin(2 * x) * np.exp(-x**2 / 4), epochs=500, batch_size=16, optimizer="adam", schedule="cosine")

PROGRAM = {
    "double": """#include <stdio.h>
#include "wave.h"
int main(void) {
    double x, y;
    while (scanf("%lf", &x) == 1) wave_predict(&x, &y), printf("%.17g\\n", y);
}""",
    "int16": """#include <math.h>
#include <stdio.h>
#include "wave.h"
int main(void) {
    double v; int16_t y;
    while (scanf("%lf", &v) == 1) {
        wave_predict(&(int16_t){(int16_t)lrint(ldexp(v, wave_x_bits[0]))}, &y);
        printf("%.17g\\n", ldexp(y, -wave_y_bits[0]));
    }
}"""}
answers = {}
with tempfile.TemporaryDirectory() as directory:
    for kind, program in PROGRAM.items():
        net.to_c(Path(directory, "wave.h"), int16=x if kind == "int16" else None)
        Path(directory, "wave.c").write_text(program)
        subprocess.run(["cc", "-O2", "wave.c", "-o", "wave", "-lm"], cwd=directory, check=True)
        out = subprocess.check_output([Path(directory, "wave")], input="\n".join(map(str, x[:, 0])), text=True)
        answers[kind] = np.array(out.split(), dtype=float)
        print(f"{kind}: off by at most {abs(answers[kind] - net.predict(x)[:, 0]).max():.1e}")

# %%
# Both follow the network; the integers have some 15 bits.
fig, (upper, lower) = plt.subplots(2, 1, figsize=(8, 5), sharex=True, height_ratios=[2, 1], layout="constrained")
upper.plot(x, net.predict(x), color="black", label="predict")
for first, (kind, y), color in zip((0, 10), answers.items(), ("tab:blue", "tab:orange"), strict=True):
    upper.plot(x[first::20], y[first::20], "o", color=color, label=f"C, {kind}")
    lower.semilogy(x, abs(y - net.predict(x)[:, 0]) + 1e-18, color=color, linewidth=1)
upper.set(ylabel="output"), upper.legend()
lower.set(xlabel="x", ylabel="difference", ylim=(1e-18, 1))
plt.show()
