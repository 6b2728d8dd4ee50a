/* The AWS shared files: whatever they hold, settings come out trimmed and of one line, and only when there is such a profile. */
#include "base/alloc.h"
#include "fuzz_entry.h"
#include "io/aws_profile.h"

#include <string.h>

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static void check_setting(const char *value, bool found) {
    if (!value) return;
    size_t size = strlen(value);
    demand(found && size && !strchr(value, '\n'));
    demand(!is_blank(value[0]) && !is_blank(value[size - 1]));
}

static void check_file(const char *text, size_t size, bool is_config, const char *name) {
    struct shf_aws_profile profile = {.name = shf_strdup(name)};
    struct shf_error *error = NULL;
    bool found = false;
    demand(profile.name != NULL);
    demand(shf_aws_profile_parse(text, size, is_config, &profile, &found, &error) == SHF_OK && !error);
    const struct shf_aws_keys *keys = is_config ? &profile.config : &profile.credentials;
    const struct shf_aws_keys *others = is_config ? &profile.credentials : &profile.config;
    demand(!others->access_key_id && !others->secret_access_key && !others->session_token);
    const char *const values[] = {keys->access_key_id, keys->secret_access_key, keys->session_token,
                                  profile.region,      profile.endpoint_url,    profile.credential_process,
                                  profile.ca_bundle,   profile.unread};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) check_setting(values[i], found);
    demand(profile.addressing <= 2);
    shf_aws_profile_free(&profile);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (memchr(data, '\0', size)) return 0; /* refused before it is parsed */
    char *text = shf_strndup((const char *)data, size);
    demand(text != NULL);
    check_file(text, size, true, "default");
    check_file(text, size, true, "p");
    check_file(text, size, false, "default");
    check_file(text, size, false, "p");
    shf_free(text);
    return 0;
}
