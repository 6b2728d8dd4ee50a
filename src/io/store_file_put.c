/*
 * Writing to file:///: under a temporary name in the object's own directory, synced, then renamed; so an object is there
 * whole or not at all, also after the power failed.
 */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "io/copy_file.h"
#include "io/fs.h"
#include "io/store_file_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#define WRITE_PIECE_BYTES (UINT64_C(8) << 20) /* between two looks at the token */
#define MOST_TRIES 8                          /* a DELETE elsewhere may remove a directory that is empty as yet */
#define LOCK_LOOK_NS 2000000
#define MOST_STEPS 65536u /* up and down a path */
#define LOCK_NAME SHF_FILE_OWN_NAMES "lock"

/* One object on its way into its directory. */
struct put {
    const struct shf_file_answer *answer;
    struct shf_store_request *request;
    char *directory; /* "/" or without a slash at the end */
    const char *name;
    size_t made; /* length of the shortest directory path that was made here; 0: none was */
    int directory_fd, fd, lock_fd;
    char temporary[sizeof SHF_FILE_OWN_NAMES "tmp-" + 16];
    bool has_temporary;
};

char *shf_file_version(const struct stat *found) {
    struct shf_text text = {0};
    shf_text_format(&text, "%" PRIu64 "-%" PRId64 "-%" PRIu64, (uint64_t)found->st_ino, shf_fs_modified_ns(found),
                    (uint64_t)found->st_size);
    return shf_text_take(&text);
}

static shf_status check_now(const struct shf_file_answer *answer) {
    const struct shf_store_request *request = answer->request;
    if (shf_cancel_requested(request->cancel)) {
        return shf_error_set(answer->error, SHF_E_CANCELLED, "writing %s was cancelled", answer->url);
    }
    if (shf_deadline_over(request->deadline_ns)) {
        return shf_error_set(answer->error, SHF_E_DEADLINE, "writing %s: the time given to the operation is over",
                             answer->url);
    }
    return SHF_OK;
}

/* What is missing while writing is no object: NOT_FOUND would mislead. */
static shf_status failed(const struct put *put, int problem, const char *what) {
    shf_status code = shf_fs_status(problem);
    const char *url = put->answer->url;
    if (code == SHF_E_NOT_FOUND) code = SHF_E_LOCAL;
    if (problem == ENOTDIR) {
        return shf_error_set(put->answer->error, code, "cannot %s %s: a file is where a directory has to be", what, url);
    }
    return shf_fs_error(put->answer->error, code, problem, "cannot %s %s", what, url);
}

static shf_status no_memory(const struct put *put) {
    return shf_error_set(put->answer->error, SHF_E_NO_MEMORY, "no memory to write %s", put->answer->url);
}

/* ---- directories ---- */

static shf_status split(struct put *put) {
    const char *path = put->answer->path, *slash = strrchr(path, '/');
    put->name = slash + 1;
    if (!*put->name || strcmp(put->name, ".") == 0 ||
        strncmp(put->name, SHF_FILE_OWN_NAMES, strlen(SHF_FILE_OWN_NAMES)) == 0) {
        return shf_error_set(put->answer->error, SHF_E_INVALID, "%s can not be the name of an object", put->answer->url);
    }
    put->directory = shf_strndup(path, slash == path ? 1 : (size_t)(slash - path));
    return put->directory ? SHF_OK : no_memory(put);
}

/* mkdir -p: from the whole path upwards until one can be made, then down again. */
static shf_status make_directories(struct put *put) {
    char *path = put->directory;
    size_t size = strlen(path), end = size;
    shf_status status = SHF_OK;
    for (unsigned step = 0; step < MOST_STEPS; step++) {
        int result = shf_fs.mkdirat(AT_FDCWD, path, 0755), problem = errno;
        if (result == 0 && (!put->made || end < put->made)) put->made = end;
        if (result != 0 && problem == ENOENT) { /* the one above first */
            while (end > 1 && path[end - 1] != '/') end--;
            while (end > 1 && path[end - 1] == '/') end--;
            if (end > 1) {
                path[end] = '\0';
                continue;
            }
        }
        if (result != 0 && problem != EEXIST) {
            if (problem == EINTR) continue;
            status = failed(put, problem, "make the directory of");
            break;
        }
        if (end == size) break;
        path[end] = '/';
        end = strlen(path);
    }
    for (size_t i = 0; i < size; i++) { /* where a failure left it cut */
        if (!path[i]) path[i] = '/';
    }
    return status;
}

