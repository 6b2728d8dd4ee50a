# Debian packages that the verbs need; only what is missing is installed. Sourced.
# shellcheck shell=sh

packages_build='ca-certificates cmake gcc libc6-dev libcurl4-openssl-dev libexpat1-dev libinih-dev libjansson-dev liblz4-dev
    libpcre2-dev libsnappy-dev libssl-dev libuv1-dev libxxhash-dev libyaml-dev libzstd-dev ninja-build pkg-config zlib1g-dev'
packages_test="$packages_build libcmocka-dev libsqlite3-dev python3"
packages_interop='ca-certificates python3 python3-venv'
packages_python="$packages_build python3 python3-dev python3-venv"
packages_bench="$packages_build liblmdb-dev libsqlite3-dev python3 python3-venv"
packages_lint='clang-format-14 clang-tidy-14 codespell python3 shellcheck'
packages_fuzz="$packages_build clang libclang-rt-14-dev"
packages_ci="$packages_test $packages_interop $packages_python $packages_lint clang libclang-rt-14-dev g++ binutils"

packages_updated=''

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -- "$@"
    fi
}

package_is_there() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need PACKAGE...: installs those that are missing.
need() {
    if ! have apt-get || ! have dpkg-query; then
        note "no apt-get here: taking these for granted (Debian's names): $*"
        return 0
    fi
    missing=''
    for package; do package_is_there "$package" || missing="$missing $package"; done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" -ne 0 ] && ! have sudo; then
        die "these packages are missing and there is no sudo; as root, run: apt-get install$missing"
    fi
    say "Installing with apt-get:$missing"
    if [ -z "$packages_updated" ]; then
        quietly 'apt-get update' as_root apt-get update || die 'apt-get update failed (is there a network?)'
        packages_updated=1
    fi
    # shellcheck disable=SC2086 # a list of names
    quietly "apt-get install" as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends $missing || die 'apt-get install failed'
}

verb_setup() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_test
    s3server_need
    s3server_build || die 'the S3 test server could not be built'
    good 'everything that building and testing need is there'
}
