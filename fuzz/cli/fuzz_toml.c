/* Configuration files: any bytes are either parsed or refused with a message; what was parsed can be looked up. */
#include "cli/memory.h"
#include "cli/toml.h"
#include "cli/utf8.h"
#include "fuzz_entry.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cli_toml toml;
    char *text = cli_strndup((const char *)data, size);
    char *error = cli_toml_parse(text, size, &toml);
    free(text);
    if (error) {
        if (!*error) __builtin_trap();
        free(error);
        return 0;
    }
    for (size_t i = 0; i < toml.entry_count; i++) {
        const struct cli_toml_entry *entry = &toml.entries[i];
        if (cli_toml_find(&toml, entry->section, entry->name) != entry) __builtin_trap();
        if ((entry->kind == CLI_TOML_STRING) != (entry->text != NULL)) __builtin_trap();
        if (entry->text && !cli_utf8_valid(entry->text, strlen(entry->text))) __builtin_trap();
        if (*entry->section && !cli_toml_has_section(&toml, entry->section)) __builtin_trap();
    }
    cli_toml_free(&toml);
    return 0;
}
