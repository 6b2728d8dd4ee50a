/* The inside of a claim: claim.c goes from _CURRENT to the attempts of before, claim_records.c looks at run records. */
#ifndef SHF_WRITER_CLAIM_PRIV_H
#define SHF_WRITER_CLAIM_PRIV_H

#include "snapshot/manifest_names.h"
#include "writer/claim.h"

static inline struct shf_claim *shf_claim_of(struct shf_errand *errand) {
    return SHF_CONTAINER(errand, struct shf_claim, errand);
}
static inline bool shf_claim_resumes(const struct shf_claim *claim) { return claim->setup->flags & SHF_WRITE_RESUME; }
/* A listing of a prefix under which nothing is. */
static inline bool shf_claim_is_absent(const struct shf_claim *claim) {
    return shf_manifest_names_absent(&claim->setup->location, claim->errand.status);
}

/* claim.c: the ends; each lets done run. */
void shf_claim_finish(struct shf_claim *claim);
void shf_claim_fail(struct shf_claim *claim); /* as the last request did */
void shf_claim_refuse(struct shf_claim *claim, const char *why);
void shf_claim_no_memory(struct shf_claim *claim);

char *shf_claim_key(const struct shf_claim *claim, const char *tail); /* the caller's; NULL without memory, and for NULL */
/* Those that the last request listed. */
void shf_claim_take_names(struct shf_claim *claim);
/* The last step of a resume. */
void shf_claim_look_at_attempts(struct shf_claim *claim);

/* claim_records.c */
void shf_claim_look_at_records(struct shf_claim *claim);

#endif
