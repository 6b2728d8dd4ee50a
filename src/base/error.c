#include "base/error.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct shf_error {
    shf_status code;
    int32_t http_status;
    int64_t shard;
    bool retryable;
    bool is_static;
    char *object;
    char *message;
};

static char no_memory_text[] = "out of memory: the error itself could not be described; free memory and call again";
static struct shf_error no_memory = {SHF_E_NO_MEMORY, 0, -1, true, true, NULL, no_memory_text};

static bool code_is_retryable(shf_status code) {
    return code == SHF_E_STORE_RETRY || code == SHF_E_BUSY || code == SHF_E_NO_MEMORY || code == SHF_E_DEADLINE;
}

shf_status shf_error_set_v(struct shf_error **error, shf_status code, const char *format, va_list arguments) {
    if (!error) return code;
    char text[SHF_LIMIT_ERROR_MESSAGE];
    if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = '\0';
    shf_utf8_trim_end(text); /* a cut message is still a message */
    struct shf_error *made = shf_alloc_zero(1, sizeof *made);
    char *message = made ? shf_strdup(text) : NULL;
    if (!message) {
        shf_free(made);
        *error = &no_memory;
        return code;
    }
    made->code = code;
    made->shard = -1;
    made->retryable = code_is_retryable(code);
    made->message = message;
    *error = made;
    return code;
}

shf_status(shf_error_set)(struct shf_error **error, shf_status code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    (void)shf_error_set_v(error, code, format, arguments);
    va_end(arguments);
    return code;
}

void shf_error_prefix(struct shf_error **error, const char *format, ...) {
    if (!error || !*error || (*error)->is_static) return;
    char text[SHF_LIMIT_ERROR_MESSAGE];
    va_list arguments;
    va_start(arguments, format);
    int prefix = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (prefix < 0) return;
    size_t used = strlen(text);
    (void)snprintf(text + used, sizeof text - used, ": %s", (*error)->message);
    shf_utf8_trim_end(text);
    char *message = shf_strdup(text);
    if (!message) return;
    shf_free((*error)->message);
    (*error)->message = message;
}

void shf_error_set_shard(struct shf_error *error, int64_t shard) {
    if (error && !error->is_static) error->shard = shard;
}

void shf_error_set_http_status(struct shf_error *error, int32_t http_status) {
    if (error && !error->is_static) error->http_status = http_status;
}

void shf_error_set_retryable(struct shf_error *error, int retryable) {
    if (error && !error->is_static) error->retryable = retryable != 0;
}

void shf_error_set_object(struct shf_error *error, const char *url) {
    if (!error || error->is_static) return;
    char *copy = shf_strdup(url);
    if (!copy) return; /* the message names it too */
    shf_free(error->object);
    error->object = copy;
}

struct shf_error *shf_error_clone(const struct shf_error *error) {
    if (!error) return NULL;
    struct shf_error *copy = NULL;
    (void)shf_error_set(&copy, error->code, "%s", error->message);
    shf_error_set_shard(copy, error->shard);
    shf_error_set_http_status(copy, error->http_status);
    shf_error_set_retryable(copy, error->retryable);
    if (error->object) shf_error_set_object(copy, error->object);
    return copy;
}

void shf_error_free(struct shf_error *error) {
    if (!error || error->is_static) return;
    shf_free(error->object);
    shf_free(error->message);
    shf_free(error);
}

shf_status shf_error_code(const struct shf_error *error) { return error ? error->code : SHF_OK; }
int32_t shf_error_category(const struct shf_error *error) { return shf_status_category(shf_error_code(error)); }
int shf_error_retryable(const struct shf_error *error) { return error && error->retryable; }
const char *shf_error_message(const struct shf_error *error) { return error ? error->message : "no error"; }
int64_t shf_error_shard(const struct shf_error *error) { return error ? error->shard : -1; }
int32_t shf_error_http_status(const struct shf_error *error) { return error ? error->http_status : 0; }
const char *shf_error_object(const struct shf_error *error) { return error && error->object ? error->object : ""; }
