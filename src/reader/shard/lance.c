/* Opening a Lance dataset. */
#include "reader/shard/lance.h"

#include "base/alloc.h"
#include "base/arena.h"
#include "base/text.h"
#include "reader/shard/shard.h"

#include <string.h>

void shf_lance_free(struct shf_lance *lance) {
    if (!lance) return;
    shf_lance_dataset_free(lance->dataset); /* points into the files and the manifest */
    for (uint32_t i = 0; lance->files && i < lance->file_count; i++) shf_buf_release(lance->files[i].buf);
    shf_free(lance->files);
    shf_lance_manifest_free(lance->manifest);
    shf_budget_give(lance->budget, lance->charged_bytes);
    shf_free(lance);
}

static shf_runtime *runtime_of(const struct shf_lance_opening *opening) { return opening->shard->source->runtime; }

/* Where the dataset lies, below the directory of its shard. */
static const char *directory_of(const struct shf_lance_opening *opening) {
    return opening->shard->keys == SHF_KEYS_NONE ? SHF_LANCE_DIRECTORY : SHF_LANCE_BESIDE_KEYS SHF_LANCE_DIRECTORY;
}

static void drop_all(struct shf_lance_opening *opening) {
    shf_newest_clear(&opening->newest);
    shf_store_request_clear(&opening->listing);
    shf_free(opening->directory);
    opening->directory = NULL;
    opening->downloaded_bytes += shf_object_group_clear(&opening->group);
}

/* A file that the manifest names is gone: a newer manifest may name others. True when it was begun anew. */
static bool begin_again(struct shf_lance_opening *opening, shf_status status, struct shf_error *error) {
    if (status != SHF_E_NOT_FOUND || opening->asked_again || !opening->made) return false;
    shf_log_write(shf_rt_log(runtime_of(opening)), SHF_LOG_WARNING, "looking for a newer manifest: %s",
                  shf_error_message(error));
    shf_error_free(error);
    drop_all(opening);
    shf_lance_free(opening->made);
    opening->made = NULL;
    opening->asked_again = true;
    shf_lance_opening_start(opening);
    return true;
}

/* On a worker. */
static void end(struct shf_lance_opening *opening, shf_status status, struct shf_error *error) {
    if (begin_again(opening, status, error)) return;
    drop_all(opening);
    if (status) {
        shf_lance_free(opening->made);
        opening->made = NULL;
        shf_error_prefix(&error, "%s", directory_of(opening));
    }
    opening->status = status;
    opening->error = error;
    opening->done(opening);
}

static shf_status charge(struct shf_lance *lance, uint64_t bytes, const char *what, struct shf_error **error) {
    if (!shf_budget_take(lance->budget, bytes)) return shf_budget_refuse(lance->budget, bytes, what, error);
    lance->charged_bytes += bytes;
    return SHF_OK;
}

/* ---- the files are there ---- */

static shf_status open_dataset(struct shf_lance *lance, struct shf_error **error) {
    const struct shf_lance_manifest *manifest = lance->manifest;
    struct shf_lance_source *sources = shf_alloc_zero(lance->file_count, sizeof *sources);
    struct shf_lance_fragment_bytes *fragments = shf_alloc_zero(manifest->fragment_count, sizeof *fragments);
    uint32_t next = 0;
    shf_status status = SHF_E_NO_MEMORY;
    for (uint32_t i = 0; sources && i < lance->file_count; i++) {
        sources[i] = shf_lance_source_of(lance->files[i].buf->data, lance->files[i].buf->size);
    }
    for (size_t i = 0; sources && fragments && i < manifest->fragment_count; i++) {
        const struct shf_lance_fragment *fragment = &manifest->fragments[i];
        fragments[i].files = &sources[next];
        next += (uint32_t)fragment->file_count;
        if (!fragment->has_deletions) continue;
        fragments[i].deletions = lance->files[next].buf->data;
        fragments[i].deletions_size = lance->files[next].buf->size;
        next++;
    }
    if (sources && fragments) {
        status = shf_lance_dataset_open(manifest, fragments, lance->budget, &lance->dataset, error);
    } else {
        status = shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the files of a Lance dataset");
    }
    shf_free(sources);
    shf_free(fragments);
    return status;
}

