#include "writer/setup.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/text.h"
#include "formats/manifest_build.h"
#include "rt/struct_size.h"
#include "snapshot/s3_options.h"

#include <inttypes.h>
#include <string.h>

#define DEFAULT_SHARD_ATTEMPTS 3u
#define LARGEST_SHARD_ATTEMPTS 100u
#define LEAST_MEMORY_BYTES (UINT64_C(4) << 20)
#define RUN_ID_RANDOM_BYTES 16u

static bool is_page_size(uint32_t size) {
    return size == 0 || (size >= 4096 && size <= 65536 && (size & (size - 1)) == 0);
}

static bool sharding_is_sane(const shf_writer_options *o) {
    if (o->infer_routing_values > 1) return false;
    if (o->backend == SHF_WRITE_VECTOR) return true; /* shf_vector_options_check has words for it */
    if (!o->cel_expr) {
        return !o->num_dbs != !o->max_keys_per_shard && !o->cel_columns && !o->routing_values && !o->infer_routing_values;
    }
    if (!o->cel_columns || o->max_keys_per_shard) return false;
    return !o->infer_routing_values || (!o->routing_values && !o->num_dbs);
}

static bool numbers_are_sane(const shf_writer_options *o) {
    const uint32_t known =
        SHF_WRITE_RESUME | SHF_WRITE_KEEP_ATTEMPTS | SHF_WRITE_DRY_RUN | SHF_WRITE_LAST_WINS | SHF_WRITE_NO_SIDECAR;
    if (!o->url || !*o->url || (o->flags & ~known)) return false;
    if (o->backend < SHF_WRITE_KV || o->backend > SHF_WRITE_VECTOR || o->reserved) return false;
    if (o->num_dbs > SHF_LIMIT_WRITER_SHARDS || !sharding_is_sane(o)) return false;
    if (o->dimension > SHF_LIMIT_DIMENSION || !is_page_size(o->page_size)) return false;
    if (o->backend == SHF_WRITE_KV && (o->dimension || o->metric)) return false;
    return o->jobs <= SHF_LIMIT_WORKERS && o->shard_attempts <= LARGEST_SHARD_ATTEMPTS &&
           !((o->flags & SHF_WRITE_RESUME) && !o->run_id);
}

static bool read_encoding(const char *text, enum shf_key_encoding *out) {
    for (int encoding = SHF_ENCODING_U64BE; text && encoding <= SHF_ENCODING_RAW; encoding++) {
        if (strcmp(text, shf_key_encoding_name((enum shf_key_encoding)encoding)) != 0) continue;
        *out = (enum shf_key_encoding)encoding;
        return true;
    }
    *out = 0;
    return !text;
}

static bool read_metric(const char *text, enum shf_metric *out) {
    *out = text && strcmp(text, shf_metric_name(SHF_METRIC_L2)) == 0 ? SHF_METRIC_L2 : SHF_METRIC_COSINE;
    return !text || strcmp(text, shf_metric_name(*out)) == 0;
}

