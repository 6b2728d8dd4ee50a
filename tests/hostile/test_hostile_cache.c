/*
 * A local cache that somebody else prepared. Snapshots in files are opened with private copies, so that everything goes
 * through the cache: an open ends in a clear error or in right answers, whatever lies there, and nothing outside of the
 * directory is written, made or removed.
 */
#include "hostile/hostile.h"
#include "hostile/two_shards.h"

#include "integration/support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SECRET "a file of somebody else, which nobody may touch"
#define STRANGER 65534

static char *root, *cache, *outside, *secret;
static unsigned attacks, refusals;

enum { MOST_NAMES = 32 };
static char *names[MOST_NAMES]; /* of the files that a sound cache has */
static int name_count;

/* What is opened: a shard of SQLite, or two shards of databases. */
static const char *snapshot;
static void (*expect_right)(shf_reader *reader, const char *name);

/* ---- a directory outside, which must stay as it is ---- */

static void prepare_outside(void) {
    support_remove_tree(outside);
    assert_int_equal(mkdir(outside, 0700), 0);
    support_write_file(secret, SECRET, sizeof SECRET - 1);
}

static void check_outside(const char *attack) {
    struct dirent *entry;
    struct stat facts;
    size_t size;
    DIR *directory = opendir(outside);
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.' || strcmp(entry->d_name, "secret") == 0) continue;
        fail_msg("%s: %s was made outside", attack, entry->d_name);
    }
    (void)closedir(directory);
    char *text = support_read_file(secret, &size);
    if (size != sizeof SECRET - 1 || memcmp(text, SECRET, size) != 0)
        fail_msg("%s: a file outside was written", attack);
    free(text);
    assert_int_equal(stat(secret, &facts), 0);
    if ((facts.st_mode & 07777) != 0644 && (facts.st_mode & 07777) != 0600 && facts.st_uid == geteuid()) {
        fail_msg("%s: mode %o of a file outside", attack, (unsigned)facts.st_mode);
    }
}

/* ---- opening ---- */

enum wish { RIGHT, REFUSED, EITHER };

static shf_reader *open_with(const char *directory, uint32_t flags, const char *attack, shf_status *status) {
    shf_reader *reader = support_open(snapshot, directory, SHF_OPEN_PRIVATE_COPY | flags, status);
    attacks++;
    if (reader) return reader;
    refusals++;
    if (*status != SHF_E_LOCAL || strlen(support_message) < 20 || !strstr(support_message, "cache")) {
        fail_msg("%s: status %d: %s", attack, *status, support_message);
    }
    return NULL;
}

static void expect(enum wish wish, const char *directory, const char *attack) {
    shf_status status;
    shf_reader *reader = open_with(directory, 0, attack, &status);
    if (reader) {
        expect_right(reader, attack);
        support_close(reader);
    }
    if (wish == RIGHT && status) fail_msg("%s: %s", attack, support_message);
    if (wish == REFUSED && !status) fail_msg("%s: taken", attack);
    check_outside(attack);
}

static void clear_cache(void) {
    if (unlink(cache) != 0) support_remove_tree(cache);
}

static void fill_cache(void) {
    clear_cache();
    expect(RIGHT, cache, "a new cache");
}

