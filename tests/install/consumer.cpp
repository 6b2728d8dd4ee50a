// The header is C++ too: its inline functions, macros and initialisers compile, and a call links.
#include <shardyfusion/shardyfusion.h>

#include <cstdio>
#include <string>

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    shf_runtime *runtime = nullptr;
    if (shf_runtime_new(nullptr, &runtime) != SHF_OK) return 1;
    shf_reader_options options;
    SHF_INIT(&options);
    options.url = argv[1];
    shf_op *opened = nullptr;
    shf_status status = shf_open_sync(runtime, &options, 0, &opened);
    shf_reader *reader = nullptr;
    if (status == SHF_OK) status = shf_op_take_reader(opened, &reader);
    if (status == SHF_OK) {
        const std::string name = "nginx";
        const shf_key keys[] = {shf_key_from_text(name.data(), name.size()), shf_key_from_bytes("none", 4),
                                shf_key_from_int(-1), shf_key_from_uint(1)};
        shf_op *got = nullptr;
        status = shf_multi_get_sync(reader, keys, 2, nullptr, 0, &got);
        std::printf("%zu answers\n", shf_op_value_count(got));
        shf_op_release(got);
    }
    if (status != SHF_OK) std::fprintf(stderr, "%s\n", shf_status_text(status));
    shf_op_release(opened);
    shf_reader_release(reader);
    return status == SHF_OK && shf_runtime_free(runtime) == SHF_OK ? 0 : 1;
}
