#include "io/credentials.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "io/aws_profile.h"
#include "io/command.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <string.h>
#include <time.h>

#define SECOND_US INT64_C(1000000)
#define RENEW_BEFORE_US (300 * SECOND_US) /* or in the last quarter of a shorter life */
#define LEAST_LIFE_US (10 * SECOND_US)    /* less is not worth sending a request with */
#define EARLY_RETRY_US (10 * SECOND_US)   /* between early renewals that fail */
#define LARGEST_OUTPUT 65536u
#define COMMAND_TIMEOUT_MS 60000

/* ---- sets ---- */

void shf_credentials_release(struct shf_credentials *c) {
    if (!c || atomic_fetch_sub_explicit(&c->references, 1, memory_order_acq_rel) != 1) return;
    shf_free(c->access_key_id);
    shf_free_secret(c->secret_access_key);
    shf_free_secret(c->session_token);
    shf_free(c);
}

struct shf_credentials *shf_credentials_retain(struct shf_credentials *c) {
    atomic_fetch_add_explicit(&c->references, 1, memory_order_relaxed);
    return c;
}

struct shf_credentials *shf_credentials_new(const char *id, const char *secret, const char *token, int64_t expires_at_us) {
    struct shf_credentials *made = shf_alloc_zero(1, sizeof *made);
    if (!made) return NULL;
    atomic_init(&made->references, 1);
    made->access_key_id = shf_strdup(id);
    made->secret_access_key = shf_strdup(secret);
    made->session_token = token && *token ? shf_strdup(token) : NULL;
    made->expires_at_us = expires_at_us;
    made->obtained_at_us = shf_clock_wall_us();
    bool has_token = !token || !*token || made->session_token;
    if (made->access_key_id && made->secret_access_key && has_token) return made;
    shf_credentials_release(made);
    return NULL;
}

shf_status shf_credentials_given(const char *id, const char *secret, const char *token, struct shf_credentials **out) {
    bool has_token = token && *token;
    if (!shf_s3_is_header_text(id) || !secret || !*secret || (has_token && !shf_s3_is_header_text(token))) {
        return SHF_E_INVALID;
    }
    struct shf_credentials *made = shf_credentials_new(id, secret, token, INT64_MAX);
    if (made) *out = made;
    return made ? SHF_OK : SHF_E_NO_MEMORY;
}

/* ---- what a credential_process prints ---- */

/* `count` digits, at most `most`. */
static bool read_number(const char **text, int count, int most, int *out) {
    int value = 0;
    for (int i = 0; i < count; i++, (*text)++) {
        if (!shf_ascii_is_digit(**text)) return false;
        value = value * 10 + (**text - '0');
    }
    *out = value;
    return value <= most;
}

static bool read_byte(const char **text, const char *allowed) {
    if (!**text || !strchr(allowed, **text)) return false;
    (*text)++;
    return true;
}

/* ISO 8601: 2026-11-24T12:00:00, perhaps a fraction, then Z or an offset (+01:00, +0100). */
static bool read_time(const char *text, int64_t *us) {
    struct tm t = {0};
    int offset_hours = 0, offset_minutes = 0;
    if (!read_number(&text, 4, 9999, &t.tm_year) || !read_byte(&text, "-") || !read_number(&text, 2, 12, &t.tm_mon) ||
        !read_byte(&text, "-") || !read_number(&text, 2, 31, &t.tm_mday) || !read_byte(&text, "Tt ") ||
        !read_number(&text, 2, 23, &t.tm_hour) || !read_byte(&text, ":") || !read_number(&text, 2, 59, &t.tm_min) ||
        !read_byte(&text, ":") || !read_number(&text, 2, 60, &t.tm_sec)) {
        return false;
    }
    if (read_byte(&text, ".")) {
        while (shf_ascii_is_digit(*text)) text++;
    }
    char sign = *text;
    if (!read_byte(&text, "Zz+-")) return false;
    if (sign == '+' || sign == '-') {
        if (!read_number(&text, 2, 23, &offset_hours)) return false;
        (void)read_byte(&text, ":");
        if (!read_number(&text, 2, 59, &offset_minutes)) return false;
    }
    if (*text) return false;
    t.tm_year -= 1900;
    t.tm_mon -= 1;
    int64_t offset = (int64_t)(offset_hours * 60 + offset_minutes) * 60;
    *us = ((int64_t)timegm(&t) - (sign == '-' ? -offset : offset)) * SECOND_US;
    return true;
}

/* NULL when absent or null; what is of another kind is no answer: a token left out fails every request without a word. */
static const char *optional_text(const json_t *root, const char *name, bool *ok) {
    const json_t *value = json_object_get(root, name);
    *ok = *ok && (!value || json_is_null(value) || json_is_string(value));
    return json_string_value(value);
}