static int begin_attacks(void) {
    root = support_temporary_directory();
    cache = support_path("%s/cache", root);
    outside = support_path("%s/outside", root);
    secret = support_path("%s/secret", outside);
    (void)umask(022);
    prepare_outside();
    fill_cache();
    struct dirent **entries;
    int count = scandir(cache, &entries, NULL, alphasort);
    name_count = 0;
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.' && name_count < MOST_NAMES) names[name_count++] = strdup(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

static int begin(void **state) {
    if (hostile_group_begin(state)) return -1;
    snapshot = hostile_snapshot();
    expect_right = hostile_expect_right;
    return begin_attacks() || name_count != 5; /* shard, vectors, a record each, lock */
}

static int begin_databases(void **state) {
    if (access("/dev/shm", W_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 0);
    if (support_set_up(state)) return -1;
    two_shards_begin();
    snapshot = two_shards_snapshot();
    expect_right = two_shards_expect_right;
    return begin_attacks() || name_count != 15; /* SST; two of WAL, Lance, vectors; a record each, lock */
}

static void end_attacks(void) {
    print_message("%u opens of prepared caches, %u refused\n", attacks, refusals);
    support_remove_tree(root);
    for (int i = 0; i < name_count; i++) free(names[i]);
    free(root);
    free(cache);
    free(outside);
    free(secret);
    attacks = refusals = 0;
}

static int end(void **state) {
    end_attacks();
    return hostile_group_end(state);
}

static int end_databases(void **state) {
    end_attacks();
    two_shards_end();
    return support_tear_down(state);
}

/* ---- the directory ---- */

static void test_what_is_no_directory(void **state) {
    (void)state;
    char *slash = support_path("%s/", cache), *dangling = support_path("%s/new", outside);
    char *parent = support_path("%s/link", root), *below = support_path("%s/link/cache", root);
    clear_cache();
    assert_int_equal(symlink(outside, cache), 0);
    expect(REFUSED, cache, "a link to a directory");
    expect(REFUSED, slash, "a link to a directory, with a slash");
    clear_cache();
    assert_int_equal(symlink(dangling, cache), 0);
    expect(REFUSED, cache, "a link to nothing");
    clear_cache();
    assert_int_equal(symlink(secret, cache), 0);
    expect(REFUSED, cache, "a link to a file");
    clear_cache();
    assert_int_equal(symlink("cache", cache), 0);
    expect(REFUSED, cache, "a link to itself");
    clear_cache();
    assert_int_equal(link(secret, cache), 0);
    expect(REFUSED, cache, "a file");
    clear_cache();
    assert_int_equal(mkfifo(cache, 0700), 0);
    expect(REFUSED, cache, "a FIFO");
    clear_cache();
    expect(REFUSED, "/dev/null", "a device");
    expect(REFUSED, "/proc/self/fd", "a directory in which nothing can be made");
    assert_int_equal(symlink(root, parent), 0); /* a link on the way is the user's own */
    expect(RIGHT, below, "a link above the directory");
    (void)unlink(parent);
    free(slash);
    free(dangling);
    free(parent);
    free(below);
}

static void test_who_may_write(void **state) {
    static const mode_t open_to_others[] = {0777, 0770, 0720, 0702, 01777, 02770};
    (void)state;
    for (size_t i = 0; i < sizeof open_to_others / sizeof open_to_others[0]; i++) {
        char attack[64];
        fill_cache();
        (void)snprintf(attack, sizeof attack, "a directory of mode %o", (unsigned)open_to_others[i]);
        assert_int_equal(chmod(cache, open_to_others[i]), 0);
        expect(REFUSED, cache, attack);
        assert_int_equal(chmod(cache, 0755), 0);
        expect(RIGHT, cache, "a directory that others may read");
    }
    /* root is not kept out */
    enum wish wish = geteuid() == 0 ? RIGHT : REFUSED;
    clear_cache();
    assert_int_equal(mkdir(cache, 0500), 0);
    expect(wish, cache, "an empty directory that nobody may write");
    assert_int_equal(chmod(cache, 0700), 0);
    fill_cache();
    assert_int_equal(chmod(cache, 0500), 0);
    expect(geteuid() == 0 ? RIGHT : EITHER, cache, "a full directory that nobody may write");
    assert_int_equal(chmod(cache, 0000), 0);
    expect(wish, cache, "a directory that nobody may read");
    assert_int_equal(chmod(cache, 0700), 0);
    if (geteuid() != 0) return;
    assert_int_equal(chown(cache, STRANGER, STRANGER), 0);
    expect(REFUSED, cache, "somebody else's directory");
    assert_int_equal(chown(cache, 0, 0), 0);
    expect(RIGHT, cache, "one's own directory again");
}

static void test_replaced_between_calls(void **state) {
    static const uint32_t flags[] = {0, SHF_OPEN_LAZY};
    char *moved = support_path("%s/moved", root);
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (int how = 0; how < 4; how++) {
            shf_status status;
            char attack[64];
            (void)snprintf(attack, sizeof attack, "flags %u, replaced in way %d", flags[i], how);
            clear_cache();
            shf_reader *reader = open_with(cache, flags[i], attack, &status);
            assert_non_null(reader);
            if (how < 3) (void)rename(cache, moved); /* a lazy reader has not made it yet */
            if (how == 0) assert_int_equal(symlink(outside, cache), 0);
            if (how == 1) assert_int_equal(mkdir(cache, 0777) | chmod(cache, 0777), 0);
            if (how == 2) support_write_file(cache, "x", 1);
            if (how == 3) clear_cache();
            if (flags[i] == 0 || how == 3) {
                expect_right(reader, attack); /* what is mapped stays mapped */
            } else {
                shf_op *op = NULL;
                shf_key key = shf_key_from_text("key-00001", 9);
                status = shf_get_sync(reader, &key, NULL, 0, &op);
                if (status && status != SHF_E_LOCAL) fail_msg("%s: %d", attack, status);
                shf_op_release(op);
            }
            check_outside(attack);
            expect(how == 3 ? RIGHT : REFUSED, cache, attack); /* another reader */
            support_close(reader);
            check_outside(attack);
            clear_cache();
            support_remove_tree(moved);
        }
    }
    free(moved);
}

/* ---- files in it ---- */

static bool make_socket(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0 || strlen(path) >= sizeof address.sun_path) {
        if (made >= 0) (void)close(made);
        return false;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    int bound = bind(made, (const struct sockaddr *)(const void *)&address, sizeof address);
    (void)close(made);
    return bound == 0;
}

/* The same number of other bytes, under the same name, with the time of the file that was there. */
static bool forge(const char *path, bool is_garbage) {
    size_t size;
    struct stat before;
    if (stat(path, &before) != 0 || before.st_size == 0) return false;
    char *data = support_read_file(path, &size);
    for (size_t i = 0; is_garbage && i < size; i++) data[i] = (char)(data[i] ^ 0x5a);
    support_write_file(path, data, size); /* by rename: another inode */
    free(data);
    const struct timespec times[2] = {before.st_atim, before.st_mtim};
    return utimensat(AT_FDCWD, path, times, 0) == 0;
}

static const char *const plants[] = {
    "a link to nothing outside",
    "a link to a file outside",
    "a link to a directory outside",
    "a hard link to a file outside",
    "a link to the file itself",
    "a FIFO",
    "a socket",
    "a device",
    "an empty directory",
    "a directory that is not empty",
    "an empty file",
    "a file of one byte",
    "other bytes of the same size and time",
    "the same bytes under another inode",
    "the file cut by a byte",
    "the file and a byte more",
    "others may write to it",
    "somebody else's file",
    "a file that can not be read",
    "a hard link within the cache",
    "zeros",
    "other bytes in place, written later",
};
enum { PLANTS = sizeof plants / sizeof plants[0] };

/* The same inode; the clock of a file system may be too coarse to tell so little time. */
static bool write_in_place(const char *path) {
    uint8_t block[4096];
    struct stat before;
    int file = open(path, O_RDWR | O_CLOEXEC);
    if (file < 0 || fstat(file, &before) != 0) return false;
    for (off_t at = 0; at < before.st_size;) {
        ssize_t size = pread(file, block, sizeof block, at);
        assert_true(size > 0);
        for (ssize_t i = 0; i < size; i++) block[i] ^= 0x5a;
        assert_int_equal(pwrite(file, block, (size_t)size, at), size);
        at += size;
    }
    (void)close(file);
    const struct timespec times[2] = {before.st_atim, {before.st_mtim.tv_sec + 1, before.st_mtim.tv_nsec}};
    return before.st_size > 0 && utimensat(AT_FDCWD, path, times, 0) == 0;
}

/* False: this can not be made here. */
static bool plant(int kind, const char *path) {
    char *other = support_path("%s/new", outside), *inner = support_path("%s/inner", path),
         *twin = support_path("%s/twin", cache);
    static const char zeros[200000];
    struct stat facts;
    bool is_there = stat(path, &facts) == 0, is_made = true;
    bool replaces = kind < 12 || kind == 20;
    if (replaces && is_there) (void)unlink(path);
    if (!replaces && !is_there) kind = -1;
    switch (kind) {
    case 0: is_made = symlink(other, path) == 0; break;
    case 1: is_made = symlink(secret, path) == 0; break;
    case 2: is_made = symlink(outside, path) == 0; break;
    case 3: is_made = link(secret, path) == 0; break;
    case 4: is_made = symlink(path, path) == 0; break;
    case 5: is_made = mkfifo(path, 0600) == 0; break;
    case 6: is_made = make_socket(path); break;
    case 7: is_made = mknod(path, S_IFCHR | 0600, (dev_t)(1 << 8 | 5)) == 0; break; /* /dev/zero */
    case 8: is_made = mkdir(path, 0700) == 0; break;
    case 9: is_made = mkdir(path, 0700) == 0 && mkdir(inner, 0700) == 0; break;
    case 10: support_write_file(path, "", 0); break;
    case 11: support_write_file(path, "x", 1); break;
    case 12: is_made = forge(path, true); break;
    case 13: is_made = forge(path, false); break;
    case 14: is_made = facts.st_size > 0 && truncate(path, facts.st_size - 1) == 0; break;
    case 15: is_made = truncate(path, facts.st_size + 1) == 0; break;
    case 16: is_made = chmod(path, 0666) == 0; break;
    case 17: is_made = geteuid() == 0 && chown(path, STRANGER, STRANGER) == 0; break;
    case 18: is_made = geteuid() != 0 && chmod(path, 0) == 0; break;
    case 19: is_made = link(path, twin) == 0; break;
    case 20: support_write_file(path, zeros, sizeof zeros); break;
    case 21: is_made = write_in_place(path); break;
    default: is_made = false;
    }
    free(other);
    free(inner);
    free(twin);
    return is_made;
}

static void test_planted_files(void **state) {
    unsigned made = 0;
    (void)state;
    for (int name = 0; name < name_count; name++) {
        for (int kind = 0; kind < PLANTS; kind++) {
            for (int is_full = 0; is_full < 2; is_full++) {
                char attack[160];
                char *path = support_path("%s/%s", cache, names[name]);
                (void)snprintf(attack, sizeof attack, "%s, %s, in %s cache",
                               strchr(names[name], '.') ? strchr(names[name], '.') : "lock", plants[kind],
                               is_full ? "a full" : "an empty");
                prepare_outside();
                fill_cache();
                if (!is_full) {
                    support_remove_tree(cache);
                    assert_int_equal(mkdir(cache, 0700), 0);
                }
                if (plant(kind, path)) {
                    made++;
                    expect(EITHER, cache, attack);
                    expect(EITHER, cache, attack); /* what it left behind */
                }
                free(path);
            }
        }
    }
    print_message("%u planted files\n", made);
    assert_true(made > 100);
}

/* Records and files of one shard under the names of another, and of another kind. */
static void test_swapped_files(void **state) {
    (void)state;
    for (int from = 0; from < name_count; from++) {
        for (int to = 0; to < name_count; to++) {
            char attack[200];
            if (from == to) continue;
            fill_cache();
            char *source = support_path("%s/%s", cache, names[from]), *target = support_path("%s/%s", cache, names[to]);
            (void)snprintf(attack, sizeof attack, "%.70s in the place of %.70s", names[from], names[to]);
            assert_int_equal(rename(source, target), 0);
            expect(EITHER, cache, attack);
            expect(EITHER, cache, attack);
            free(source);
            free(target);
        }
    }
}

static void exchange(const char *a, const char *b, const char *ending) {
    char *first = support_path("%s/%s%s", cache, a, ending), *second = support_path("%s/%s%s", cache, b, ending);
    char *between = support_path("%s/between", cache);
    assert_int_equal(rename(first, between), 0);
    assert_int_equal(rename(second, first), 0);
    assert_int_equal(rename(between, second), 0);
    free(first);
    free(second);
    free(between);
}

static bool has_record(const char *name) {
    for (int i = 0; i < name_count; i++) {
        if (strncmp(names[i], name, strlen(name)) == 0 && strcmp(names[i] + strlen(name), ".record") == 0) return true;
    }
    return false;
}

/* Each record still agrees with its file; they are of another shard, or of another kind. */
static void test_swapped_with_records(void **state) {
    (void)state;
    for (int a = 0; a < name_count; a++) {
        for (int b = a + 1; b < name_count; b++) {
            char attack[200];
            if (!has_record(names[a]) || !has_record(names[b])) continue;
            fill_cache();
            (void)snprintf(attack, sizeof attack, "%.70s and %.70s in each other's place", names[a], names[b]);
            exchange(names[a], names[b], "");
            exchange(names[a], names[b], ".record");
            expect(RIGHT, cache, attack);
            fill_cache();
            exchange(names[a], names[b], "");
            expect(RIGHT, cache, attack);
        }
    }
}

/* Leftovers of writers are tidied up: links among them must not lead the tidying out of the directory. */
static void test_temporaries(void **state) {
    static const char *const temporaries[] = {"tmp-", "tmp-0123456789abcdef", "tmp-..", "tmp-x.shard", "tmp-\n"};
    (void)state;
    for (size_t i = 0; i < sizeof temporaries / sizeof temporaries[0]; i++) {
        for (int kind = 0; kind < 12; kind++) {
            char attack[160];
            prepare_outside();
            fill_cache();
            char *path = support_path("%s/%s", cache, temporaries[i]);
            (void)snprintf(attack, sizeof attack, "a temporary: %s", plants[kind]);
            if (plant(kind, path)) expect(RIGHT, cache, attack);
            free(path);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_no_directory),
        cmocka_unit_test(test_who_may_write),
        cmocka_unit_test(test_replaced_between_calls),
        cmocka_unit_test(test_planted_files),
        cmocka_unit_test(test_swapped_files),
        cmocka_unit_test(test_swapped_with_records),
        cmocka_unit_test(test_temporaries),
    };
    int failed = cmocka_run_group_tests_name("SQLite", tests, begin, end);
    return failed + cmocka_run_group_tests_name("databases", tests, begin_databases, end_databases);
}
