"""A thermometer for microcontrollers: a network is trained, written as C and compiled for an Arduino Uno and for ARM's.

A thermistor's voltage depends on the temperature by a curve, and on the supply, which sags. The network learns to undo
both from readings of a 10-bit converter. Printed are the bytes of flash and of RAM of the whole program (arduino.c),
for each way of writing the network and each compiler that is installed: Debian's gcc-avr with avr-libc, and
gcc-arm-none-eabi with libnewlib-arm-none-eabi.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

import fastbp

rng = np.random.default_rng(0)
celsius, supply = rng.uniform(-10, 60, 5000), rng.uniform(4.5, 5.1, 5000)
resistance = 10_000 * np.exp(3950 * (1 / (celsius + 273.15) - 1 / 298.15))
X = np.column_stack([supply * resistance / (resistance + 10_000), supply / 1.5]) / 5.1 * 1023
X = np.clip(np.rint(X), 0, 1023)

# Trained on numbers of size 1; then the scaling goes into the first and the last layer.
middle, spread = X.mean(axis=0), X.std(axis=0)
net = fastbp.Network([2, 8, 1], "tanh", "identity", dtype="float32", seed=0)
net.fit((X - middle) / spread, celsius / 30, epochs=200, batch_size=32, optimizer="adam", schedule="cosine", seed=0)
net.weights[0][...] /= spread[:, None]
net.biases[0][...] -= middle @ net.weights[0]
net.weights[1][...] *= 30
net.biases[1][...] *= 30
print(f"RMS error {net.rms(X, celsius):.2f} degrees")

TARGETS = {
    "Arduino Uno (ATmega328P)": ["avr-gcc", "-mmcu=atmega328p"],
    "Cortex-M0+": ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb", "--specs=nano.specs", "--specs=nosys.specs"],
    "Cortex-M4F": ["arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16",
                   "--specs=nano.specs", "--specs=nosys.specs"],
}
with tempfile.TemporaryDirectory() as directory:
    header, program = Path(directory, "thermometer.h"), Path(directory, "program")
    for kind, arguments in {"16-bit integers": {"int16": X}, "float": {}, "float, libm": {"libm": True}}.items():
        error = net.to_c(header, **arguments)
        if error is not None:
            print(f"in integers off by at most {error[0]:.2f} degrees more")
        for target, (compiler, *flags) in TARGETS.items():
            if not shutil.which(compiler):
                continue
            command = [compiler, *flags, "-std=c99", "-Os", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror",
                       "-I", directory,
                       *(["-DFLOATING"] if error is None else []), "-fstack-usage"]
            source = Path(__file__).with_name("arduino.c")
            subprocess.run([*command, source, "-o", program, "-lm", "-Wl,--gc-sections"], cwd=directory, check=True,
                           capture_output=True)
            size = subprocess.check_output([compiler.replace("gcc", "size"), program], text=True)
            text, data, bss = map(int, size.splitlines()[1].split()[:3])
            stack = sum(int(line.split("\t")[1]) for usage in Path(directory).glob("*.su")
                        for line in usage.read_text().splitlines())
            print(f"{target:25} {kind:16} flash {text + data:5}, RAM {data + bss:4}, stack at most {stack:4}")
