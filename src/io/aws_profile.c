/*
 * The AWS shared files. Not by libinih: as packaged it cuts lines at 200 bytes and names at 50 without a word, session
 * tokens are longer, and its limits are process-wide. Format: "AWS SDKs and Tools Reference Guide", shared config and
 * credentials files.
 */
#include "io/aws_profile.h"

#include "base/alloc.h"
#include "base/text.h"
#include "io/fs.h"
#include "shardyfusion/reader.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGEST_FILE_BYTES (1u << 20)

struct parsing {
    struct shf_aws_profile *profile;
    struct shf_aws_keys *keys;
    bool is_config, in_section, found, no_memory;
    bool in_s3; /* the setting above is "s3 =": indented lines belong to it */
};

static void free_keys(struct shf_aws_keys *keys) {
    shf_free(keys->access_key_id);
    shf_free_secret(keys->secret_access_key);
    shf_free_secret(keys->session_token);
}

void shf_aws_profile_free(struct shf_aws_profile *profile) {
    char *const texts[] = {profile->name,      profile->region, profile->endpoint_url, profile->credential_process,
                           profile->ca_bundle, profile->unread, profile->looked_at};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) shf_free(texts[i]);
    free_keys(&profile->config);
    free_keys(&profile->credentials);
    memset(profile, 0, sizeof *profile);
}

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

static char *trim(char *text) {
    while (is_blank(*text)) text++;
    size_t size = strlen(text);
    while (size && is_blank(text[size - 1])) size--;
    text[size] = '\0';
    return text;
}

/* In the config file sections are "profile NAME" (or 'profile "NAME"'), but plain "default". */
static bool is_section(const struct parsing *parsing, char *section) {
    const char *name = parsing->profile->name;
    if (!parsing->is_config || strcmp(section, "default") == 0) return strcmp(section, name) == 0;
    if (strncmp(section, "profile", 7) != 0 || !is_blank(section[7])) return false;
    section = trim(section + 7);
    size_t size = strlen(section);
    if (size >= 2 && (section[0] == '"' || section[0] == '\'') && section[size - 1] == section[0]) {
        section[size - 1] = '\0';
        section++;
    }
    return strcmp(section, name) == 0;
}

static void set(struct parsing *parsing, char **slot, const char *value) {
    shf_free_secret(*slot);
    *slot = shf_strdup(value);
    if (!*slot) parsing->no_memory = true;
}

static void take(struct parsing *parsing, const char *name, const char *value) {
    static const char *const unread[] = {"role_arn", "sso_session", "sso_start_url", "web_identity_token_file",
                                         "login_session"};
    struct shf_aws_profile *profile = parsing->profile;
    const struct {
        const char *name;
        char **slot;
    } known[] = {{"aws_access_key_id", &parsing->keys->access_key_id},
                 {"aws_secret_access_key", &parsing->keys->secret_access_key},
                 {"aws_session_token", &parsing->keys->session_token},
                 {"region", &profile->region},
                 {"endpoint_url", &profile->endpoint_url},
                 {"credential_process", &profile->credential_process},
                 {"ca_bundle", &profile->ca_bundle}};
    for (size_t i = 0; *value && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) set(parsing, known[i].slot, value);
    }
    for (size_t i = 0; *value && i < sizeof unread / sizeof unread[0]; i++) {
        if (strcmp(name, unread[i]) == 0) set(parsing, &profile->unread, name);
    }
}

static void take_s3(struct parsing *parsing, const char *name, const char *value) {
    if (strcmp(name, "addressing_style") != 0) return;
    parsing->profile->addressing = strcmp(value, "path") == 0      ? SHF_ADDRESSING_PATH
                                   : strcmp(value, "virtual") == 0 ? SHF_ADDRESSING_VIRTUAL
                                                                   : SHF_ADDRESSING_AUTO;
}

/* " #" and " ;" begin a comment, but a command may hold them. */
static void cut_comment(const char *name, char *value) {
    if (strcmp(name, "credential_process") == 0) return;
    for (char *c = value; *c; c++) {
        if ((*c == '#' || *c == ';') && c > value && is_blank(c[-1])) {
            *c = '\0';
            return;
        }
    }
}

static void take_setting(struct parsing *parsing, char *line, bool indented) {
    char *equals = strchr(line, '=');
    if (!parsing->in_section || !equals) return; /* what is no setting is passed over, as the AWS tools do */
    *equals = '\0';
    char *name = trim(line), *value = equals + 1;
    for (char *c = name; *c; c++) *c = shf_ascii_lower(*c);
    cut_comment(name, value);
    value = trim(value);
    if (!indented) {
        parsing->in_s3 = !*value && strcmp(name, "s3") == 0;
        take(parsing, name, value);
    } else if (parsing->in_s3) {
        take_s3(parsing, name, value);
    }
}

