#!/usr/bin/env bash
# Disassembles the compiled modules of an installed fastbp (x86-64) and checks that what every processor runs has no
# AVX, and that each level keeps to its own registers. Argument: the directory of the package.
set -uo pipefail
package=$1
status=0

# count PATTERN OPERANDS: how many instructions in each matching module have such an operand.
count() {
    local module
    for module in "$package"/$1; do
        printf '%d of %s in %s\n' "$(objdump -d --no-show-raw-insn "$module" | grep -cE "$2")" "$2" "${module##*/}"
    done
}
refuse() { if count "$@" | grep -v '^0 '; then status=1; fi; }
demand() { if count "$@" | grep '^0 '; then status=1; fi; }

refuse '_c*.so' '%[yz]mm|\sv[a-z]'     # AVX's 128-bit instructions begin with v, too
refuse '_kernels/baseline_*.so' '%[yz]mm|\sv[a-z]'
refuse '_kernels/x86_v3_*.so' '%zmm|%k[0-7]'
demand '_kernels/x86_v3_*.so' '%ymm'
demand '_kernels/x86_v4_*.so' '%zmm'
if ((status == 0)); then echo "every module keeps to its level's registers"; fi
exit $status
