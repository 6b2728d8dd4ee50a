/* The file store: a listing is the names in a directory. */
#include "base/alloc.h"
#include "base/limits.h"
#include "io/copy_file.h"
#include "io/fs.h"
#include "io/store_file_priv.h"
#include "io/store_names.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static shf_status no_memory(const struct shf_file_answer *answer) {
    return shf_error_set(answer->error, SHF_E_NO_MEMORY, "no memory to list %s", answer->url);
}

/* found: of a file whose version is wanted; else NULL. */
static shf_status add_name(const struct shf_file_answer *answer, struct shf_store_names *list, const char *name,
                           bool is_directory, const struct stat *found) {
    if (list->count >= SHF_LIMIT_LIST_KEYS) {
        return shf_error_set(answer->error, SHF_E_LIMIT, "%s holds more than %u names", answer->url, SHF_LIMIT_LIST_KEYS);
    }
    char *version = found ? shf_file_version(found) : NULL;
    if (found && !version) return no_memory(answer);
    size_t size = strlen(name);
    char *copy = shf_alloc(size + 2);
    if (copy) {
        memcpy(copy, name, size);
        if (is_directory) copy[size++] = '/';
        copy[size] = '\0';
    }
    return shf_store_names_add(list, copy, version) ? SHF_OK : no_memory(answer);
}

/* Objects are files and directories, through symbolic links too; the rest (and a link to nothing) is not listed. */
static shf_status add_entry(const struct shf_file_answer *answer, int directory, const struct dirent *entry,
                            struct shf_store_names *list) {
    struct stat found;
    bool is_directory = entry->d_type == DT_DIR, is_file = entry->d_type == DT_REG;
    bool wants_version = list->wants_versions && !is_directory;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) return SHF_OK;
    if (strncmp(entry->d_name, SHF_FILE_OWN_NAMES, strlen(SHF_FILE_OWN_NAMES)) == 0) return SHF_OK;
    if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK || (is_file && wants_version)) {
        if (shf_fs.fstatat(directory, entry->d_name, &found, 0) == 0) {
            is_directory = S_ISDIR(found.st_mode);
            is_file = S_ISREG(found.st_mode);
        } else if (is_file && errno == EACCES) { /* a directory of which only the names may be read */
            wants_version = false;
        } else if (errno == ENOENT || errno == ELOOP || errno == EACCES || errno == ENOTDIR) {
            return SHF_OK;
        } else {
            return shf_fs_error(answer->error, SHF_E_LOCAL, errno, "cannot look at %s%s", answer->url, entry->d_name);
        }
    }
    if (!is_directory && !is_file) return SHF_OK;
    return add_name(answer, list, entry->d_name, is_directory, is_file && wants_version ? &found : NULL);
}

static shf_status read_names(const struct shf_file_answer *answer, DIR *names, struct shf_store_names *list) {
    const struct shf_store_request *request = answer->request;
    for (;;) {
        shf_status status = shf_copy_check(request->cancel, request->deadline_ns, answer->url, answer->error);
        if (status) return status;
        errno = 0;
        const struct dirent *entry = shf_fs.readdir(names);
        if (!entry && errno == EINTR) continue;
        if (!entry && errno) {
            return shf_fs_error(answer->error, shf_fs_status(errno), errno, "cannot list %s", answer->url);
        }
        if (!entry) return SHF_OK;
        status = add_entry(answer, dirfd(names), entry, list);
        if (status) return status;
    }
}

shf_status shf_file_list(const struct shf_file_answer *answer) {
    struct shf_store_request *request = answer->request;
    struct shf_store_names list = {.wants_versions = request->wants_versions};
    size_t size = strlen(request->key);
    if (size && request->key[size - 1] != '/') {
        return shf_error_set(answer->error, SHF_E_INVALID, "the prefix of a listing ends in a slash; got %s",
                             answer->url);
    }
    DIR *names = shf_fs_open_names(AT_FDCWD, answer->path, 0);
    if (!names && (errno == ENOENT || errno == ENOTDIR))
        return SHF_OK; /* as an object store: no such prefix, no names */
    if (!names) return shf_fs_error(answer->error, shf_fs_status(errno), errno, "cannot list %s", answer->url);
    shf_status status = read_names(answer, names, &list);
    (void)shf_fs.closedir(names);
    if (!status && !shf_store_names_sort(&list)) status = no_memory(answer);
    if (status) {
        shf_store_names_free(&list);
        return status;
    }
    shf_store_names_give(&list, request);
    return SHF_OK;
}