/* One line, NUL-terminated. */
static void take_line(struct parsing *parsing, char *line) {
    bool indented = is_blank(line[0]);
    line = trim(line);
    if (line[0] == '\0' || line[0] == '#' || line[0] == ';') return;
    if (line[0] != '[' || indented) {
        take_setting(parsing, line, indented);
        return;
    }
    char *end = strchr(line, ']');
    parsing->in_section = parsing->in_s3 = false;
    if (!end) return; /* settings below a broken heading are nobody's */
    *end = '\0';
    parsing->in_section = is_section(parsing, trim(line + 1));
    parsing->found |= parsing->in_section;
}

shf_status shf_aws_profile_parse(const char *text, size_t size, bool is_config, struct shf_aws_profile *profile,
                                 bool *found, struct shf_error **error) {
    struct parsing parsing = {
        .profile = profile, .keys = is_config ? &profile->config : &profile->credentials, .is_config = is_config};
    const char *end = text + size;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3;
    while (text < end && !parsing.no_memory) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((newline ? newline : end) - text);
        char *line = shf_strndup(text, length);
        if (line) {
            take_line(&parsing, line);
        } else {
            parsing.no_memory = true;
        }
        shf_free_secret(line);
        text += length + 1;
    }
    if (parsing.no_memory) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an AWS profile");
    *found = parsing.found;
    return SHF_OK;
}

/* *out NULL: there is no such file. */
static shf_status read_text(const char *path, char **out, size_t *size, struct shf_error **error) {
    FILE *file = fopen(path, "re");
    *out = NULL;
    if (!file) {
        if (errno == ENOENT || errno == ENOTDIR) return SHF_OK;
        return shf_fs_error(error, SHF_E_ACCESS, errno, "cannot read the AWS file %s", path);
    }
    char *text = shf_alloc(LARGEST_FILE_BYTES + 2);
    *size = text ? fread(text, 1, LARGEST_FILE_BYTES + 1, file) : 0;
    const char *wrong = ferror(file)                                ? "can not be read"
                        : *size > LARGEST_FILE_BYTES                ? "is larger than 1 MiB"
                        : text && memchr(text, '\0', *size) != NULL ? "is no text"
                                                                    : NULL;
    (void)fclose(file);
    if (!text) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the AWS file %s", path);
    text[*size] = '\0';
    if (wrong) {
        OPENSSL_cleanse(text, *size);
        shf_free(text);
        return shf_error_set(error, SHF_E_ACCESS, "the AWS file %s %s", path, wrong);
    }
    *out = text;
    return SHF_OK;
}

static const char *environment(const char *name) {
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): nothing here changes the environment */
    return value && *value ? value : NULL;
}

static shf_status read_file(const char *variable, const char *name, bool is_config, struct shf_aws_profile *profile,
                            bool *found, struct shf_text *looked_at, struct shf_error **error) {
    const char *path = environment(variable), *home = environment("HOME");
    struct shf_text built = {0};
    char *text = NULL;
    size_t size = 0;
    bool in_this = false;
    if (!path) {
        if (!home) return SHF_OK;
        shf_text_format(&built, "%s/.aws/%s", home, name);
        path = built.data;
    }
    shf_status status = built.failed ? shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a path")
                                     : read_text(path, &text, &size, error);
    if (!status && text) status = shf_aws_profile_parse(text, size, is_config, profile, &in_this, error);
    if (!status) {
        shf_text_format(looked_at, "%s%s%s", looked_at->size ? ", " : "", path,
                        !text     ? " (no such file)"
                        : in_this ? ""
                                  : " (no such profile)");
    }
    *found |= in_this;
    if (text) OPENSSL_cleanse(text, size);
    shf_free(text);
    shf_text_free(&built);
    return status;
}

shf_status shf_aws_profile_read(const char *name, struct shf_aws_profile *out, struct shf_error **error) {
    struct shf_aws_profile profile = {0};
    struct shf_text looked_at = {0};
    bool found = false;
    if (!name) name = environment("AWS_PROFILE");
    if (!name) name = "default";
    profile.name = shf_strdup(name);
    shf_status status = profile.name ? SHF_OK : shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an AWS profile");
    if (!status) status = read_file("AWS_CONFIG_FILE", "config", true, &profile, &found, &looked_at, error);
    if (!status) {
        status = read_file("AWS_SHARED_CREDENTIALS_FILE", "credentials", false, &profile, &found, &looked_at, error);
    }
    if (!status && !found && strcmp(name, "default") != 0) {
        status = shf_error_set(error, SHF_E_INVALID, "there is no AWS profile %s; looked at %s", name,
                               looked_at.size ? looked_at.data : "no file, since HOME is not set");
    }
    profile.looked_at = shf_text_take(&looked_at);
    if (!status && !profile.looked_at) status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for an AWS profile");
    if (status) {
        shf_aws_profile_free(&profile);
    } else {
        *out = profile;
    }
    return status;
}
