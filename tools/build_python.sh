#!/usr/bin/env bash
# Builds a CPython that neither Debian 12 nor PyPI has, from the source of Debian 13's 3.13:
# tools/build_python.sh free-threaded|musl DIRECTORY. One that is there already is kept. Some three minutes on two cores;
# needs make, gcc, xz and, but for musl, the headers of zlib, libffi and OpenSSL.
set -euo pipefail
kind=$1 prefix=$2
[[ ! -e $prefix/complete ]] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$prefix" "$work/lists/partial"
prefix=$(cd "$prefix" && pwd)
cd "$work"

# This machine's mirror of Debian has the next release, too; its signatures are checked by the same keys.
. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $VERSION_CODENAME" | head -n 1)
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >sources.list
# source PACKAGE: unpacked into ./PACKAGE
source_of() {
    mkdir "$1"
    (
        cd "$1"
        apt-get -qq -o APT::Sandbox::User=root "${lists[@]}" source --download-only --tar-only "$1"
        tar --strip-components 1 -xf "$(ls ./*.orig.tar.* | grep -v '\.asc$')"
    )
}
lists=(-o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists")
apt-get -qq -o APT::Sandbox::User=root "${lists[@]}" update
source_of python3.13

if [[ $kind == musl ]]; then
    # Debian 12's own musl is too old for the wheels of musllinux_1_2 (no DT_RELR).
    source_of musl
    (cd musl && ./configure --prefix="$prefix" --syslibdir="$prefix/lib" && make -j"$(nproc)" && make install) >"$work/log" 2>&1
    # musl-gcc is the gcc for glibc with other directories: it names glibc's.
    cat >cc <<WRAPPER
#!/bin/sh
[ "\$1" = --print-multiarch ] && exec echo x86_64-linux-musl
exec "$prefix/bin/musl-gcc" "\$@"
WRAPPER
    chmod +x cc
    export CC=$work/cc PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig
    source_of zlib
    (cd zlib && CFLAGS=-fPIC ./configure --prefix="$prefix" && make && make install) >"$work/log" 2>&1
    options=(--without-ensurepip LDFLAGS="-Wl,-rpath,$prefix/lib")
else
    options=(--disable-gil)
fi
cd python3.13
{ ./configure --prefix="$prefix" "${options[@]}" && make -j"$(nproc)" && make install; } >>"$work/log" 2>&1 ||
    { tail -n 50 "$work/log" >&2; exit 1; }
touch "$prefix/complete"
