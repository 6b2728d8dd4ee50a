#include "writer/scratch.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_PREFIX ".shardy-build-"    /* stores do not list names that begin like this */
#define TEMPORARY_PREFIX ".shardy-tmp-" /* of the file store, see store_file_put.c */
#define TEMPORARY_US INT64_C(3600000000)
#define NAME_RANDOM_BYTES 8u
#define LOCK_NAME "lock"
#define TRIES 16

/* ---- emptying ---- */

static bool is_dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

static void remove_files(int directory) {
    DIR *names = shf_fs_open_names(directory, ".", 0);
    const struct dirent *entry;
    if (!names) return;
    while ((entry = shf_fs.readdir(names)) != NULL) {
        if (!is_dots(entry->d_name) && strcmp(entry->d_name, LOCK_NAME) != 0) {
            (void)shf_fs.unlinkat(directory, entry->d_name, 0);
        }
    }
    (void)shf_fs.closedir(names);
    (void)shf_fs.unlinkat(directory, LOCK_NAME, 0); /* last: whoever finds no lock tries again */
}

/* One that nobody holds: its process is dead. */
static void sweep_one(int parent, const char *name) {
    struct stat found;
    int directory = shf_fs_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (directory < 0) return;
    int lock = shf_fs.fstat(directory, &found) == 0 && found.st_uid == geteuid()
                   ? shf_fs_open(directory, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW, 0600)
                   : -1;
    if (lock >= 0 && shf_fs_lock(lock, LOCK_EX | LOCK_NB) == 0) {
        remove_files(directory);
        (void)shf_fs.unlinkat(parent, name, AT_REMOVEDIR);
    }
    if (lock >= 0) shf_fs_close(lock);
    shf_fs_close(directory);
}

/* What a file store was about to put into the prefix itself when its process was killed: nothing takes an hour there. */
static void sweep_temporary(int parent, const char *name) {
    struct stat found;
    if (shf_fs.fstatat(parent, name, &found, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(found.st_mode)) return;
    if (found.st_uid != geteuid() || shf_fs_modified_ns(&found) / 1000 > shf_clock_wall_us() - TEMPORARY_US) return;
    (void)shf_fs.unlinkat(parent, name, 0);
}

static void sweep(int parent) {
    DIR *names = shf_fs_open_names(parent, ".", 0);
    const struct dirent *entry;
    if (!names) return;
    while ((entry = shf_fs.readdir(names)) != NULL) {
        if (strncmp(entry->d_name, NAME_PREFIX, strlen(NAME_PREFIX)) == 0) sweep_one(parent, entry->d_name);
        if (strncmp(entry->d_name, TEMPORARY_PREFIX, strlen(TEMPORARY_PREFIX)) == 0) {
            sweep_temporary(parent, entry->d_name);
        }
    }
    (void)shf_fs.closedir(names);
}

/* ---- making ---- */

static char *choose_parent(const char *root, const struct shf_location *location) {
    struct shf_text path = {0};
    if (root) return shf_strdup(root);
    if (location && location->scheme == SHF_SCHEME_FILE) {
        shf_text_format(&path, "/%s", location->prefix);
    } else {
        const char *given = secure_getenv("TMPDIR");
        shf_text_add_string(&path, given && given[0] == '/' ? given : "/var/tmp");
    }
    return shf_text_take(&path);
}

static int make_directory(int parent, const char *path, mode_t mode) {
    int result;
    do result = shf_fs.mkdirat(parent, path, mode);
    while (result < 0 && errno == EINTR);
    return result;
}

static shf_status open_parent(char *path, int *out, struct shf_error **error) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)make_directory(AT_FDCWD, path, 0777);
        *slash = '/';
    }
    if (make_directory(AT_FDCWD, path, 0777) < 0 && errno != EEXIST) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot make the directory %s to work in", path);
    }
    *out = shf_fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    return *out >= 0 ? SHF_OK : shf_fs_error(error, SHF_E_LOCAL, errno, "cannot open the directory %s to work in", path);
}

