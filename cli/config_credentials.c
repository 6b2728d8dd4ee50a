/* credentials.toml and --s3-option: how to reach s3://. */
#include "cli/config.h"

#include "cli/memory.h"
#include "cli/notice.h"
#include "cli/number.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TIMEOUT_SECONDS 86400
#define MAX_ATTEMPTS 100
#define FILE_ATTEMPTS 3u /* when a credentials file is used; the library's own default is higher */

#define RESULT_OR(call)                                                                                                \
    do {                                                                                                               \
        char *error_ = (call);                                                                                         \
        if (error_) return error_;                                                                                     \
    } while (0)

static bool addressing_of(const char *word, uint32_t *out) {
    if (!strcmp(word, "auto"))
        *out = SHF_ADDRESSING_AUTO;
    else if (!strcmp(word, "path"))
        *out = SHF_ADDRESSING_PATH;
    else if (!strcmp(word, "virtual"))
        *out = SHF_ADDRESSING_VIRTUAL;
    else
        return false;
    return true;
}

static bool known_signature(const char *word) { return !strcmp(word, "s3v4") || !strcmp(word, "v4"); }

static char *verify_ssl(struct cli_config_file *file, const char *profile, shf_s3_options *s3) {
    struct cli_toml_entry *entry = cli_toml_find(&file->toml, profile, "verify_ssl");
    if (!entry) return NULL;
    if (entry->kind == CLI_TOML_BOOLEAN)
        s3->insecure_skip_verify = !entry->boolean;
    else if (entry->kind == CLI_TOML_STRING && *entry->text)
        s3->ca_bundle = entry->text;
    else
        return cli_config_wrong(file, entry, "true, false or the path of a CA bundle");
    return NULL;
}

static char *connection(struct cli_config_file *file, const char *profile, shf_s3_options *s3) {
    struct cli_toml_entry *addressing = cli_toml_find(&file->toml, profile, "addressing_style");
    struct cli_toml_entry *signature = cli_toml_find(&file->toml, profile, "signature_version");
    int64_t connect_seconds = 0, read_seconds = 0, attempts = FILE_ATTEMPTS;
    if (addressing) {
        bool text = addressing->kind == CLI_TOML_STRING;
        if (!text || (*addressing->text && !addressing_of(addressing->text, &s3->addressing))) {
            return cli_config_wrong(file, addressing, "\"auto\", \"path\" or \"virtual\"");
        }
    }
    if (signature) {
        bool text = signature->kind == CLI_TOML_STRING;
        if (!text || (*signature->text && !known_signature(signature->text))) {
            return cli_config_wrong(file, signature, "\"s3v4\", the only one that is spoken here");
        }
    }
    RESULT_OR(cli_config_integer(file, profile, "connect_timeout", 0, MAX_TIMEOUT_SECONDS, NULL, &connect_seconds));
    RESULT_OR(cli_config_integer(file, profile, "read_timeout", 0, MAX_TIMEOUT_SECONDS, NULL, &read_seconds));
    RESULT_OR(cli_config_integer(file, profile, "max_attempts", 1, MAX_ATTEMPTS, NULL, &attempts));
    s3->connect_timeout_ms = (uint32_t)connect_seconds * 1000;
    s3->read_timeout_ms = (uint32_t)read_seconds * 1000;
    s3->max_attempts = (uint32_t)attempts;
    return verify_ssl(file, profile, s3);
}

