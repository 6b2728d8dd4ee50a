/*
 * Records of the disk cache: one is believed only when every byte is what we would have written of that very file. The
 * input is a record; the file that it is held against is the one that it speaks of.
 */
#include "base/cursor.h"
#include "fuzz_entry.h"
#include "io/disk_cache_priv.h"

#include <string.h>

static struct stat file_of(const uint8_t record[SHF_CACHE_RECORD_BYTES]) {
    struct stat file;
    int64_t modified_ns = (int64_t)(shf_load_u64le(record + 64) >> 1); /* times before 1970 have no file of ours */
    memset(&file, 0, sizeof file);
    file.st_size = (off_t)shf_load_u64le(record + 56);
    file.st_mtim.tv_sec = (time_t)(modified_ns / 1000000000);
    file.st_mtim.tv_nsec = (long)(modified_ns % 1000000000);
    file.st_ino = (ino_t)shf_load_u64le(record + 72);
    return file;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t record[SHF_CACHE_RECORD_BYTES] = {0}, ours[SHF_CACHE_RECORD_BYTES];
    struct shf_cache_key key;
    memcpy(record, data, size < sizeof record ? size : sizeof record);
    memcpy(key.digest, record + 8, sizeof key.digest);
    struct stat file = file_of(record);
    shf_cache_record_encode(&key, "shard", &file, record + 80, record + 96, ours);
    demand(shf_cache_record_agrees(ours, &key, "shard", &file));
    demand(shf_cache_record_agrees(record, &key, "shard", &file) == (memcmp(record, ours, sizeof ours) == 0));
    demand(!shf_cache_record_agrees(ours, &key, "vectors", &file));
    /* Any byte of it turned, and any other file. */
    for (size_t at = 0; at < sizeof ours; at++) {
        ours[at] ^= 1;
        demand(!shf_cache_record_agrees(ours, &key, "shard", &file));
        ours[at] ^= 1;
    }
    file.st_ino++;
    demand(!shf_cache_record_agrees(ours, &key, "shard", &file));
    return 0;
}