/* *gone: it vanished in between. */
static shf_status open_directory(struct put *put, bool *gone) {
    *gone = false;
    put->directory_fd = shf_fs_open(AT_FDCWD, put->directory, O_RDONLY | O_DIRECTORY, 0);
    if (put->directory_fd < 0 && errno == ENOENT) {
        shf_status status = make_directories(put);
        if (status) return status;
        put->directory_fd = shf_fs_open(AT_FDCWD, put->directory, O_RDONLY | O_DIRECTORY, 0);
    }
    if (put->directory_fd >= 0) return SHF_OK;
    *gone = errno == ENOENT;
    return failed(put, errno, "open the directory of");
}

/* The names of directories that were made last as long as their parents say so. */
static shf_status sync_directories(struct put *put) {
    shf_status status = SHF_OK;
    char *path = put->directory;
    if (shf_fs_sync(put->directory_fd) != 0) return failed(put, errno, "sync the directory of");
    for (size_t end = strlen(path); !status && put->made && end >= put->made && end > 1;) {
        while (end > 1 && path[end - 1] != '/') end--;
        char kept = path[end];
        path[end] = '\0';
        int fd = shf_fs_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
        path[end] = kept;
        if (fd < 0 || shf_fs_sync(fd) != 0) status = failed(put, errno, "sync a directory above");
        if (fd >= 0) shf_fs_close(fd);
        while (end > 1 && path[end - 1] == '/') end--;
    }
    return status;
}

/* ---- the bytes ---- */

/* A new file, with the mode that an object is to have. */
static shf_status open_temporary(struct put *put, bool *gone) {
    uint64_t random;
    *gone = false;
    if (!shf_random_bytes(&random, sizeof random)) {
        return shf_error_set(put->answer->error, SHF_E_LOCAL, "cannot write %s: the system has no random numbers",
                             put->answer->url);
    }
    (void)snprintf(put->temporary, sizeof put->temporary, "%stmp-%016" PRIx64, SHF_FILE_OWN_NAMES, random);
    put->fd = shf_fs_open(put->directory_fd, put->temporary, O_RDWR | O_CREAT | O_EXCL, 0644);
    if (put->fd >= 0) {
        put->has_temporary = true;
        return SHF_OK;
    }
    *gone = errno == ENOENT;
    return failed(put, errno, "write");
}

static void drop_temporary(struct put *put) {
    if (put->has_temporary) (void)shf_fs.unlinkat(put->directory_fd, put->temporary, 0);
    put->has_temporary = false;
}

static shf_status write_data(struct put *put) {
    const struct shf_store_request *request = put->request;
    const uint8_t *data = request->data;
    for (uint64_t done = 0; done < request->data_size;) {
        shf_status status = check_now(put->answer);
        if (status) return status;
        uint64_t left = request->data_size - done, piece = left < WRITE_PIECE_BYTES ? left : WRITE_PIECE_BYTES;
        if (shf_fs_write(put->fd, data + done, (size_t)piece, done) != 0) return failed(put, errno, "write");
        done += piece;
    }
    return SHF_OK;
}

static shf_status copy_source(struct put *put, const struct stat *source) {
    const struct shf_store_request *request = put->request;
    const char *name = request->source_path ? request->source_path : "its source";
    const struct shf_copy copy = {.from = request->source_fd,
                                  .to = put->fd,
                                  .size = request->data_size,
                                  .is_whole = (uint64_t)source->st_size == request->data_size,
                                  .to_name = put->answer->url,
                                  .cancel = request->cancel,
                                  .deadline_ns = request->deadline_ns};
    uint64_t copied = 0;
    shf_status status = shf_copy_run(&copy, name, &copied, put->answer->error);
    if (status) return status;
    if (copied == request->data_size) return SHF_OK;
    return shf_error_set(put->answer->error, SHF_E_LOCAL, "cannot write %s: %s has %" PRIu64 " of its %" PRIu64 " bytes",
                         put->answer->url, name, copied, request->data_size);
}

