/* What the scenarios of reading do; the table is in scenarios.c. */
#ifndef SHF_TESTS_FAULT_SCENARIOS_READ_H
#define SHF_TESTS_FAULT_SCENARIOS_READ_H

#include "fault/session.h"

/* Runtimes, inspection, opening: scenarios_open.c. */
void make_runtime(struct session *session);
void inspect(struct session *session);
void open_reader(struct session *session);
void open_sync(struct session *session);
void open_pinned(struct session *session);
void open_given(struct session *session);
void open_fallback(struct session *session);
bool get_one(struct session *session, size_t row); /* whether it was right */
void open_and_get(struct session *session);
void heal(struct session *session); /* after the next four */
void open_gone_1(struct session *session);
void open_gone_3(struct session *session);
void open_gone_get_4(struct session *session);
void open_gone_get_8(struct session *session);

/* Lookups: scenarios_lookup.c. */
void get(struct session *session);
void get_long(struct session *session);
void get_sync(struct session *session);
void get_now(struct session *session);
void get_stored(struct session *session);
void multi_get_1(struct session *session);
void multi_get_100(struct session *session);
void multi_get_10000(struct session *session);
void multi_get_bad(struct session *session);
void buffers(struct session *session);

/* Searches: scenarios_search.c. */
void search(struct session *session);
void search_shards(struct session *session);
void search_in_turn(struct session *session);
void route_vector(struct session *session);
void search_like_dot(struct session *session);
void search_like(struct session *session);
void search_like_place(struct session *session);
void batch_search(struct session *session);

/* Refreshing, closing, history: scenarios_end.c. */
void refresh_given(struct session *session);
void refresh_changed(struct session *session);
void refresh_unchanged(struct session *session);
void refresh_malformed(struct session *session);
void set_credentials(struct session *session);
void close_drain(struct session *session);
void close_cancel(struct session *session);
void release_unclosed(struct session *session);
void search_and_release(struct session *session);
void history(struct session *session);

#endif