char *cli_credentials_read(struct cli_config_file *file, const char *profile, shf_s3_options *s3) {
    if (!cli_toml_has_section(&file->toml, profile)) {
        return cli_format("%s: there is no profile [%s]", file->path, profile);
    }
    if (file->wide_mode) {
        cli_warning("%s: others than its owner may use this file (mode %04o): chmod 600 it", file->path, file->mode);
    }
    RESULT_OR(cli_config_text(file, profile, "endpoint_url", &s3->endpoint_url));
    RESULT_OR(cli_config_text(file, profile, "region", &s3->region));
    RESULT_OR(cli_config_text(file, profile, "access_key_id", &s3->access_key_id));
    RESULT_OR(cli_config_text(file, profile, "secret_access_key", &s3->secret_access_key));
    RESULT_OR(cli_config_text(file, profile, "session_token", &s3->session_token));
    if (!s3->access_key_id != !s3->secret_access_key) {
        return cli_format("%s: [%s] needs both access_key_id and secret_access_key, or neither", file->path, profile);
    }
    RESULT_OR(connection(file, profile, s3));
    cli_config_warn_unknown(file, profile);
    return NULL;
}

/* true, 1, yes; false, 0, no: the words of the Python project. */
static bool word_of_truth(const char *word, bool *out) {
    *out = !strcasecmp(word, "true") || !strcmp(word, "1") || !strcasecmp(word, "yes");
    return *out || !strcasecmp(word, "false") || !strcmp(word, "0") || !strcasecmp(word, "no");
}

static char *seconds_option(const char *key, const char *value, uint32_t *out) {
    int64_t milliseconds;
    if (!cli_parse_seconds(value, &milliseconds) || milliseconds > MAX_TIMEOUT_SECONDS * INT64_C(1000)) {
        return cli_format("--s3-option %s: '%s' is not a number of seconds (at most %d)", key, value,
                          MAX_TIMEOUT_SECONDS);
    }
    *out = (uint32_t)milliseconds;
    return NULL;
}

static char *truth_option(const char *key, const char *value, bool *out) {
    return word_of_truth(value, out) ? NULL : cli_format("--s3-option %s: '%s' is not true or false", key, value);
}

static char *unknown_option(const char *key) {
    static const char *const secrets[] = {"access_key_id", "secret_access_key", "session_token"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        if (strcmp(key, secrets[i]) != 0) continue;
        return cli_format("--s3-option %s: other users can see the command line: put it into credentials.toml or the "
                          "environment",
                          key);
    }
    return cli_format("--s3-option %s: unknown; there are addressing_style, signature_version, verify_ssl, "
                      "connect_timeout, read_timeout, max_attempts, endpoint_url, region_name, region and anonymous",
                      key);
}

char *cli_s3_option_apply(const char *key, const char *value, shf_s3_options *s3) {
    bool truth;
    char *error = NULL;
    if (!strcmp(key, "connect_timeout")) return seconds_option(key, value, &s3->connect_timeout_ms);
    if (!strcmp(key, "read_timeout")) return seconds_option(key, value, &s3->read_timeout_ms);
    if (!strcmp(key, "endpoint_url")) {
        s3->endpoint_url = value;
    } else if (!strcmp(key, "region") || !strcmp(key, "region_name")) {
        s3->region = value;
    } else if (!strcmp(key, "addressing_style")) {
        if (!addressing_of(value, &s3->addressing)) error = cli_strdup("auto, path or virtual");
    } else if (!strcmp(key, "signature_version")) {
        if (!known_signature(value)) error = cli_strdup("s3v4, the only one that is spoken here");
    } else if (!strcmp(key, "max_attempts")) {
        if (!cli_parse_u32(value, 1, MAX_ATTEMPTS, &s3->max_attempts)) error = cli_strdup("a number from 1 to 100");
    } else if (!strcmp(key, "anonymous")) {
        error = truth_option(key, value, &truth);
        if (error) return error;
        s3->anonymous = truth;
    } else if (!strcmp(key, "verify_ssl")) {
        s3->ca_bundle = NULL;
        s3->insecure_skip_verify = 0;
        if (!word_of_truth(value, &truth))
            s3->ca_bundle = value;
        else
            s3->insecure_skip_verify = !truth;
    } else {
        return unknown_option(key);
    }
    if (!error) return NULL;
    char *message = cli_format("--s3-option %s: '%s' is not %s", key, value, error);
    free(error);
    return message;
}
