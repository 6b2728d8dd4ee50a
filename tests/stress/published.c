#include "stress/published.h"

#include "stress/stress.h"

#include <dirent.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void hash_file(const char *path, char out[65]) {
    size_t size;
    unsigned char digest[32];
    char *data = support_read_file(path, &size);
    REQUIRE(EVP_Digest(data, size, digest, NULL, EVP_sha256(), NULL) == 1);
    for (int i = 0; i < 32; i++) (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    free(data);
}

/* "path": "size digest" of custom.shf_objects. */
static void require_object(const char *directory, const char *object, const char *facts, bool wants_digest) {
    char *path = support_path("%s/%s", directory, object), digest[65];
    struct stat found;
    unsigned long long size = 0;
    char told[65] = "";
    REQUIRE(sscanf(facts, "%llu %64s", &size, told) == 2);
    if (stat(path, &found) != 0) stress_fail(__FILE__, __LINE__, "%s is named and not there", path);
    if ((unsigned long long)found.st_size != size) {
        stress_fail(__FILE__, __LINE__, "%s has %lld bytes, not %llu", path, (long long)found.st_size, size);
    }
    if (wants_digest) hash_file(path, digest);
    if (wants_digest && strcmp(digest, told) != 0) stress_fail(__FILE__, __LINE__, "%s is not what was written", path);
    free(path);
}

static void require_custom(const char *directory, const char *custom, unsigned shards, bool wants_digest) {
    json_t *json = json_loads(custom, 0, NULL), *objects = json_object_get(json, "shf_objects"), *facts;
    const char *object;
    REQUIRE(objects && json_object_size(objects) == 2 * (size_t)shards); /* each with its sidecar */
    json_object_foreach(objects, object, facts) require_object(directory, object, json_string_value(facts), wants_digest);
    json_decref(json);
}

static void require_manifest(const char *directory, const char *url, const char *manifest, bool wants_digest) {
    sqlite3 *database = NULL;
    sqlite3_stmt *statement = NULL;
    unsigned shards = 0;
    REQUIRE(sqlite3_open_v2(manifest, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    REQUIRE(sqlite3_prepare_v2(database, "SELECT db_url, db_bytes FROM shards", -1, &statement, NULL) == SQLITE_OK);
    for (; sqlite3_step(statement) == SQLITE_ROW; shards++) {
        const char *db_url = (const char *)sqlite3_column_text(statement, 0);
        struct stat found;
        REQUIRE(strncmp(db_url, url, strlen(url)) == 0);
        char *path = support_path("%s%s/shard.db", directory, db_url + strlen(url));
        if (stat(path, &found) != 0) stress_fail(__FILE__, __LINE__, "%s is not there", path);
        REQUIRE(found.st_size == sqlite3_column_int64(statement, 1));
        free(path);
    }
    (void)sqlite3_finalize(statement);
    REQUIRE(sqlite3_prepare_v2(database, "SELECT custom FROM build_meta", -1, &statement, NULL) == SQLITE_OK);
    REQUIRE(sqlite3_step(statement) == SQLITE_ROW);
    require_custom(directory, (const char *)sqlite3_column_text(statement, 0), shards, wants_digest);
    (void)sqlite3_finalize(statement);
    (void)sqlite3_close(database);
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

/* A directory without a manifest in it is one of which nobody was told. */
unsigned published_require_whole(const char *directory, const char *url, bool all_digests) {
    char *manifests = support_path("%s/manifests", directory);
    struct dirent **entries = NULL;
    unsigned count = 0;
    int names = scandir(manifests, &entries, NULL, by_name);
    for (int i = 0; i < names; i++) {
        char *path = support_path("%s/%s/manifest", manifests, entries[i]->d_name);
        struct stat found;
        if (entries[i]->d_name[0] != '.' && stat(path, &found) == 0) {
            require_manifest(directory, url, path, all_digests || i + 1 == names);
            count++;
        }
        free(path);
        free(entries[i]);
    }
    free(entries);
    free(manifests);
    return count;
}

unsigned published_count(const char *directory, const char *beginning) {
    unsigned count = 0;
    struct dirent *entry;
    DIR *names = opendir(directory);
    while (names && (entry = readdir(names)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        count += strncmp(entry->d_name, beginning, strlen(beginning)) == 0;
        if (entry->d_type != DT_DIR) continue;
        char *inner = support_path("%s/%s", directory, entry->d_name);
        count += published_count(inner, beginning);
        free(inner);
    }
    if (names) (void)closedir(names);
    return count;
}
