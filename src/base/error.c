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

/* What an error is without memory to describe it: one for each code, which is all that is left of it. */
#define BARE(status) [-(status)] = {.code = (status), .shard = -1, .is_static = true}
static struct shf_error bare[] = {
    BARE(SHF_E_INVALID),  BARE(SHF_E_UNSUPPORTED), BARE(SHF_E_ROUTING),     BARE(SHF_E_MANIFEST),
    BARE(SHF_E_STATE),    BARE(SHF_E_CLOSED),      BARE(SHF_E_FORKED),      BARE(SHF_E_NOT_FOUND),
    BARE(SHF_E_ACCESS),   BARE(SHF_E_STORE),       BARE(SHF_E_STORE_RETRY), BARE(SHF_E_CORRUPT),
    BARE(SHF_E_INDEX),    BARE(SHF_E_BUSY),        BARE(SHF_E_NO_MEMORY),   BARE(SHF_E_LIMIT),
    BARE(SHF_E_DEADLINE), BARE(SHF_E_CANCELLED),   BARE(SHF_E_LOCAL),       BARE(SHF_E_INTERNAL),
};
#define MOST_NEGATIVE_CODE (1 - (shf_status)(sizeof bare / sizeof bare[0]))
static const char no_memory_text[] =
    "out of memory: the error itself could not be described; free memory and call again";

static struct shf_error *bare_error(shf_status code) {
    return &bare[code < 0 && code >= MOST_NEGATIVE_CODE ? -code : -SHF_E_NO_MEMORY];
}

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
        *error = bare_error(code);
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
    (void)shf_error_set(&copy, error->code, "%s", shf_error_message(error));
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
int shf_error_retryable(const struct shf_error *error) {
    return error && (error->is_static ? code_is_retryable(error->code) : error->retryable);
}
const char *shf_error_message(const struct shf_error *error) {
    if (!error) return "no error";
    if (!error->is_static) return error->message;
    return error->code == SHF_E_NO_MEMORY ? no_memory_text : shf_status_text(error->code);
}
int64_t shf_error_shard(const struct shf_error *error) { return error ? error->shard : -1; }
int32_t shf_error_http_status(const struct shf_error *error) { return error ? error->http_status : 0; }
const char *shf_error_object(const struct shf_error *error) { return error && error->object ? error->object : ""; }
