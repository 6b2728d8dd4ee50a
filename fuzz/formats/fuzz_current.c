/* `_CURRENT`, and the names and dates around it. */
#include "formats/manifest.h"
#include "fuzz_entry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct shf_current current;
    struct shf_error *error = NULL;
    const char *run_id;
    size_t run_id_size;
    int64_t us;
    (void)shf_manifest_directory_parse((const char *)data, size, &us, &run_id, &run_id_size);
    (void)shf_time_parse((const char *)data, size, &us);
    if (shf_current_parse(data, size, &current, &error)) {
        if (shf_error_code(error) != SHF_E_MANIFEST) __builtin_trap();
        shf_error_free(error);
        return 0;
    }
    if (!current.manifest_ref || !current.manifest_content_type || !current.run_id) __builtin_trap();
    shf_current_free(&current);
    return 0;
}