shf_status shf_credentials_parse(const char *json, size_t size, struct shf_credentials **out, struct shf_error **error) {
    json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, NULL);
    const char *id = json_string_value(json_object_get(root, "AccessKeyId"));
    const char *secret = json_string_value(json_object_get(root, "SecretAccessKey"));
    bool ok = true;
    const char *token = optional_text(root, "SessionToken", &ok);
    const char *expiration = optional_text(root, "Expiration", &ok);
    int64_t expires_at_us = INT64_MAX;
    shf_status status = SHF_OK;
    if (!ok || json_integer_value(json_object_get(root, "Version")) != 1 || !shf_s3_is_header_text(id) || !secret ||
        !*secret || (token && *token && !shf_s3_is_header_text(token)) ||
        (expiration && !read_time(expiration, &expires_at_us))) {
        status = shf_error_set(error, SHF_E_ACCESS,
                               "what it printed is not JSON with Version 1, AccessKeyId, SecretAccessKey (and perhaps "
                               "SessionToken, and Expiration in ISO 8601)");
    } else {
        struct shf_credentials *made = shf_credentials_new(id, secret, token, expires_at_us);
        if (made) *out = made;
        if (!made) status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for credentials");
    }
    json_decref(root);
    return status;
}

/* ---- renewing: a worker ---- */

static shf_status ask_command(struct shf_credential_source *source, struct shf_error **error) {
    const struct shf_command command = {.line = source->config->credential_process,
                                        .most_bytes = LARGEST_OUTPUT,
                                        .timeout_ms = COMMAND_TIMEOUT_MS,
                                        .abandon = &source->abandon};
    char *printed = NULL;
    size_t size = 0;
    shf_status status = shf_command_run(&command, &printed, &size, error);
    if (!status) {
        status = shf_credentials_parse(printed, size, &source->fresh, error);
        OPENSSL_cleanse(printed, size);
        shf_free(printed);
    }
    if (status) shf_error_prefix(error, "credential_process of AWS profile %s", source->config->profile);
    return status;
}

/* Another program may have put new keys there. */
static shf_status read_files(struct shf_credential_source *source, struct shf_error **error) {
    struct shf_aws_profile profile = {0};
    shf_status status = shf_aws_profile_read(source->config->profile, &profile, error);
    if (status) return status;
    const struct shf_aws_keys *keys = profile.credentials.access_key_id ? &profile.credentials : &profile.config;
    if (!keys->access_key_id || !keys->secret_access_key) {
        status = shf_error_set(error, SHF_E_ACCESS, "AWS profile %s has no keys any more", source->config->profile);
    } else if (!shf_s3_is_header_text(keys->access_key_id) ||
               (keys->session_token && !shf_s3_is_header_text(keys->session_token))) {
        status = shf_error_set(error, SHF_E_ACCESS, "the new keys of AWS profile %s have characters that no key has",
                               source->config->profile);
    } else {
        source->fresh = shf_credentials_new(keys->access_key_id, keys->secret_access_key, keys->session_token, INT64_MAX);
        if (!source->fresh) status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for credentials");
    }
    shf_aws_profile_free(&profile);
    return status;
}

static void renewed(struct shf_task *task);

static void renew(struct shf_task *task) {
    struct shf_credential_source *source = SHF_CONTAINER(task, struct shf_credential_source, task);
    source->fresh = NULL;
    source->error = NULL;
    if (source->config->key_source == SHF_S3_KEYS_PROCESS) {
        source->status = ask_command(source, &source->error);
    } else {
        source->status = read_files(source, &source->error);
    }
    task->run = renewed;
    shf_rt_post_loop(source->store->runtime, task);
}

/* ---- loop thread ---- */

void shf_credentials_replace(struct shf_credential_source *source, struct shf_credentials *by) {
    shf_credentials_release(
        atomic_exchange_explicit(&source->replacement, shf_credentials_retain(by), memory_order_acq_rel));
}

static void take_replacement(struct shf_credential_source *source) {
    if (!atomic_load_explicit(&source->replacement, memory_order_acquire)) return;
    struct shf_credentials *taken = atomic_exchange_explicit(&source->replacement, NULL, memory_order_acq_rel);
    shf_credentials_release(source->current);
    source->current = taken;
    source->is_replaced = true;
}

bool shf_credentials_are_replaced(struct shf_credential_source *source, const struct shf_credentials *used) {
    take_replacement(source);
    return source->is_replaced && source->current != used;
}

static bool can_renew(const struct shf_credential_source *source) {
    if (source->is_replaced) return false;
    return source->config->key_source == SHF_S3_KEYS_PROCESS || source->config->key_source == SHF_S3_KEYS_FILE;
}

static bool same_keys(const struct shf_credentials *a, const struct shf_credentials *b) {
    const char *a_token = a->session_token ? a->session_token : "", *b_token = b->session_token ? b->session_token : "";
    return strcmp(a->access_key_id, b->access_key_id) == 0 && strcmp(a->secret_access_key, b->secret_access_key) == 0 &&
           strcmp(a_token, b_token) == 0;
}

static void abandon(struct shf_http_stop_hook *hook) {
    struct shf_credential_source *source = SHF_CONTAINER(hook, struct shf_credential_source, hook);
    atomic_store(&source->abandon, true);
}

static void begin_renewal(struct shf_credential_source *source) {
    shf_runtime *runtime = source->store->runtime;
    source->renewing = true;
    (void)shf_store_retain(source->store);
    shf_rt_background_begin(runtime);
    source->hook.stop = abandon;
    shf_http_hook_add(runtime, &source->hook);
    source->task.run = renew;
    shf_rt_post_worker(runtime, &source->task);
}

