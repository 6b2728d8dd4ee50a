/* The inside of the HTTP client: http_client.c keeps the requests, http_transfer.c talks to libcurl and libuv. */
#ifndef SHF_IO_HTTP_PRIV_H
#define SHF_IO_HTTP_PRIV_H

#include "io/http_client.h"

struct shf_http_list {
    struct shf_http_request *head, *tail;
    uint32_t count;
};

struct shf_http_client {
    struct shf_rt_service service;
    shf_runtime *runtime;
    struct shf_http_list lists[SHF_HTTP_ACTIVE + 1]; /* by enum shf_http_place */
    struct shf_http_stop_hook *hooks;
    int64_t look_due; /* when look_timer was to fire, on the base clock */
    uv_timer_t look_timer;
    bool pumping, stopped, has_unwatched;

    CURLM *multi;
    uv_timer_t curl_timer;
    CURL *spare[SHF_HTTP_CONNECTIONS]; /* used before, reset: cheaper than new ones */
    uint32_t spare_count;
};

/* http_client.c */
void shf_http_end(struct shf_http_request *request, shf_status status, const char *problem, struct shf_http_list *ending);
void shf_http_pump(struct shf_http_client *client);
/* After any call that let libcurl work. */
void shf_http_reap(struct shf_http_client *client);

/* http_transfer.c */
bool shf_http_transfers_init(struct shf_http_client *client);
void shf_http_transfers_fini(struct shf_http_client *client);
CURLcode shf_http_transfer_begin(struct shf_http_request *request);
void shf_http_transfer_end(struct shf_http_request *request);
void shf_http_transfer_resume(struct shf_http_request *request, struct shf_http_list *ending);
/* Ends the requests whose transfers are over. */
void shf_http_transfers_collect(struct shf_http_client *client, struct shf_http_list *ending);
shf_status shf_http_status_of(CURLcode code);

#endif
