/* Every flag: its name, where it may stand, how its value is read. */
#include "cli/memory.h"
#include "cli/number.h"
#include "cli/options.h"

#include <shardyfusion/shardyfusion.h>
#include <stdlib.h>
#include <string.h>

#define CLI_MAX_CONCURRENCY 65536u
#define CLI_MAX_HISTORY 100000u
#define CLI_MAX_PROBES 65536u
#define CLI_MAX_PROBE_NUMBERS 64u
#define CLI_MAX_SAMPLE 100000u
#define CLI_MAX_SHARD_IDS 65536u

#define READS_KEYS (CLI_GET | CLI_MULTIGET | CLI_ROUTE)
#define SEARCHES (CLI_SEARCH | CLI_RECALL)

enum cli_format cli_format_of(const char *word) {
    if (!strcmp(word, "json")) return CLI_JSON;
    if (!strcmp(word, "jsonl")) return CLI_JSONL;
    if (!strcmp(word, "table")) return CLI_TABLE;
    return strcmp(word, "text") ? CLI_FORMAT_UNSET : CLI_TEXT;
}

enum cli_encoding cli_encoding_of(const char *word) {
    if (!strcmp(word, "base64")) return CLI_BASE64;
    if (!strcmp(word, "utf8")) return CLI_UTF8;
    return strcmp(word, "hex") ? CLI_ENCODING_UNSET : CLI_HEX;
}

int cli_sqlite_mode_of(const char *word) {
    if (!strcmp(word, "auto")) return SHF_ACCESS_AUTO;
    if (!strcmp(word, "download")) return SHF_ACCESS_DOWNLOAD;
    return strcmp(word, "range") ? -1 : SHF_ACCESS_RANGE;
}

static char *wrong(const char *flag, const char *value, const char *wanted) {
    return cli_format("--%s: '%s' is not %s", flag, value, wanted);
}

static void append(struct cli_list *list, const char *value) {
    list->items = cli_realloc_array(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = value;
}

#define APPLY(name) static char *name(struct cli_options *o, const char *flag, const char *value)
#define SET_TEXT(name, member)                                                                                         \
    APPLY(name) {                                                                                                      \
        if (!*value) return cli_format("--%s needs a value", flag);                                                    \
        o->member = value;                                                                                             \
        return NULL;                                                                                                   \
    }
#define SET_TRUE(name, member)                                                                                         \
    APPLY(name) {                                                                                                      \
        (void)flag;                                                                                                    \
        (void)value;                                                                                                   \
        o->member = true;                                                                                              \
        return NULL;                                                                                                   \
    }

SET_TEXT(set_url, current_url)
SET_TEXT(set_config, config)
SET_TEXT(set_credentials, credentials)
SET_TEXT(set_ref, ref)
SET_TEXT(set_local_root, local_root)
SET_TEXT(set_vector_file, vector_file)
SET_TEXT(set_queries, queries)
SET_TRUE(set_help, help)
SET_TRUE(set_version, version)
SET_TRUE(set_quiet, quiet)
SET_TRUE(set_no_progress, no_progress) /* the reading commands show none anyway */
SET_TRUE(set_strict, strict)
SET_TRUE(set_raw, raw)
SET_TRUE(set_flat, flat)
SET_TRUE(set_explain, explain)
SET_TRUE(set_exact, exact)

APPLY(set_like) {
    (void)flag;
    o->like = value; /* an empty id is an id */
    return NULL;
}

APPLY(set_verbose) {
    (void)flag;
    (void)value;
    o->verbose++;
    return NULL;
}

APPLY(add_s3_option) {
    if (!strchr(value, '=') || *value == '=') return wrong(flag, value, "KEY=VALUE");
    append(&o->s3_options, value);
    return NULL;
}

APPLY(add_context) {
    if (!strchr(value, '=') || *value == '=') return wrong(flag, value, "KEY=VALUE");
    append(&o->contexts, value);
    return NULL;
}

APPLY(set_format) {
    o->format = cli_format_of(value);
    return o->format ? NULL : wrong(flag, value, "json, jsonl, table or text");
}

APPLY(set_encoding) {
    o->encoding = cli_encoding_of(value);
    return o->encoding ? NULL : wrong(flag, value, "base64, utf8 or hex");
}

APPLY(set_key_format) {
    static const char *const words[] = {"auto", "text", "hex", "base64", "json"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value, words[i]) != 0) continue;
        o->key_format = (enum cli_key_format)i;
        return NULL;
    }
    return wrong(flag, value, "auto, text, hex, base64 or json");
}