/* The manifest and every file. */
static shf_status make_identity(struct shf_lance_opening *opening, struct shf_error **error) {
    struct shf_text objects = {0};
    char digest[2 * sizeof opening->identity.digest + 1];
    for (uint32_t i = 0; i < opening->group.count; i++) {
        const struct shf_cache_key *key = &opening->group.objects[i].identity;
        shf_hex_encode(key->digest, sizeof key->digest, digest);
        shf_text_format(&objects, "%s\n", digest);
    }
    const struct shf_newest *newest = &opening->newest;
    const char *parts[] = {"Lance dataset", newest->name, newest->version, objects.data ? objects.data : ""};
    shf_status status = objects.failed ? shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the list of Lance files")
                                       : shf_cache_key_make(parts, 4, &opening->identity, error);
    shf_text_free(&objects);
    return status;
}

/* One that is gone may be so because of a newer manifest; nothing else is mended by waiting for the others. */
static void object_failing(struct shf_object_group *group, shf_status status) {
    struct shf_lance_opening *opening = SHF_CONTAINER(group, struct shf_lance_opening, group);
    if (status != SHF_E_NOT_FOUND || opening->asked_again) opening->failing(opening);
}

static void objects_there(struct shf_object_group *group) {
    struct shf_lance_opening *opening = SHF_CONTAINER(group, struct shf_lance_opening, group);
    struct shf_lance *lance = opening->made;
    struct shf_error *error = group->error;
    shf_status status = group->status;
    if (!status) status = make_identity(opening, &error);
    for (uint32_t i = 0; i < group->count && !status; i++) {
        lance->files[i] = group->objects[i].file;
        group->objects[i].file.buf = NULL;
    }
    if (!status) status = open_dataset(lance, &error);
    end(opening, status, error);
}

/* ---- the manifest is there ---- */

static char *key_of(const struct shf_lance_opening *opening, const char *folder, const char *name) {
    struct shf_text path = {0};
    shf_text_format(&path, "%s%s%s", directory_of(opening), folder, name);
    char *key = path.failed ? NULL : shf_shard_key_of(opening->shard, path.data);
    shf_text_free(&path);
    return key;
}

static void add_object(struct shf_lance_opening *opening, const char *folder, const char *name) {
    opening->group.objects[opening->group.count++] = (struct shf_object){
        .shard = opening->shard, .key = key_of(opening, folder, name), .kind = "lance", .cancel = opening->cancel};
}

static shf_status name_objects(struct shf_lance_opening *opening, struct shf_error **error) {
    struct shf_lance *lance = opening->made;
    const struct shf_lance_manifest *manifest = lance->manifest;
    struct shf_object_group *group = &opening->group;
    for (size_t i = 0; i < manifest->fragment_count; i++) { /* fits: limits of fragments and of files in one */
        lance->file_count += (uint32_t)manifest->fragments[i].file_count + manifest->fragments[i].has_deletions;
    }
    /* A manifest of many small files holds names of full length, and each file has an object. */
    uint64_t bytes = (uint64_t)manifest->fragment_count * sizeof *manifest->fragments +
                     (uint64_t)lance->file_count *
                         (sizeof *manifest->fragments->files + sizeof *lance->files + sizeof *group->objects);
    shf_status status = charge(lance, bytes, "the list of Lance files", error);
    if (status) return status;
    lance->files = shf_alloc_zero(lance->file_count, sizeof *lance->files);
    group->objects = shf_alloc_zero(lance->file_count, sizeof *group->objects);
    if (!lance->files || !group->objects) {
        return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for the %u files of a Lance dataset", lance->file_count);
    }
    group->done = objects_there;
    group->failing = object_failing;
    for (size_t i = 0; i < manifest->fragment_count; i++) {
        const struct shf_lance_fragment *fragment = &manifest->fragments[i];
        char name[SHF_LANCE_NAME_BYTES + 1];
        for (size_t f = 0; f < fragment->file_count; f++) add_object(opening, "data/", fragment->files[f].name);
        if (!fragment->has_deletions) continue;
        shf_lance_deletion_name(fragment, name);
        add_object(opening, "_deletions/", name);
    }
    return SHF_OK;
}

