/* Files for the tests of `shardy build`. */
#ifndef BUILD_TEST_H
#define BUILD_TEST_H

#include "cli_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define TEST_BYTES 8192u

/* A file of these bytes; its name is the caller's array, "/tmp/shf-build-XXXXXX" or so. */
static inline void make_file(char *name, const void *data, size_t size) {
    strcpy(name, "/tmp/shf-build-XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, size), size);
    close(fd);
}
#define FILE_NAME_BYTES 32

static inline size_t gzip_bytes(unsigned char *out, const void *data, size_t size) {
    z_stream packer = {0};
    assert_int_equal(deflateInit2(&packer, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    packer.next_in = (unsigned char *)(uintptr_t)data;
    packer.avail_in = (unsigned)size;
    packer.next_out = out;
    packer.avail_out = TEST_BYTES;
    assert_int_equal(deflate(&packer, Z_FINISH), Z_STREAM_END);
    size_t packed = TEST_BYTES - packer.avail_out;
    deflateEnd(&packer);
    return packed;
}

static inline size_t zstd_bytes(unsigned char *out, const void *data, size_t size) {
    size_t packed = ZSTD_compress(out, TEST_BYTES, data, size, 3);
    assert_false(ZSTD_isError(packed));
    return packed;
}

#endif