APPLY(set_color) {
    static const char *const words[] = {"auto", "always", "never"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value, words[i]) != 0) continue;
        o->color = (enum cli_color)i;
        return NULL;
    }
    return wrong(flag, value, "auto, always or never");
}

APPLY(set_offset) {
    o->has_offset = cli_parse_u32(value, 0, UINT32_MAX - 1, &o->offset);
    return o->has_offset ? NULL : wrong(flag, value, "a whole number (0 = the latest manifest)");
}

APPLY(set_sqlite_mode) {
    o->sqlite_mode = cli_sqlite_mode_of(value);
    return o->sqlite_mode >= 0 ? NULL : wrong(flag, value, "download, range or auto");
}

APPLY(set_per_shard) {
    o->has_per_shard = cli_parse_u64(value, strlen(value), &o->per_shard_bytes);
    return o->has_per_shard ? NULL : wrong(flag, value, "a number of bytes");
}

APPLY(set_total) {
    o->has_total = cli_parse_u64(value, strlen(value), &o->total_bytes);
    return o->has_total ? NULL : wrong(flag, value, "a number of bytes");
}

APPLY(set_budget) {
    bool ok = cli_parse_size(value, &o->memory_budget) && o->memory_budget;
    return ok ? NULL : wrong(flag, value, "a number of bytes above 0, as in 500000000 or 512MiB");
}

APPLY(set_concurrency) {
    bool ok = cli_parse_u32(value, 1, CLI_MAX_CONCURRENCY, &o->max_concurrency);
    return ok ? NULL : wrong(flag, value, "a number from 1 to 65536");
}

APPLY(set_open_shards) {
    bool ok = cli_parse_u32(value, 1, CLI_MAX_OPEN_SHARDS, &o->max_open_shards);
    return ok ? NULL : wrong(flag, value, "a number from 1 to 65536");
}

APPLY(set_timeout) {
    o->has_timeout = cli_parse_seconds(value, &o->timeout_ms);
    return o->has_timeout ? NULL : wrong(flag, value, "a number of seconds (0 = no limit, at most a year)");
}

APPLY(set_staleness) {
    bool ok = cli_parse_seconds(value, &o->staleness_ms) && o->staleness_ms > 0;
    return ok ? NULL : wrong(flag, value, "a number of seconds above 0 (at most a year)");
}

APPLY(set_top_k) {
    bool ok = cli_parse_u32(value, 1, UINT32_MAX, &o->top_k);
    return ok ? NULL : wrong(flag, value, "a number from 1 to 4294967295");
}

