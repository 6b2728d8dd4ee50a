/*
 * A manifest of a Lance dataset. The first byte is its version; of the second, 0 = the rest is the file, else the rest is its
 * message, to which the frame is added here. Also the names of its folder, and what is made of them.
 */
#include "base/cursor.h"
#include "formats/lance/manifest.h"
#include "fuzz_entry.h"

#include <stdlib.h>
#include <string.h>

static void use(const struct shf_lance_manifest *manifest) {
    if (manifest->dimension < 1 || manifest->dimension > SHF_LIMIT_DIMENSION) __builtin_trap();
    for (size_t i = 0; i < manifest->fragment_count; i++) {
        const struct shf_lance_fragment *fragment = &manifest->fragments[i];
        char name[SHF_LANCE_NAME_BYTES + 1];
        shf_lance_deletion_name(fragment, name);
        if (!shf_lance_name_is_plain(name, strlen(name))) __builtin_trap();
        for (size_t file = 0; file < fragment->file_count; file++) {
            const char *own = fragment->files[file].name;
            if (!shf_lance_name_is_plain(own, strlen(own)) || strchr(own, '/')) __builtin_trap();
        }
    }
}

static void parse(const uint8_t *data, size_t size, uint64_t version) {
    struct shf_lance_manifest *manifest;
    struct shf_error *error = NULL;
    if (shf_lance_manifest_parse(data, size, version, &manifest, &error)) {
        if (!error) __builtin_trap();
        shf_error_free(error);
        return;
    }
    if (manifest->version != version) __builtin_trap();
    use(manifest);
    shf_lance_manifest_free(manifest);
}

/* The message between the length before it and the tail behind it. */
static void parse_message(const uint8_t *message, size_t size, uint64_t version) {
    uint8_t *file = calloc(1, size + 20);
    shf_store_u32le(file, (uint32_t)size);
    memcpy(file + 4, message, size);
    memcpy(file + 4 + size + 8, "\0\0\2\0LANC", 8);
    parse(file, size + 20, version);
    free(file);
}

static void use_name(const uint8_t *data, size_t size) {
    char *name = malloc(size + 1);
    uint64_t version;
    memcpy(name, data, size);
    name[size] = '\0';
    (void)shf_lance_version_of_name(name, &version);
    free(name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2) return 0;
    use_name(data, size);
    if (data[1] == 0) {
        parse(data + 2, size - 2, data[0]);
    } else {
        parse_message(data + 2, size - 2, data[0]);
    }
    return 0;
}
