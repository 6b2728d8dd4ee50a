#include "cli/config.h"

#include "cli/memory.h"
#include "cli/notice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *find(const char *flag, const char *variable, const char *name) {
    const char *named = cli_environment(variable);
    const char *home = cli_environment("HOME");
    if (flag) return cli_strdup(flag);
    if (named) return cli_strdup(named);
    if (!access(name, F_OK)) return cli_strdup(name);
    if (!home) return NULL;
    char *path = cli_format("%s/.config/shardy/%s", home, name);
    if (!access(path, F_OK)) return path;
    free(path);
    return NULL;
}

/* The whole file, at most CLI_TOML_FILE_BYTES + 1 bytes (one too many shows that it is too large). */
static char *read_all(int fd, char *text, size_t *size) {
    *size = 0;
    while (*size < CLI_TOML_FILE_BYTES + 1) {
        ssize_t n = read(fd, text + *size, CLI_TOML_FILE_BYTES + 1 - *size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return cli_strdup(cli_errno_text(errno));
        if (!n) break;
        *size += (size_t)n;
    }
    return NULL;
}

static char *load(const char *path, struct cli_config_file *file) {
    struct stat about;
    char *error = NULL, *text = NULL;
    size_t size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &about)) {
        error = cli_strdup(cli_errno_text(errno));
        goto done;
    }
    file->mode = about.st_mode & 07777u;
    file->wide_mode = S_ISREG(about.st_mode) && (about.st_mode & 077u);
    text = cli_alloc(CLI_TOML_FILE_BYTES + 1);
    error = read_all(fd, text, &size);
    if (!error) error = cli_toml_parse(text, size, &file->toml);
done:
    if (text) explicit_bzero(text, size);
    free(text);
    if (fd >= 0) close(fd);
    return error;
}

char *cli_config_file_load(const char *flag, const char *variable, const char *name, struct cli_config_file *out) {
    struct cli_config_file file = {.path = find(flag, variable, name)};
    if (file.path) {
        char *wrong = load(file.path, &file);
        if (wrong) {
            char *error = cli_format("%s: %s", file.path, wrong);
            free(wrong);
            free(file.path);
            return error;
        }
    }
    *out = file;
    return NULL;
}

void cli_config_file_free(struct cli_config_file *file) {
    free(file->path);
    cli_toml_free(&file->toml);
    *file = (struct cli_config_file){0};
}

char *cli_config_wrong(const struct cli_config_file *file, const struct cli_toml_entry *entry, const char *wanted) {
    return cli_format("%s: line %u: [%s] %s must be %s", file->path, entry->line, entry->section, entry->name, wanted);
}

char *cli_config_text(struct cli_config_file *file, const char *section, const char *name, const char **out) {
    struct cli_toml_entry *entry = cli_toml_find(&file->toml, section, name);
    if (!entry) return NULL;
    if (entry->kind != CLI_TOML_STRING) return cli_config_wrong(file, entry, "text in quotes");
    if (*entry->text) *out = entry->text; /* as in the Python project, an empty text is as none */
    return NULL;
}

char *cli_config_integer(struct cli_config_file *file, const char *section, const char *name, int64_t minimum,
                         int64_t maximum, bool *found, int64_t *out) {
    struct cli_toml_entry *entry = cli_toml_find(&file->toml, section, name);
    if (!entry) return NULL;
    if (entry->kind != CLI_TOML_INTEGER || entry->integer < minimum || entry->integer > maximum) {
        char *wanted = cli_format("an integer from %lld to %lld", (long long)minimum, (long long)maximum);
        char *error = cli_config_wrong(file, entry, wanted);
        free(wanted);
        return error;
    }
    if (found) *found = true;
    *out = entry->integer;
    return NULL;
}

void cli_config_warn_unknown(const struct cli_config_file *file, const char *section) {
    for (size_t i = 0; i < file->toml.entry_count; i++) {
        const struct cli_toml_entry *entry = &file->toml.entries[i];
        if (entry->used || (section && strcmp(entry->section, section) != 0)) continue;
        cli_warning("%s: line %u: unknown key '%s' in [%s], ignored", file->path, entry->line, entry->name,
                    entry->section);
    }
}