static int compare_u32(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* One number; of recall several, which are sorted. */
APPLY(set_num_probes) {
    const char *wanted =
        "a number from 1 to 65536 (or, of recall, at most 64 of them separated by commas, as in 1,2,4)";
    uint32_t *probes = cli_alloc_array(CLI_MAX_PROBE_NUMBERS, sizeof *probes);
    size_t count = 0;
    for (const char *at = value; at; count++) {
        size_t size = strcspn(at, ",");
        uint64_t number;
        if (count == CLI_MAX_PROBE_NUMBERS || !cli_parse_u64(at, size, &number) || number < 1 || number > CLI_MAX_PROBES) {
            free(probes);
            return wrong(flag, value, wanted);
        }
        probes[count] = (uint32_t)number;
        at = at[size] ? at + size + 1 : NULL;
    }
    qsort(probes, count, sizeof *probes, compare_u32);
    free(o->probes);
    o->probes = probes;
    o->probe_count = count;
    o->num_probes = probes[0];
    return NULL;
}

APPLY(set_sample) {
    bool ok = cli_parse_u32(value, 1, CLI_MAX_SAMPLE, &o->sample);
    return ok ? NULL : wrong(flag, value, "a number of stored vectors from 1 to 100000");
}

APPLY(set_target) {
    o->has_target = cli_parse_double(value, strlen(value), &o->target) && o->target > 0 && o->target <= 1;
    return o->has_target ? NULL : wrong(flag, value, "a recall above 0, at most 1");
}

APPLY(set_plot) {
    if (!*value || !strcmp(value, "-")) return wrong(flag, value, "the name of a file, as in recall.svg");
    o->plot = value;
    return NULL;
}

APPLY(set_limit) {
    bool ok = cli_parse_u32(value, 1, CLI_MAX_HISTORY, &o->limit);
    return ok ? NULL : wrong(flag, value, "a number from 1 to 100000");
}

char *cli_parse_shard_ids(const char *text, uint32_t **ids, size_t *count) {
    uint32_t *parsed = cli_alloc_array(CLI_MAX_SHARD_IDS, sizeof *parsed);
    size_t filled = 0;
    while (*text) {
        size_t size = strcspn(text, ",");
        uint64_t id;
        if (filled == CLI_MAX_SHARD_IDS || !cli_parse_u64(text, size, &id) || id > UINT32_MAX ||
            (text[size] && !text[size + 1])) {
            free(parsed);
            return cli_strdup("shard ids separated by commas, as in 0,2");
        }
        parsed[filled++] = (uint32_t)id;
        text += size + (text[size] == ',');
    }
    *ids = parsed;
    *count = filled;
    return NULL;
}

APPLY(set_shard_ids) {
    uint32_t *ids = NULL;
    char *wanted = cli_parse_shard_ids(value, &ids, &o->shard_id_count);
    if (wanted) {
        char *message = wrong(flag, value, wanted);
        free(wanted);
        return message;
    }
    free(o->shard_ids);
    o->shard_ids = ids;
    o->has_shard_ids = true;
    return NULL;
}

APPLY(no_recall) {
    (void)o;
    (void)value;
    return cli_format("--%s is not in this version; `shardy recall` tells which --num-probes reaches a recall", flag);
}

const struct cli_flag cli_flags[] = {
    {"current-url", 'u', true, CLI_READING, set_url},
    {"config", 0, true, CLI_EVERY, set_config},
    {"credentials", 0, true, CLI_EVERY, set_credentials},
    {"s3-option", 0, true, CLI_EVERY, add_s3_option},
    {"output-format", 0, true, CLI_EVERY, set_format},
    {"ref", 0, true, CLI_READING, set_ref},
    {"offset", 0, true, CLI_READING, set_offset},
    {"sqlite-mode", 0, true, CLI_READING, set_sqlite_mode},
    {"sqlite-auto-per-shard-bytes", 0, true, CLI_READING, set_per_shard},
    {"sqlite-auto-total-bytes", 0, true, CLI_READING, set_total},
    {"value-encoding", 0, true, CLI_READING, set_encoding},
    {"key-format", 0, true, CLI_EVERY, set_key_format},
    {"local-root", 0, true, CLI_EVERY, set_local_root},
    {"memory-budget", 0, true, CLI_EVERY, set_budget},
    {"max-concurrency", 0, true, CLI_READING, set_concurrency},
    {"max-open-shards", 0, true, CLI_READING, set_open_shards},
    {"timeout", 0, true, CLI_EVERY, set_timeout},
    {"color", 0, true, CLI_EVERY, set_color},
    {"no-progress", 0, false, CLI_EVERY, set_no_progress},
    {"verbose", 'v', false, CLI_EVERY, set_verbose},
    {"quiet", 'q', false, CLI_EVERY, set_quiet},
    {"help", 'h', false, CLI_EVERY, set_help},
    {"version", 0, false, CLI_EVERY, set_version},
    {"routing-context", 0, true, READS_KEYS | SEARCHES, add_context},
    {"strict", 0, false, CLI_GET, set_strict},
    {"raw", 0, false, CLI_GET, set_raw},
    {"flat", 0, false, CLI_MULTIGET, set_flat},
    {"vector-file", 0, true, CLI_SEARCH, set_vector_file},
    {"queries", 0, true, SEARCHES, set_queries},
    {"like", 0, true, CLI_SEARCH, set_like},
    {"top-k", 0, true, SEARCHES, set_top_k},
    {"shard-ids", 0, true, SEARCHES, set_shard_ids},
    {"num-probes", 0, true, SEARCHES | CLI_BUILD, set_num_probes},
    {"exact", 0, false, CLI_SEARCH, set_exact},
    {"explain", 0, false, CLI_SEARCH, set_explain},
    {"recall", 0, true, CLI_SEARCH, no_recall},
    {"sample", 0, true, CLI_RECALL, set_sample},
    {"target", 0, true, CLI_RECALL, set_target},
    {"plot", 0, true, CLI_RECALL, set_plot},
    {"staleness-threshold", 0, true, CLI_HEALTH, set_staleness},
    {"limit", 0, true, CLI_HISTORY, set_limit},
};
const size_t cli_flag_count = sizeof cli_flags / sizeof cli_flags[0];