/* False with errno when it did not work. A sweep of another process may remove the directory before it is locked: EAGAIN. */
static bool make_one(struct shf_scratch *scratch) {
    struct stat found;
    if (make_directory(scratch->parent_fd, scratch->name, 0700) < 0) return false;
    scratch->fd = shf_fs_open(scratch->parent_fd, scratch->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (scratch->fd >= 0) {
        scratch->lock_fd = shf_fs_open(scratch->fd, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    }
    if (scratch->lock_fd >= 0 && shf_fs_lock(scratch->lock_fd, LOCK_EX | LOCK_NB) == 0 &&
        shf_fs.fstat(scratch->lock_fd, &found) == 0) {
        if (found.st_nlink > 0) return true;
        errno = EAGAIN;
    }
    int problem = errno == EWOULDBLOCK || errno == ENOENT ? EAGAIN : errno;
    if (scratch->lock_fd >= 0) shf_fs_close(scratch->lock_fd);
    if (scratch->fd >= 0) shf_fs_close(scratch->fd);
    scratch->fd = scratch->lock_fd = -1;
    (void)shf_fs.unlinkat(scratch->parent_fd, scratch->name, AT_REMOVEDIR);
    errno = problem;
    return false;
}

static shf_status make(struct shf_scratch *scratch, const char *parent, struct shf_error **error) {
    for (int i = 0; i < TRIES; i++) {
        uint8_t bytes[NAME_RANDOM_BYTES];
        char random[2 * NAME_RANDOM_BYTES + 1];
        struct shf_text name = {0}, path = {0};
        if (!shf_random_bytes(bytes, sizeof bytes)) {
            return shf_error_set(error, SHF_E_LOCAL, "the system gives no random bytes for a name below %s", parent);
        }
        shf_hex_encode(bytes, sizeof bytes, random);
        shf_text_format(&name, NAME_PREFIX "%s", random);
        shf_text_format(&path, "%s/" NAME_PREFIX "%s", parent, random);
        shf_free(scratch->name);
        shf_free(scratch->path);
        scratch->name = shf_text_take(&name);
        scratch->path = shf_text_take(&path);
        if (!scratch->name || !scratch->path) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a path");
        if (make_one(scratch)) return SHF_OK;
        if (errno != EAGAIN && errno != EEXIST) break;
    }
    return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot make a directory to work in below %s", parent);
}

void shf_scratch_forget(struct shf_scratch *scratch) {
    if (scratch->lock_fd >= 0) shf_fs_close(scratch->lock_fd);
    if (scratch->fd >= 0) shf_fs_close(scratch->fd);
    if (scratch->parent_fd >= 0) shf_fs_close(scratch->parent_fd);
    shf_free(scratch->path);
    shf_free(scratch->name);
    *scratch = (struct shf_scratch){.parent_fd = -1, .fd = -1, .lock_fd = -1};
}

shf_status shf_scratch_open(const char *root, const struct shf_location *location, struct shf_scratch *out,
                            struct shf_error **error) {
    struct shf_scratch scratch = {.parent_fd = -1, .fd = -1, .lock_fd = -1};
    char *parent = choose_parent(root, location);
    if (!parent) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a path");
    shf_status status = open_parent(parent, &scratch.parent_fd, error);
    if (!status) {
        sweep(scratch.parent_fd);
        status = make(&scratch, parent, error);
    }
    shf_free(parent);
    if (status) {
        shf_scratch_forget(&scratch);
        return status;
    }
    *out = scratch;
    return SHF_OK;
}

void shf_scratch_remove(struct shf_scratch *scratch) {
    if (scratch->fd >= 0) {
        remove_files(scratch->fd);
        (void)shf_fs.unlinkat(scratch->parent_fd, scratch->name, AT_REMOVEDIR);
    }
    shf_scratch_forget(scratch);
}
