/* Stored JSON: whatever jansson takes is taken, what comes out is clean, and cleaning it again changes nothing. */
#include "cli/json.h"
#include "fuzz_entry.h"

#include <jansson.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cli_out once, twice;
    json_error_t why;
    unsigned replaced = 0, again = 0;
    cli_out_init(&once, -1);
    cli_out_init(&twice, -1);
    bool clean = cli_json_clean(&once, (const char *)data, size, &replaced);
    if (clean) {
        if (!cli_json_clean(&twice, once.data, once.size, &again) || again) __builtin_trap();
        if (once.size != twice.size || memcmp(once.data, twice.data, once.size)) __builtin_trap();
        if (memchr(once.data, '\n', once.size)) __builtin_trap();
    } else if (!memchr(data, 0, size)) { /* jansson reads up to a NUL and calls it the end */
        json_t *value = json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);
        size_t depth = 0;
        for (size_t i = 0; i < size; i++) depth += data[i] == '[' || data[i] == '{';
        if (value && depth <= CLI_JSON_CLEAN_DEPTH) __builtin_trap();
        json_decref(value);
    }
    cli_out_free(&once);
    cli_out_free(&twice);
    return 0;
}