/* The source itself becomes the object when it is one file that nobody else has a name for, of just these bytes. */
static bool can_take(const struct put *put, const struct stat *source) {
    const struct shf_store_request *request = put->request;
    struct stat target = {0}, named = {0};
    if (!request->source_path || !S_ISREG(source->st_mode) || source->st_nlink != 1) return false;
    if ((uint64_t)source->st_size != request->data_size) return false;
    if (shf_fs.fstat(put->fd, &target) != 0 || target.st_dev != source->st_dev) return false;
    if (shf_fs.fstatat(AT_FDCWD, request->source_path, &named, AT_SYMLINK_NOFOLLOW) != 0) return false;
    if (named.st_dev != source->st_dev || named.st_ino != source->st_ino) return false;
    return (source->st_mode & 07777) == (target.st_mode & 07777) ||
           shf_fs.fchmod(request->source_fd, target.st_mode & 07777) == 0;
}

/*
 * On the disk, and with a time of its own: the kernel's own steps are so wide that two objects might share one. Where the
 * time can not be set its steps must do.
 */
static shf_status settle(struct put *put, int fd, struct stat *found) {
    int64_t now_us = shf_clock_wall_us();
    const struct timespec now = {.tv_sec = now_us / 1000000, .tv_nsec = now_us % 1000000 * 1000};
    (void)shf_fs.futimens(fd, (const struct timespec[]){now, now});
    if (shf_fs_sync(fd) != 0) return failed(put, errno, "sync");
    return shf_fs.fstat(fd, found) == 0 ? SHF_OK : failed(put, errno, "look at");
}

/* ---- conditions ---- */

static shf_status condition_failed(const struct put *put, const char *why) {
    shf_status status = shf_error_set(put->answer->error, SHF_E_STORE, "%s was not written: %s", put->answer->url, why);
    if (put->answer->error) shf_error_set_http_status(*put->answer->error, 412);
    return status;
}

/* Not for longer than the request may take: another process may hold it, or be stopped. */
static shf_status take_lock(struct put *put) {
    put->lock_fd = shf_fs_open(put->directory_fd, LOCK_NAME, O_RDWR | O_CREAT, 0644);
    if (put->lock_fd < 0) return failed(put, errno, "open the lock of");
    for (;;) {
        if (shf_fs_lock(put->lock_fd, LOCK_EX | LOCK_NB) == 0) return SHF_OK;
        if (errno != EWOULDBLOCK) return failed(put, errno, "lock the directory of");
        shf_status status = check_now(put->answer);
        if (status) return status;
        const struct timespec pause = {.tv_nsec = LOCK_LOOK_NS};
        (void)nanosleep(&pause, NULL);
    }
}

static shf_status check_version(const struct put *put) {
    const char *wanted = put->request->if_version;
    struct stat found;
    if (shf_fs.fstatat(put->directory_fd, put->name, &found, 0) != 0) {
        if (errno != ENOENT) return failed(put, errno, "look at");
        return *wanted ? condition_failed(put, "the object that it was to replace is gone") : SHF_OK;
    }
    if (!*wanted) return condition_failed(put, "there is an object already");
    char *version = shf_file_version(&found);
    if (!version) return no_memory(put);
    bool same = strcmp(version, wanted) == 0;
    shf_free(version);
    return same ? SHF_OK : condition_failed(put, "the object is not what it was");
}

/* ---- putting in place ---- */

static int rename_to(const struct put *put, int from_directory, const char *from) {
    int result;
    do result = shf_fs.renameat(from_directory, from, put->directory_fd, put->name);
    while (result != 0 && errno == EINTR);
    return result;
}

/* A link replaces nothing, whoever else is writing; file systems without links have the lock. False: errno says why. */
static bool move_in(const struct put *put, int from_directory, const char *from) {
    const char *wanted = put->request->if_version;
    if (!wanted || *wanted) return rename_to(put, from_directory, from) == 0;
    int result;
    do result = shf_fs.linkat(from_directory, from, put->directory_fd, put->name, 0);
    while (result != 0 && errno == EINTR);
    if (result == 0) {
        (void)shf_fs.unlinkat(from_directory, from, 0);
        return true;
    }
    bool has_no_links = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK;
    return has_no_links && rename_to(put, from_directory, from) == 0;
}

