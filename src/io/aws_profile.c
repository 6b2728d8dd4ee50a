#include "io/aws_profile.h"

#include "base/alloc.h"
#include "base/text.h"
#include "shardyfusion/reader.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_FILE_BYTES (1u << 20)

struct parsing {
    struct shf_aws_profile *profile;
    bool is_config, in_section, found, no_memory;
};

static void free_secret(char *text) {
    if (text) OPENSSL_cleanse(text, strlen(text));
    shf_free(text);
}

void shf_aws_profile_free(struct shf_aws_profile *profile) {
    shf_free(profile->name);
    shf_free(profile->access_key_id);
    free_secret(profile->secret_access_key);
    free_secret(profile->session_token);
    shf_free(profile->region);
    shf_free(profile->endpoint_url);
    shf_free(profile->credential_process);
    memset(profile, 0, sizeof *profile);
}

/* In the config file sections are "profile NAME", but plain "default". */
static bool is_section(const struct parsing *parsing, const char *section) {
    const char *name = parsing->profile->name;
    if (parsing->is_config && strncmp(section, "profile ", 8) == 0) {
        section += 8;
        section += strspn(section, " \t");
    } else if (parsing->is_config && strcmp(section, "default") != 0) {
        return false;
    }
    return strcmp(section, name) == 0;
}

static void take(struct parsing *parsing, const char *name, const char *value) {
    struct shf_aws_profile *profile = parsing->profile;
    const struct {
        const char *name;
        char **slot;
    } keys[] = {{"aws_access_key_id", &profile->access_key_id},
                {"aws_secret_access_key", &profile->secret_access_key},
                {"aws_session_token", &profile->session_token},
                {"region", &profile->region},
                {"endpoint_url", &profile->endpoint_url},
                {"credential_process", &profile->credential_process}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(name, keys[i].name) != 0 || !*value) continue;
        free_secret(*keys[i].slot);
        *keys[i].slot = shf_strdup(value);
        if (!*keys[i].slot) parsing->no_memory = true;
    }
    if (strcmp(name, "addressing_style") == 0) {
        profile->addressing = strcmp(value, "path") == 0      ? SHF_ADDRESSING_PATH
                              : strcmp(value, "virtual") == 0 ? SHF_ADDRESSING_VIRTUAL
                                                              : SHF_ADDRESSING_AUTO;
    }
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static char *trim(char *text) {
    while (is_blank(*text)) text++;
    size_t size = strlen(text);
    while (size && is_blank(text[size - 1])) size--;
    text[size] = '\0';
    return text;
}

/*
 * One line, NUL-terminated. Not by libinih: as packaged it cuts lines at 200 bytes without a word, and session tokens are
 * longer. An indented line belongs to the setting above it ("s3 =" and then "  addressing_style = path").
 */
static void take_line(struct parsing *parsing, char *line, char nested[32]) {
    bool indented = is_blank(line[0]);
    line = trim(line);
    size_t size = strlen(line);
    if (size == 0 || line[0] == '#' || line[0] == ';') return;
    if (line[0] == '[' && line[size - 1] == ']') {
        line[size - 1] = '\0';
        parsing->in_section = is_section(parsing, trim(line + 1));
        parsing->found |= parsing->in_section;
        return;
    }
    char *equals = strchr(line, '=');
    if (!parsing->in_section || !equals) return; /* what is no setting is passed over, as the AWS tools do */
    *equals = '\0';
    const char *name = trim(line), *value = trim(equals + 1);
    if (!indented) (void)snprintf(nested, 32, "%s", *value ? "" : name);
    if (!indented || strcmp(nested, "s3") == 0) take(parsing, name, value);
}

shf_status shf_aws_profile_parse(const char *text, int is_config, struct shf_aws_profile *profile, int *found,
                                 struct shf_error **error) {
    struct parsing parsing = {.profile = profile, .is_config = is_config != 0};
    char nested[32] = "";
    while (*text) {
        size_t size = strcspn(text, "\n");
        char *line = shf_strndup(text, size);
        if (!line) parsing.no_memory = true;
        if (parsing.no_memory) break;
        take_line(&parsing, line, nested);
        free_secret(line);
        text += size + (text[size] == '\n');
    }
    if (parsing.no_memory) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an AWS profile");
    *found = parsing.found;
    return SHF_OK;
}

static shf_status read_text(const char *path, char **out, struct shf_error **error) {
    FILE *file = fopen(path, "re");
    *out = NULL;
    if (!file) {
        if (errno == ENOENT || errno == ENOTDIR) return SHF_OK;
        return shf_error_set(error, SHF_E_ACCESS, "cannot read the AWS file %s: %s", path, strerror(errno));
    }
    char *text = shf_alloc(LARGEST_FILE_BYTES + 1);
    size_t size = text ? fread(text, 1, LARGEST_FILE_BYTES + 1, file) : 0;
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (!text) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the AWS file %s", path);
    if (failed || size > LARGEST_FILE_BYTES) {
        shf_free(text);
        return shf_error_set(error, SHF_E_ACCESS, "the AWS file %s %s", path, failed ? "can not be read" : "is larger than 1 MiB");
    }
    text[size] = '\0';
    *out = text;
    return SHF_OK;
}

static shf_status read_file(const char *variable, const char *name, bool is_config, struct shf_aws_profile *profile,
                            bool *found, struct shf_error **error) {
    const char *path = getenv(variable), *home = getenv("HOME");
    struct shf_text built = {0};
    char *text = NULL;
    int in_this = 0;
    if (!path || !*path) {
        if (!home || !*home) return SHF_OK;
        shf_text_format(&built, "%s/.aws/%s", home, name);
        path = built.data;
    }
    shf_status status = path ? read_text(path, &text, error) : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a path");
    if (!status && text) status = shf_aws_profile_parse(text, is_config, profile, &in_this, error);
    if (in_this) *found = true;
    if (text) OPENSSL_cleanse(text, strlen(text));
    shf_free(text);
    shf_text_free(&built);
    return status;
}

shf_status shf_aws_profile_read(const char *name, struct shf_aws_profile *out, struct shf_error **error) {
    struct shf_aws_profile profile = {0};
    const char *variable = getenv("AWS_PROFILE");
    const char *wanted = name ? name : variable && *variable ? variable : "default";
    bool found = false;
    profile.name = shf_strdup(wanted);
    shf_status status = profile.name ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an AWS profile");
    if (!status) status = read_file("AWS_CONFIG_FILE", "config", true, &profile, &found, error);
    if (!status) status = read_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", false, &profile, &found, error);
    if (!status && !found && strcmp(wanted, "default") != 0) {
        status = shf_error_set(error, SHF_E_INVALID, "the AWS profile %s is neither in the config nor in the credentials file", wanted);
    }
    if (status) {
        shf_aws_profile_free(&profile);
    } else {
        *out = profile;
    }
    return status;
}
