#!/usr/bin/env bash
# Cross-compiles a wheel for aarch64 and runs the tests under qemu, so that the NEON code is executed; arguments go to
# pytest. Needs Debian's gcc-aarch64-linux-gnu and qemu-user, and a Python of the same minor version as Debian's that
# has Cython, NumPy and setuptools. Nothing is installed: an arm64 Python is unpacked into a directory of its own, which
# is kept for the next run if FASTBP_AARCH64 names it.
set -euo pipefail
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
python=${PYTHON:-python}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
arm=${FASTBP_AARCH64:-$work/arm}
root=$arm/root
unset PYTHONPATH FASTBP_ISA FASTBP_DEBUG FASTBP_SANITIZE

if [[ ! -e $arm/complete ]]; then
    mkdir -p "$root" "$arm"/lists/partial "$arm"/cache/archives/partial
    : >"$arm/status"    # nothing is installed there, so apt brings everything that Python needs
    apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State::Lists="$arm/lists"
        -o Dir::State::status="$arm/status" -o Dir::Cache="$arm/cache" -o Debug::NoLocking=1)
    "${apt[@]}" update
    "${apt[@]}" install -y --download-only --no-install-recommends python3-minimal libpython3-stdlib libpython3-dev libstdc++6
    for package in "$arm"/cache/archives/*.deb; do dpkg -x "$package" "$root"; done
    # Called by its own name, so that the tests' subprocesses are emulated, too.
    cat >"$root/usr/bin/emulated" <<WRAPPER
#!/bin/sh
exec qemu-aarch64 -L "$root" -0 "$root/usr/bin/emulated" "$root/usr/bin/python3" "\$@"
WRAPPER
    chmod +x "$root/usr/bin/emulated"
    touch "$arm/complete"
fi
emulated=$root/usr/bin/emulated
version=$("$emulated" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[[ $("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])') == "$version" ]] ||
    { echo "PYTHON must be a Python $version, like Debian's for arm64" >&2; exit 1; }
if [[ ! -d $arm/site ]]; then
    "$python" -m pip install -q --target "$arm/site" --only-binary :all: --platform manylinux2014_aarch64 \
        --platform manylinux_2_28_aarch64 --python-version "$version" numpy pytest hypothesis
fi

# The build's Python takes the target's names and headers, the compiler does the rest.
mkdir "$work/tree" "$work/sysconfig"
cp -R "$tree"/{src,tests,docs,examples,benchmarks,tools,setup.py,pyproject.toml,LICENSE} "$tree"/*.md "$work/tree"
rm -f "$work"/tree/src/fastbp/*.so "$work"/tree/src/fastbp/_kernels/*.so
cp "$root/usr/lib/python$version/_sysconfigdata__aarch64-linux-gnu.py" "$work/sysconfig"
cd "$work/tree"
PYTHONPATH=$work/sysconfig _PYTHON_SYSCONFIGDATA_NAME=_sysconfigdata__aarch64-linux-gnu \
    _PYTHON_HOST_PLATFORM=linux-aarch64 CC=aarch64-linux-gnu-gcc LDSHARED="aarch64-linux-gnu-gcc -shared" \
    CFLAGS="-I$root/usr/include/python$version -I$root/usr/include" \
    "$python" setup.py -q bdist_wheel -d "$work"
"$python" -m zipfile -e "$work"/fastbp-*-linux_aarch64.whl "$work/site"
PYTHONPATH=$work/site:$arm/site "$emulated" -c 'import fastbp; fastbp.show_config()'
PYTHONPATH=$work/site:$arm/site "$emulated" -m pytest -p no:cacheprovider "$@"