static shf_status publish(struct put *put, const struct stat *source) {
    struct shf_store_request *request = put->request;
    bool takes = source && can_take(put, source);
    struct stat found;
    shf_status status = SHF_OK;
    if (!takes && source) status = copy_source(put, source);
    if (!takes && !source) status = write_data(put);
    if (!status) status = settle(put, takes ? request->source_fd : put->fd, &found);
    if (!status && !(request->version = shf_file_version(&found))) status = no_memory(put);
    if (!status && request->if_version) status = take_lock(put);
    if (!status && request->if_version) status = check_version(put);
    if (!status) status = check_now(put->answer);
    if (status) return status;
    bool moved = takes ? move_in(put, AT_FDCWD, request->source_path) : move_in(put, put->directory_fd, put->temporary);
    if (!moved && takes && errno != EEXIST) { /* two mounts of one device, or a directory that does not let it go */
        takes = false;
        status = copy_source(put, source);
        if (!status) status = settle(put, put->fd, &found);
        shf_free(request->version);
        request->version = status ? NULL : shf_file_version(&found);
        if (!status && !request->version) status = no_memory(put);
        if (status) return status;
        moved = move_in(put, put->directory_fd, put->temporary);
    }
    if (!moved && errno == EEXIST) return condition_failed(put, "there is an object already");
    if (!moved) return failed(put, errno, "put in place");
    if (!takes) put->has_temporary = false;
    request->object_size = request->data_size;
    request->modified_ns = shf_fs_modified_ns(&found);
    request->inode = (uint64_t)found.st_ino;
    return SHF_OK;
}

static void close_put(struct put *put) {
    drop_temporary(put);
    if (put->lock_fd >= 0) shf_fs_close(put->lock_fd);
    if (put->fd >= 0) shf_fs_close(put->fd);
    if (put->directory_fd >= 0) shf_fs_close(put->directory_fd);
    put->lock_fd = put->fd = put->directory_fd = -1;
}

/* Directory and temporary; a directory that is empty as yet may be removed under us. */
static shf_status begin(struct put *put) {
    shf_status status = SHF_OK;
    for (int tries = 1;; tries++) {
        bool gone = false;
        status = open_directory(put, &gone);
        if (!status) status = open_temporary(put, &gone);
        if (!status || !gone || tries == MOST_TRIES) return status;
        close_put(put);
        if (put->answer->error) {
            shf_error_free(*put->answer->error);
            *put->answer->error = NULL;
        }
    }
}

shf_status shf_file_put(const struct shf_file_answer *answer) {
    struct shf_store_request *request = answer->request;
    struct put put = {.answer = answer, .request = request, .directory_fd = -1, .fd = -1, .lock_fd = -1};
    struct stat source = {0};
    shf_status status = split(&put);
    if (!status && request->has_source && shf_fs.fstat(request->source_fd, &source) != 0) {
        status = failed(&put, errno, "look at the source of");
    }
    if (!status) status = begin(&put);
    if (!status) status = publish(&put, request->has_source ? &source : NULL);
    if (!status) {
        drop_temporary(&put);
        status = sync_directories(&put);
    }
    close_put(&put);
    shf_free(put.directory);
    return status;
}

/* ---- removing ---- */

/* Directories are made for objects, and go with the last one; whatever is in the way ends it. */
static void remove_empty_parents(const char *object_path) {
    char *path = shf_strdup(object_path);
    for (char *slash = path ? strrchr(path, '/') : NULL; slash && slash > path; slash = strrchr(path, '/')) {
        *slash = '\0';
        if (shf_fs.unlinkat(AT_FDCWD, path, AT_REMOVEDIR) != 0 && errno != ENOENT) break;
    }
    shf_free(path);
}

shf_status shf_file_delete(const struct shf_file_answer *answer) {
    int result;
    do result = shf_fs.unlinkat(AT_FDCWD, answer->path, 0);
    while (result != 0 && errno == EINTR);
    if (result == 0) {
        remove_empty_parents(answer->path);
        return SHF_OK;
    }
    struct stat found;
    int problem = errno;
    if (problem == ENOENT || problem == ENOTDIR || problem == EISDIR) return SHF_OK; /* there is no such object */
    if (problem == EPERM && shf_fs.fstatat(AT_FDCWD, answer->path, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISDIR(found.st_mode)) {
        return SHF_OK;
    }
    return shf_fs_error(answer->error, shf_fs_status(problem), problem, "cannot delete %s", answer->url);
}
