/*
 * Writing JSON. `pretty` puts each member on its own line; else the whole text is one line. Strings are written as
 * UTF-8; bytes that are not become U+FFFD.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli/out.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_JSON_DEPTH 16u /* nesting of what we write ourselves */

struct cli_json {
    struct cli_out *out;
    bool pretty;
    bool after_name;
    unsigned depth;
    bool has_items[CLI_JSON_DEPTH];
};

void cli_json_init(struct cli_json *json, struct cli_out *out, bool pretty);
void cli_json_begin(struct cli_json *json, char bracket); /* '{' or '[' */
void cli_json_end(struct cli_json *json, char bracket);   /* '}' or ']' */
void cli_json_name(struct cli_json *json, const char *name);
void cli_json_text(struct cli_json *json, const void *data, size_t size);
void cli_json_string(struct cli_json *json, const char *text); /* NULL = null */
void cli_json_i64(struct cli_json *json, int64_t value);
void cli_json_u64(struct cli_json *json, uint64_t value);
void cli_json_double(struct cli_json *json, double value); /* NaN = null, infinite = "inf" or "-inf" */
void cli_json_bool(struct cli_json *json, bool value);
void cli_json_null(struct cli_json *json);
/* JSON text of somebody else, cleaned with cli_json_clean before. */
void cli_json_raw(struct cli_json *json, const char *text, size_t size);
/* Places for a value that the caller writes to json->out itself. */
void cli_json_value(struct cli_json *json);

/* The same with a name before it. */
void cli_json_member_string(struct cli_json *json, const char *name, const char *text);
void cli_json_member_u64(struct cli_json *json, const char *name, uint64_t value);
void cli_json_member_double(struct cli_json *json, const char *name, double value);
void cli_json_member_bool(struct cli_json *json, const char *name, bool value);

/* A JSON string, quotes and all. */
void cli_json_quote(struct cli_out *out, const void *data, size_t size);

/*
 * Copies JSON text without the blanks between its tokens, so that it fits on a line. The bare tokens NaN, Infinity
 * and -Infinity, which Python writes and JSON does not know, become null and are counted in *replaced. False when
 * the text is not one JSON value in UTF-8 (out is incomplete then).
 */
#define CLI_JSON_CLEAN_DEPTH 512u
bool cli_json_clean(struct cli_out *out, const char *text, size_t size, unsigned *replaced);

#endif
