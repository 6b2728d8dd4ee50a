/* Runs: sorted rows in a file without a name, written once, read through a mapping. */
#include "writer/rows_priv.h"

#include "base/alloc.h"
#include "io/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define MOST_NAMES 64u /* tries to find a name that is free */

static atomic_uint name_counter;

/* Where the file system has no files without names: one with a name, for a moment. */
static int open_named(int directory) {
    for (uint32_t i = 0; i < MOST_NAMES; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "rows-%ld-%u", (long)getpid(), atomic_fetch_add(&name_counter, 1));
        int fd = shf_fs_open(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        if (fd < 0 && errno == EEXIST) continue;
        if (fd < 0) return -1;
        if (shf_fs.unlinkat(directory, name, 0) == 0) return fd;
        shf_fs_close(fd);
        return -1;
    }
    return -1; /* errno is EEXIST */
}

shf_status shf_rows_file_open(struct shf_rows_file *file, struct shf_rows *rows, uint8_t *buffer,
                              struct shf_error **error) {
    *file = (struct shf_rows_file){.rows = rows, .fd = -1, .buffer = buffer};
    int directory = rows->options.scratch_fd;
    file->fd = shf_fs_open(directory, ".", O_TMPFILE | O_RDWR, 0600);
    if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL)) {
        file->fd = open_named(directory);
    }
    if (file->fd >= 0) return SHF_OK;
    return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot create a file for rows in %s", rows->options.scratch_name);
}

static shf_status write_out(struct shf_rows_file *file, const void *data, size_t size, struct shf_error **error) {
    if (shf_fs_write(file->fd, data, size, file->size) != 0) {
        return shf_fs_error(error, SHF_E_LOCAL, errno, "cannot write rows to a file in %s",
                            file->rows->options.scratch_name);
    }
    file->size += size;
    atomic_fetch_add_explicit(&file->rows->spilled_bytes, size, memory_order_relaxed);
    return SHF_OK;
}

static shf_status flush(struct shf_rows_file *file, struct shf_error **error) {
    if (file->filled == 0) return SHF_OK;
    size_t size = file->filled;
    file->filled = 0;
    return write_out(file, file->buffer, size, error);
}

shf_status shf_rows_file_append(struct shf_rows_file *file, const void *data, size_t size, struct shf_error **error) {
    if (size == 0) return SHF_OK;
    if (!file->buffer) return write_out(file, data, size, error);
    if (size > file->rows->buffer_size - file->filled) {
        shf_status status = flush(file, error);
        if (status) return status;
        if (size >= file->rows->buffer_size) return write_out(file, data, size, error);
    }
    memcpy(file->buffer + file->filled, data, size);
    file->filled += size;
    return SHF_OK;
}

void shf_rows_file_drop(struct shf_rows_file *file) {
    if (file->fd >= 0) shf_fs_close(file->fd);
    file->fd = -1;
}

shf_status shf_rows_file_finish(struct shf_rows_file *file, const struct shf_rows_entry *sections,
                                uint32_t section_count, struct shf_rows_run **out, struct shf_error **error) {
    struct shf_rows_run *run = shf_alloc_zero(1, sizeof *run);
    shf_status status = SHF_OK;
    if (!run) {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the description of a file of rows");
        goto done;
    }
    run->rows_end = file->size + file->filled;
    run->section_count = section_count;
    status = shf_rows_file_append(file, sections, section_count * sizeof *sections, error);
    if (!status) status = flush(file, error);
    if (status) goto done;
    void *memory = shf_fs.mmap(NULL, file->size, PROT_READ, MAP_SHARED, file->fd, 0);
    if (memory == MAP_FAILED) {
        status =
            shf_fs_error(error, SHF_E_LOCAL, errno, "cannot map a file of rows in %s", file->rows->options.scratch_name);
        goto done;
    }
    (void)madvise(memory, file->size, MADV_SEQUENTIAL); /* advice */
    run->memory = memory;
    run->size = file->size;
    *out = run;
done:
    if (status) shf_free(run);
    shf_rows_file_drop(file);
    return status;
}

struct shf_rows_entry shf_rows_run_section(const struct shf_rows_run *run, uint32_t index) {
    struct shf_rows_entry section;
    memcpy(&section, run->memory + run->rows_end + index * sizeof section, sizeof section);
    return section;
}

uint64_t shf_rows_run_section_end(const struct shf_rows_run *run, uint32_t index) {
    return index + 1 < run->section_count ? shf_rows_run_section(run, index + 1).word : run->rows_end;
}

uint32_t shf_rows_run_find(const struct shf_rows_run *run, uint32_t shard) {
    uint32_t low = 0, high = run->section_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (shf_rows_run_section(run, middle).shard < shard) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void shf_rows_run_drop(const struct shf_rows_run *run, uint64_t from, uint64_t to) {
    (void)madvise(run->memory + from, (size_t)(to - from), MADV_DONTNEED); /* advice */
}

void shf_rows_run_free(struct shf_rows_run *run) {
    if (!run) return;
    (void)shf_fs.munmap(run->memory, run->size);
    shf_free(run);
}
