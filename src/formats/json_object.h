/* Whether a text is a JSON object, for what is stored as it stands. */
#ifndef SHF_FORMATS_JSON_OBJECT_H
#define SHF_FORMATS_JSON_OBJECT_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* SHF_E_INVALID when it is not valid UTF-8, no JSON (RFC 8259; no NaN), no object, or beyond SHF_LIMIT_JSON_*. */
shf_status shf_json_check_object(const void *text, size_t size, struct shf_error **error);

/* True for most of what passes, found out without memory; false says nothing. */
bool shf_json_is_plain_object(const void *text, size_t size);

#endif
