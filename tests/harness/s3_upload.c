/* Uploads with libcurl's own signatures, which are independent of the library's. */
#include "harness/s3_upload.h"

#include <curl/curl.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LONGEST_URL 16384
#define LONGEST_PATH 4096

struct answer {
    char text[512];
    size_t size;
};

static size_t keep(char *data, size_t size, size_t count, void *context) {
    struct answer *answer = context;
    size_t length = size * count, room = sizeof answer->text - 1 - answer->size;
    memcpy(answer->text + answer->size, data, length < room ? length : room);
    answer->size += length < room ? length : room;
    return length;
}

/* Everything but unreserved characters and slashes becomes %XX, as the signature wants it (libcurl does not do it). */
static void encode(const char *path, char *out, size_t room) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
    size_t used = strlen(out);
    for (; *path && used + 4 < room; path++) {
        bool is_plain = strchr(plain, *path) != NULL;
        used += (size_t)snprintf(out + used, room - used, is_plain ? "%c" : "%%%02X", (unsigned char)*path);
    }
}

/* HTTP status of METHOD /path?query, 0 when there was no answer. libcurl signs "name=" rightly, but not "name". */
static long request(struct s3_server *server, const char *method, const char *path, const char *query, const void *data,
                    size_t size, struct answer *answer) {
    char url[LONGEST_URL], user[128];
    long status = 0;
    struct curl_slist *headers = curl_slist_append(NULL, "x-amz-content-sha256: UNSIGNED-PAYLOAD");
    headers = curl_slist_append(headers, "Expect:");
    memset(answer, 0, sizeof *answer);
    if (!server->curl) server->curl = curl_easy_init();
    (void)snprintf(url, sizeof url, "%s", server->endpoint);
    encode(path, url, sizeof url);
    (void)snprintf(url + strlen(url), sizeof url - strlen(url), "%s", query);
    (void)snprintf(user, sizeof user, "%s:%s", server->access_key_id, server->secret_access_key);
    curl_easy_reset(server->curl); /* keeps the connection */
    (void)curl_easy_setopt(server->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(server->curl, CURLOPT_PATH_AS_IS, 1L);
    (void)curl_easy_setopt(server->curl, CURLOPT_CUSTOMREQUEST, method);
    (void)curl_easy_setopt(server->curl, CURLOPT_AWS_SIGV4, "aws:amz:" S3_SERVER_REGION ":s3");
    (void)curl_easy_setopt(server->curl, CURLOPT_USERPWD, user);
    (void)curl_easy_setopt(server->curl, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(server->curl, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(server->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(server->curl, CURLOPT_TIMEOUT, 30L);
    (void)curl_easy_setopt(server->curl, CURLOPT_WRITEFUNCTION, keep);
    (void)curl_easy_setopt(server->curl, CURLOPT_WRITEDATA, answer);
    if (strcmp(method, "PUT") == 0) {
        (void)curl_easy_setopt(server->curl, CURLOPT_POSTFIELDS, size ? data : "");
        (void)curl_easy_setopt(server->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)size);
    }
    if (curl_easy_perform(server->curl) == CURLE_OK) {
        (void)curl_easy_getinfo(server->curl, CURLINFO_RESPONSE_CODE, &status);
    }
    curl_slist_free_all(headers);
    return status;
}

bool s3_server_answers(struct s3_server *server) {
    struct answer answer;
    return request(server, "GET", "/", "", NULL, 0, &answer) == 200;
}

void s3_server_end_uploads(struct s3_server *server) {
    if (server->curl) curl_easy_cleanup(server->curl);
    server->curl = NULL;
}

static bool change(struct s3_server *server, const char *method, const char *path, const char *query, const void *data,
                   size_t size) {
    struct answer answer;
    long status = request(server, method, path, query, data, size, &answer);
    if (status == 200 || status == 204 || strstr(answer.text, "BucketAlreadyOwnedByYou")) return true;
    (void)fprintf(stderr, "%s %s%s: HTTP %ld: %s\n", method, path, query, status, answer.text);
    return false;
}

bool s3_server_make_bucket(struct s3_server *server, const char *bucket) {
    char path[LONGEST_PATH];
    (void)snprintf(path, sizeof path, "/%s", bucket);
    return change(server, "PUT", path, "", NULL, 0);
}

bool s3_server_put(struct s3_server *server, const char *bucket, const char *key, const void *data, size_t size) {
    char path[LONGEST_PATH];
    (void)snprintf(path, sizeof path, "/%s/%s", bucket, key);
    return change(server, "PUT", path, "", data, size);
}

bool s3_server_put_behind(struct s3_server *server, const char *bucket, const char *key, const void *data, size_t size) {
    char path[LONGEST_PATH];
    (void)snprintf(path, sizeof path, "%s/data/%s/%s", server->directory, bucket, key);
    for (char *slash = strchr(path + strlen(server->directory) + 6, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755); /* most are there already; what fails shows in the next line */
        *slash = '/';
    }
    FILE *file = fopen(path, "wb");
    bool ok = file && fwrite(data, 1, size, file) == size;
    if (file) ok = fclose(file) == 0 && ok;
    if (!ok) (void)fprintf(stderr, "%s can not be written\n", path);
    return ok;
}

bool s3_server_put_policy(struct s3_server *server, const char *bucket, const char *policy) {
    char path[LONGEST_PATH];
    (void)snprintf(path, sizeof path, "/%s", bucket);
    return change(server, "PUT", path, "?policy=", policy, strlen(policy));
}

bool s3_server_delete(struct s3_server *server, const char *bucket, const char *key) {
    char path[LONGEST_PATH];
    (void)snprintf(path, sizeof path, "/%s/%s", bucket, key);
    return change(server, "DELETE", path, "", NULL, 0);
}

/* ---- folders ---- */

static bool put_file(struct s3_server *server, const char *file, const char *bucket, const char *key) {
    struct stat facts;
    FILE *stream = fopen(file, "rb");
    char *data = NULL;
    bool ok = stream && fstat(fileno(stream), &facts) == 0;
    if (ok) data = malloc((size_t)facts.st_size + 1);
    ok = data && fread(data, 1, (size_t)facts.st_size, stream) == (size_t)facts.st_size &&
         s3_server_put(server, bucket, key, data, (size_t)facts.st_size);
    if (stream) (void)fclose(stream);
    free(data);
    return ok;
}

/* Like a writer, so that nobody can see half a snapshot: what begins with "_" comes last. */
static int pointer_last(const struct dirent **a, const struct dirent **b) {
    int a_pointer = (*a)->d_name[0] == '_', b_pointer = (*b)->d_name[0] == '_';
    return a_pointer != b_pointer ? a_pointer - b_pointer : strcmp((*a)->d_name, (*b)->d_name);
}

bool s3_server_put_folder(struct s3_server *server, const char *folder, const char *bucket, const char *prefix) {
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, pointer_last);
    bool ok = count >= 0;
    if (!ok) (void)fprintf(stderr, "%s can not be listed\n", folder);
    for (int i = 0; i < count; i++) {
        char path[LONGEST_PATH], key[LONGEST_PATH];
        struct stat facts;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        (void)snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? "/" : "", entries[i]->d_name);
        bool is_own = strcmp(entries[i]->d_name, ".") == 0 || strcmp(entries[i]->d_name, "..") == 0;
        free(entries[i]);
        if (!ok || is_own) continue;
        ok = stat(path, &facts) == 0;
        if (!ok) continue;
        ok = S_ISDIR(facts.st_mode) ? s3_server_put_folder(server, path, bucket, key)
                                    : put_file(server, path, bucket, key);
    }
    if (count >= 0) free(entries);
    return ok;
}
