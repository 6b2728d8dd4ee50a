# Formatting, static analysis and the project's own rules. Sourced.
# shellcheck shell=sh

c_folders='include src cli tests examples demo fuzz bench bindings/python/src'

c_files() {
    # shellcheck disable=SC2086 # a list of names
    find $c_folders -name '*.[ch]' 2>/dev/null | sort
}

# tools/dev/*.sh are parts of dev, and checked with it.
shell_files() {
    echo dev
    echo .ci/run
    find tests -name '*.sh' | sort
}

lint_format() { c_files | xargs clang-format-14 --style=file --dry-run -Werror; }

lint_shell() { shell_files | xargs shellcheck -x -a; }

lint_spelling() {
    codespell --quiet-level 2 --ignore-words tools/spelling-ignore.txt \
        --skip '*/data/*,*/corpus/*,*.db,*.bin,LICENSE,tools/spelling-ignore.txt' \
        dev ./*.md .ci abi bench bindings cli cmake demo docs examples fuzz include samples/README.md src tests tools
}

# Sources that the build of DIRECTORY compiles, without the test programs' (their style is checked, not their depth).
lint_tidy() {
    tidy_directory=$1
    find src cli examples demo -name '*.c' | sort |
        xargs -P "$jobs" -n 4 clang-tidy-14 --quiet --warnings-as-errors='*' -p "$tidy_directory"
}

lint_sizes() {
    # shellcheck disable=SC2046 # one word a file
    wc -l $(c_files) | awk '$2 != "total" && $1 > 800 { print $2 ": " $1 " lines, at most 800"; bad = 1 } END { exit bad }'
}

lint_configure() {
    cmake -S . -B build-ci/tidy -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DSHF_BUILD_TESTS=OFF
}

# Every leg; the caller counts.
lint_legs() {
    leg 'formatting (clang-format)' lint_format
    leg 'length of files' lint_sizes
    leg 'shell scripts (shellcheck)' lint_shell
    leg 'spelling (codespell)' lint_spelling
    leg 'dependency rule (tools/check_deps)' tools/check_deps
    leg 'the dependency rule catches what it must' tools/check_deps --self-test
    leg 'exported symbols (tools/check_exports)' tools/check_exports build/libshardyfusion.so
    leg 'clang-tidy: configure' lint_configure
    leg 'clang-tidy' lint_tidy build-ci/tidy
    python_lint_legs
}

verb_lint() {
    # shellcheck disable=SC2086 # a list of names
    need $packages_python $packages_lint clang
    verb_build
    lint_legs
    legs_end
}

verb_format() {
    need clang-format-14 python3 python3-venv
    c_files | xargs clang-format-14 --style=file -i
    quietly 'build/venv has ruff' python_environment_of_tests || die 'the Python environment could not be made'
    "$python_venv/bin/ruff" format --no-cache --quiet "$python_folder"
}