/* It becomes part of names: no separators, nothing that a directory could be taken for. */
static bool run_id_is_sane(const char *run_id) {
    static const char known[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t size = strlen(run_id);
    return size >= 1 && size <= SHF_LIMIT_RUN_ID_BYTES && run_id[0] != '.' && strspn(run_id, known) == size;
}

static shf_status copy_texts(struct shf_writer_setup *setup, const shf_writer_options *o) {
    if (!(setup->url = shf_strdup(o->url))) return SHF_E_NO_MEMORY;
    if (o->run_id && !(setup->run_id = shf_strdup(o->run_id))) return SHF_E_NO_MEMORY;
    if (o->local_root && !(setup->local_root = shf_strdup(o->local_root))) return SHF_E_NO_MEMORY;
    if (o->custom && !(setup->custom = shf_strdup(o->custom))) return SHF_E_NO_MEMORY;
    if (o->cel_expr && !(setup->cel_expr = shf_strdup(o->cel_expr))) return SHF_E_NO_MEMORY;
    if (o->cel_columns && !(setup->cel_columns = shf_strdup(o->cel_columns))) return SHF_E_NO_MEMORY;
    if (o->routing_values && !(setup->routing_values = shf_strdup(o->routing_values))) return SHF_E_NO_MEMORY;
    if (!(setup->key_column = shf_strdup(o->backend == SHF_WRITE_VECTOR ? "_vector_id"
                                         : o->key_column                ? o->key_column
                                                                        : "_key")))
        return SHF_E_NO_MEMORY;
    if (!o->s3) return SHF_OK;
    setup->has_s3_options = true;
    return shf_s3_options_copy(o->s3, &setup->s3);
}

static uint64_t memory_of(const shf_writer_options *o, shf_runtime *runtime) {
    uint64_t limit = shf_rt_budget(runtime)->limit_bytes;
    uint64_t bytes = o->memory_bytes ? o->memory_bytes : limit / 8 * 5;
    return bytes < LEAST_MEMORY_BYTES ? LEAST_MEMORY_BYTES : bytes;
}

shf_status shf_writer_setup_read(shf_runtime *runtime, const shf_writer_options *options, struct shf_writer_setup *out) {
    shf_writer_options o;
    struct shf_writer_setup setup = {.runtime = runtime};
    shf_status status = shf_struct_copy(&o, sizeof o, options);
    if (status) return status;
    if (!numbers_are_sane(&o) || (o.run_id && !run_id_is_sane(o.run_id))) return SHF_E_INVALID;
    bool is_vector_only = o.backend == SHF_WRITE_VECTOR;
    if (!read_encoding(is_vector_only ? "raw" : o.key_encoding, &setup.key_encoding)) return SHF_E_INVALID;
    if (!read_metric(o.metric, &setup.metric) && !is_vector_only) return SHF_E_INVALID;
    setup.flags = o.flags;
    setup.run_id_is_given = o.run_id != NULL;
    setup.is_unified = o.backend == SHF_WRITE_UNIFIED;
    setup.num_dbs = o.num_dbs;
    setup.max_keys_per_shard = o.max_keys_per_shard;
    setup.infers_routing_values = o.infer_routing_values;
    setup.dimension = o.dimension;
    setup.page_size = o.page_size;
    setup.memory_bytes = memory_of(&o, runtime);
    setup.jobs = o.jobs ? o.jobs : shf_rt_worker_count(runtime);
    setup.shard_attempts = o.shard_attempts ? o.shard_attempts : DEFAULT_SHARD_ATTEMPTS;
    setup.timeout_ms = o.timeout_ms ? o.timeout_ms : -1;
    status = shf_vector_options_read(&o, shf_rt_budget(runtime), &setup.vector);
    if (!status) status = copy_texts(&setup, &o);
    if (status) {
        shf_writer_setup_free(&setup);
        return status;
    }
    *out = setup;
    return SHF_OK;
}

void shf_writer_setup_free(struct shf_writer_setup *setup) {
    shf_free(setup->url);
    shf_free(setup->run_id);
    shf_free(setup->local_root);
    shf_free(setup->key_column);
    shf_free(setup->custom);
    shf_free(setup->cel_expr);
    shf_free(setup->cel_columns);
    shf_free(setup->routing_values);
    shf_sharder_free(setup->sharder);
    shf_vector_options_free(&setup->vector);
    shf_vector_sharder_free(setup->vectors);
    if (setup->has_s3_options) shf_s3_options_free(&setup->s3);
    shf_location_free(&setup->location);
    shf_store_release(setup->store);
    *setup = (struct shf_writer_setup){0};
}

static shf_status make_run_id(struct shf_writer_setup *setup, struct shf_error **error) {
    uint8_t bytes[RUN_ID_RANDOM_BYTES];
    if (setup->run_id) return SHF_OK;
    if (!shf_random_bytes(bytes, sizeof bytes)) {
        return shf_error_set(error, SHF_E_LOCAL, "the system gives no random bytes for a run id; give run_id");
    }
    setup->run_id = shf_alloc(2 * sizeof bytes + 1);
    if (!setup->run_id) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a run id");
    shf_hex_encode(bytes, sizeof bytes, setup->run_id);
    return SHF_OK;
}

/* Now, and not when everything is built. */
static shf_status check_custom(const struct shf_writer_setup *setup, struct shf_error **error) {
    const struct shf_manifest_custom_spec spec = {.user = setup->custom};
    char *text = NULL;
    shf_status status = shf_manifest_custom_build(&spec, &text, error);
    shf_free(text);
    return status;
}

static shf_status make_sharding(struct shf_writer_setup *setup, struct shf_error **error) {
    const struct shf_sharder_options options = {.expression = setup->cel_expr,
                                                .columns = setup->cel_columns,
                                                .routing_values = setup->routing_values,
                                                .infers = setup->infers_routing_values,
                                                .needs_context = setup->vector.is_vector_only,
                                                .num_dbs = setup->num_dbs,
                                                .budget = shf_rt_budget(setup->runtime)};
    shf_status status = shf_vector_options_check(&setup->vector, error);
    if (!status && setup->vector.is_vector_only) {
        status = shf_vector_sharder_new(&setup->vector, setup->metric, setup->memory_bytes, &setup->vectors, error);
    }
    if (!status && setup->cel_expr) status = shf_sharder_new(&options, &setup->sharder, error);
    return status;
}

shf_status shf_writer_setup_connect(struct shf_writer_setup *setup, struct shf_error **error) {
    shf_status status = check_custom(setup, error);
    if (!status) status = make_sharding(setup, error);
    if (!status) status = shf_location_parse(setup->url, &setup->location, error);
    if (status) return status;
    if (strstr(setup->location.url, "run_id=")) {
        return shf_error_set(error, SHF_E_INVALID,
                             "the prefix %s holds \"run_id=\", by which readers find the run in a URL; choose another",
                             setup->location.url);
    }
    if (!setup->location.prefix[0]) {
        return shf_error_set(error, SHF_E_INVALID, "%s names no prefix; a snapshot needs one below the %s",
                             setup->location.url, setup->location.scheme == SHF_SCHEME_S3 ? "bucket" : "root directory");
    }
    if (setup->location.scheme == SHF_SCHEME_FILE) {
        status = shf_store_file_new(setup->runtime, &setup->store, error);
    } else if (setup->location.scheme == SHF_SCHEME_S3) {
        status = shf_store_s3_new(setup->runtime, setup->location.bucket, setup->has_s3_options ? &setup->s3 : NULL,
                                  &setup->store, error);
    } else {
        status = shf_error_set(error, SHF_E_INVALID, "%s: only s3://, file:// and plain paths can be written to",
                               setup->location.url);
    }
    return status ? status : make_run_id(setup, error);
}

char *shf_writer_run_tail(const char *run_id) {
    struct shf_text tail = {0};
    shf_text_format(&tail, SHF_SHARD_PREFIX "/run_id=%s/", run_id);
    return shf_text_take(&tail);
}

char *shf_writer_attempt_tail(const char *run_id, uint32_t shard, uint32_t attempt) {
    struct shf_text tail = {0};
    shf_text_format(&tail, SHF_SHARD_PREFIX "/run_id=%s/db=%05" PRIu32 "/attempt=%02" PRIu32, run_id, shard, attempt);
    return shf_text_take(&tail);
}

char *shf_writer_table_tail(const char *run_id, const char *name) {
    struct shf_text tail = {0};
    shf_text_format(&tail, "vector_meta/run_id=%s/%s", run_id, name);
    return shf_text_take(&tail);
}
