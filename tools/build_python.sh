#!/usr/bin/env bash
# Builds a CPython that neither Debian 12 nor PyPI has, from Debian 13's sources, which apt-get fetches and verifies:
# tools/build_python.sh free-threaded|musl DIRECTORY. An existing one is kept. Takes some two minutes on two cores.
# Needs gcc, make, xz-utils and Debian's keyring; free-threaded also zlib1g-dev, libbz2-dev, libffi-dev and libssl-dev;
# musl also autoconf, automake, libtool and libltdl-dev. The latter brings its own musl, and no ssl: its pip cannot
# download.
set -euo pipefail
kind=$1
mkdir -p "$2"
prefix=$(cd "$2" && pwd)
[[ ! -e $prefix/complete ]] || exit 0
work=$(mktemp -d)
trap '(($? == 0)) || tail -n 50 "$work/log" >&2; rm -rf "$work"' EXIT
cd "$work"
: >log

# Debian 13 comes from the same mirror as this machine's Debian.
. /etc/os-release
mirror=$(apt-get --print-uris update | sed -n "s|^'\(.*\)/dists/$VERSION_CODENAME/InRelease' .*|\1|p" | head -n 1)
mkdir -p lists/partial cache/archives/partial
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >sources.list
apt=(apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Debug::NoLocking=1
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update

# unpack PACKAGE: what upstream released, without Debian's patches, becomes the working directory.
unpack() {
    mkdir "$1"
    cd "$1"
    "${apt[@]}" source --only-source --download-only --tar-only "$1"
    tar --strip-components 1 -xf ./*.orig.tar.?z*
}
# build PACKAGE OPTION...
build() (
    unpack "$1"
    [[ -e configure ]] || ./autogen.sh
    ./configure --prefix="$prefix" "${@:2}"
    make -j"$(nproc)"
    make install
) >"$work/log" 2>&1

case $kind in
free-threaded) build python3.13 --disable-gil ;;
musl)
    # Debian 12's own musl, 1.2.3, cannot relocate the libraries in NumPy's wheels for musllinux_1_2 (DT_RELR). By this
    # name, Alpine's, wheels ask for it.
    LDFLAGS=-Wl,-soname,libc.musl-$(uname -m).so.1 build musl --syslibdir="$prefix/lib"
    # musl-gcc is gcc with musl's directories; asked for its target, it names glibc's, and Python's configure objects.
    cat >"$prefix/bin/musl-cc" <<WRAPPER
#!/bin/sh
[ "\$1" != --print-multiarch ] || exec echo "$(uname -m)-linux-musl"
exec "$prefix/bin/musl-gcc" "\$@"
WRAPPER
    chmod +x "$prefix/bin/musl-cc"
    export CC=$prefix/bin/musl-cc PKG_CONFIG_LIBDIR=$prefix/lib/pkgconfig
    # Static, so that Python's modules need no path to them.
    CFLAGS="-O2 -fPIC" build zlib --static
    (unpack bzip2; make CC="$CC" CFLAGS="-O2 -fPIC" PREFIX="$prefix" install) >"$work/log" 2>&1
    build libffi --disable-shared --with-pic --disable-docs --disable-multi-os-directory --without-gcc-arch \
        --disable-exec-static-tramp # which needs Linux's headers
    build python3.13
    ;;
*) echo "free-threaded or musl?" >&2; exit 1 ;;
esac
touch "$prefix/complete"
