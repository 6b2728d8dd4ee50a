/*
 * Error objects. One is made where the failure happens, with everything a person needs: what, where, what to do.
 * The house idiom:
 *
 *     shf_status f(..., struct shf_error **error) {
 *         if (bad) return shf_error_set(error, SHF_E_CORRUPT, "page %u of %s ...", page, name);
 *
 * A function with an `error` parameter sets it exactly when it returns a status other than SHF_OK. `error` may be
 * NULL (nobody wants the text); *error must be NULL on entry. Making one can not fail: without memory the
 * object is a static one, which has the code and its general text but no particulars.
 */
#ifndef SHF_BASE_ERROR_H
#define SHF_BASE_ERROR_H

#include "shardyfusion/types.h"

#include <stdarg.h>

/* The status of something that failed: compilers and analysers learn that it is not SHF_OK. */
static inline shf_status shf_failed(shf_status status) {
    if (status == SHF_OK) __builtin_unreachable();
    return status;
}

/* "SHF_E_INVALID". Static storage; never NULL. */
const char *shf_status_name(shf_status status);

/* Returns the code, which is not SHF_OK. */
shf_status shf_error_set(struct shf_error **error, shf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
#define shf_error_set(...) shf_failed(shf_error_set(__VA_ARGS__))
shf_status shf_error_set_v(struct shf_error **error, shf_status code, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Puts "TEXT: " before the message of *error (which object, which shard). No-op when error or *error is NULL. */
void shf_error_prefix(struct shf_error **error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Particulars; no-ops when error is NULL or static. */
void shf_error_set_shard(struct shf_error *error, int64_t shard);
void shf_error_set_http_status(struct shf_error *error, int32_t http_status);
void shf_error_set_object(struct shf_error *error, const char *url); /* copied; secrets must be out already */
void shf_error_set_retryable(struct shf_error *error, int retryable);

/* A copy (for a failure that several operations share). Never NULL for a non-NULL error. */
struct shf_error *shf_error_clone(const struct shf_error *error);

#endif
