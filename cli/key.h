/* Keys as they are typed: --key-format and the snapshot's key encoding say what the text means. */
#ifndef CLI_KEY_H
#define CLI_KEY_H

#include "cli/json.h"
#include "cli/options.h"

#include <shardyfusion/shardyfusion.h>

struct cli_key {
    char *typed; /* NUL-terminated; may hold other NULs */
    size_t typed_size;
    enum cli_key_format format; /* how it was read */
    shf_key key;
    char *bytes; /* decoded bytes that `key` points at, or NULL */
};

/* Reads one key; `encoding` is that of the snapshot. Returns NULL, or what is wrong; free the key either way. */
char *cli_key_parse(const char *text, size_t size, enum cli_key_format format, const char *encoding, struct cli_key *out);
void cli_key_free(struct cli_key *key);

/* What was typed: a JSON key as the JSON that it is, any other as a string. */
void cli_key_json(struct cli_json *json, const struct cli_key *key);

#endif