static shf_status parse_manifest(struct shf_lance_opening *opening, struct shf_error **error) {
    const struct shf_newest *newest = &opening->newest;
    uint64_t version = 0;
    shf_status status = shf_shard_check_cancelled(opening->cancel, error);
    if (status) return status;
    opening->made = shf_alloc_zero(1, sizeof *opening->made);
    if (!opening->made) return shf_error_set(error, SHF_E_NO_MEMORY, "no memory for a Lance dataset");
    opening->made->budget = shf_rt_budget(runtime_of(opening));
    (void)shf_lance_version_of_name(newest->name, &version); /* it was chosen for it */
    status = shf_lance_manifest_parse(newest->body->data, newest->body->size, version, &opening->made->manifest, error);
    if (status) shf_error_prefix(error, "_versions/%s", newest->name);
    return status ? status : name_objects(opening, error);
}

static void parse_task(struct shf_task *task) {
    struct shf_lance_opening *opening = SHF_CONTAINER(task, struct shf_lance_opening, task);
    struct shf_error *error = NULL;
    shf_status status = parse_manifest(opening, &error);
    if (!status && opening->group.count) {
        shf_object_group_start(&opening->group);
        return;
    }
    if (!status) status = make_identity(opening, &error);
    if (!status) status = open_dataset(opening->made, &error);
    end(opening, status, error);
}

/* ---- is there a dataset? ---- */

/* Without a manifest: either nothing is there at all, and the shard has no vectors, or the dataset was damaged. */
static void listed_task(struct shf_task *task) {
    struct shf_lance_opening *opening = SHF_CONTAINER(task, struct shf_lance_opening, task);
    struct shf_error *error = opening->newest.error;
    shf_status status = opening->newest.status;
    opening->newest.error = NULL;
    if (!status) {
        status = opening->listing.status;
        error = opening->listing.error;
        opening->listing.error = NULL;
    }
    if (!status && opening->listing.name_count) {
        status = shf_error_set(&error, SHF_E_INDEX, "it has no manifest, but %s; it was damaged, or half copied",
                               opening->listing.names[0]);
    } else if (!status && opening->asked_again) { /* it was there a moment ago */
        status = shf_error_set(&error, SHF_E_NOT_FOUND, "its files are gone, and so is its manifest: it was removed");
    }
    end(opening, status, error);
}

static void listed(struct shf_store_request *request) {
    struct shf_lance_opening *opening = SHF_CONTAINER(request, struct shf_lance_opening, listing);
    opening->task.run = listed_task;
    shf_rt_post_worker(runtime_of(opening), &opening->task);
}

static void manifest_there(struct shf_newest *newest) {
    struct shf_lance_opening *opening = SHF_CONTAINER(newest, struct shf_lance_opening, newest);
    if (newest->status || newest->name) {
        opening->task.run = newest->status ? listed_task : parse_task;
        shf_rt_post_worker(runtime_of(opening), &opening->task);
        return;
    }
    struct shf_store_request *request = &opening->listing;
    opening->directory = shf_shard_key_of(opening->shard, directory_of(opening));
    if (!opening->directory) {
        newest->status = shf_error_set(&newest->error, SHF_E_NO_MEMORY, "no memory to list a Lance dataset");
        opening->task.run = listed_task;
        shf_rt_post_worker(runtime_of(opening), &opening->task);
        return;
    }
    request->body_fd = -1;
    shf_shard_ask(opening->shard, request, SHF_STORE_LIST, opening->directory, opening->cancel, listed);
}

static const char *choose_manifest(char *const *names, size_t count) {
    uint64_t version;
    return shf_lance_latest_name((const char *const *)names, count, &version);
}

void shf_lance_opening_start(struct shf_lance_opening *opening) {
    opening->newest = (struct shf_newest){.shard = opening->shard,
                                          .directory = key_of(opening, "_versions/", ""),
                                          .max_bytes = SHF_LIMIT_LANCE_MANIFEST_BYTES,
                                          .choose = choose_manifest,
                                          .cancel = opening->cancel,
                                          .done = manifest_there};
    shf_newest_start(&opening->newest);
}