static void add_waiter(struct shf_credential_waiter **head, struct shf_credential_waiter *waiter) {
    waiter->next = *head;
    if (waiter->next) waiter->next->link = &waiter->next;
    waiter->link = head;
    *head = waiter;
}

static void remove_waiter(struct shf_credential_waiter *waiter) {
    *waiter->link = waiter->next;
    if (waiter->next) waiter->next->link = waiter->link;
    waiter->link = NULL;
}

void shf_credentials_forget(struct shf_credential_waiter *waiter) {
    shf_error_free(waiter->error);
    waiter->error = NULL;
    waiter->told = false;
    if (waiter->link) remove_waiter(waiter);
}

/* Waking one may begin the next renewal, with waiters of its own. */
static void wake_all(struct shf_credential_waiter **waiters, shf_status status, const struct shf_error *error) {
    struct shf_credential_waiter *batch = *waiters;
    if (batch) batch->link = &batch;
    *waiters = NULL;
    while (batch) {
        struct shf_credential_waiter *waiter = batch;
        shf_credentials_forget(waiter);
        waiter->told = true;
        waiter->status = status;
        waiter->error = shf_error_clone(error);
        waiter->wake(waiter);
    }
}

static void renewed(struct shf_task *task) {
    struct shf_credential_source *source = SHF_CONTAINER(task, struct shf_credential_source, task);
    struct shf_store *store = source->store;
    shf_runtime *runtime = store->runtime;
    shf_status status = source->status;
    struct shf_error *error = source->error;
    source->renewing = false;
    source->error = NULL;
    take_replacement(source);
    shf_http_hook_remove(runtime, &source->hook);
    if (status) {
        shf_log_write(shf_rt_log(runtime), SHF_LOG_WARNING, "%s: renewing credentials failed: %s", store->root_url,
                      shf_error_message(error));
        source->next_try_us = shf_clock_wall_us() + EARLY_RETRY_US;
    } else if (source->is_replaced || (source->current && same_keys(source->current, source->fresh) &&
                                       source->current->expires_at_us == source->fresh->expires_at_us)) {
        shf_credentials_release(source->fresh); /* still the same: who had them refused must see that */
    } else {
        shf_credentials_release(source->current);
        source->current = source->fresh;
    }
    source->fresh = NULL;
    wake_all(&source->waiters, status, error);
    shf_error_free(error);
    shf_store_release(store);
    shf_rt_background_end(runtime);
}

static enum shf_credential_answer fail(struct shf_credential_waiter *waiter, shf_status *status,
                                       struct shf_error **error) {
    *status = waiter->status;
    if (*status) {
        *error = waiter->error;
        waiter->error = NULL;
    } else {
        *status = shf_error_set(error, SHF_E_ACCESS, "the credentials have expired; give fresh ones");
    }
    return SHF_CREDENTIALS_FAILED;
}

enum shf_credential_answer shf_credentials_get(struct shf_credential_source *source, struct shf_credential_waiter *waiter,
                                               const struct shf_credentials *refused, struct shf_credentials **out,
                                               shf_status *status, struct shf_error **error) {
    take_replacement(source);
    struct shf_credentials *current = source->current;
    bool told = waiter->told;
    int64_t now = shf_clock_wall_us();
    int64_t left = !current ? 0 : current->expires_at_us == INT64_MAX ? INT64_MAX : current->expires_at_us - now;
    waiter->told = false;
    if (current && current != refused && left > (told ? 0 : LEAST_LIFE_US)) {
        int64_t life = left == INT64_MAX ? INT64_MAX : current->expires_at_us - current->obtained_at_us;
        int64_t early = life / 4 < RENEW_BEFORE_US ? life / 4 : RENEW_BEFORE_US;
        if (left < early && !source->renewing && can_renew(source) && now >= source->next_try_us) {
            source->next_try_us = now + EARLY_RETRY_US;
            begin_renewal(source);
        }
        *out = shf_credentials_retain(current);
        return SHF_CREDENTIALS_READY;
    }
    if (told || !can_renew(source)) return fail(waiter, status, error);
    waiter->status = SHF_OK;
    add_waiter(&source->waiters, waiter);
    if (!source->renewing) begin_renewal(source);
    return SHF_CREDENTIALS_WAIT;
}

shf_status shf_credential_source_init(struct shf_credential_source *source, struct shf_store *store,
                                      const struct shf_s3_config *config, struct shf_error **error) {
    *source = (struct shf_credential_source){.config = config, .store = store};
    atomic_init(&source->abandon, false);
    atomic_init(&source->replacement, NULL);
    if (!config->access_key_id) return SHF_OK;
    source->current =
        shf_credentials_new(config->access_key_id, config->secret_access_key, config->session_token, INT64_MAX);
    return source->current ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for credentials");
}

void shf_credential_source_fini(struct shf_credential_source *source) {
    shf_credentials_release(atomic_load(&source->replacement));
    shf_credentials_release(source->current);
}
