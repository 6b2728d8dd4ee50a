/* What a credential_process prints: what is taken from it can stand in a header, and nothing of it is in a message. */
#include "fuzz_entry.h"
#include "io/credentials.h"

#include <string.h>

static void check_header_text(const char *text) {
    demand(*text != '\0');
    for (; *text; text++) demand(*text > ' ' && *text < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char refusal[256];
    struct shf_credentials *made = NULL;
    struct shf_error *error = NULL;
    shf_status status = shf_credentials_parse((const char *)data, size, &made, &error);
    if (status) {
        demand(status == SHF_E_ACCESS && !made);
        /* The same words whatever was printed. */
        const char *message = shf_error_message(error);
        demand(strlen(message) < sizeof refusal);
        if (!*refusal) memcpy(refusal, message, strlen(message) + 1);
        demand(strcmp(refusal, message) == 0);
        shf_error_free(error);
        return 0;
    }
    check_header_text(made->access_key_id);
    demand(*made->secret_access_key != '\0');
    if (made->session_token) check_header_text(made->session_token);
    shf_credentials_release(made);
    return 0;
}
