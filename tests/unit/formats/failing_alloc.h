/* The allocator of tests that fail one allocation after the other, and see that nothing stays. */
#ifndef SHF_TESTS_FORMATS_FAILING_ALLOC_H
#define SHF_TESTS_FORMATS_FAILING_ALLOC_H

/* From now on the n-th allocation fails, or none when 0; counting begins anew. */
void alloc_fail_at(unsigned n);
unsigned alloc_live(void); /* blocks that were allocated since and are not freed */
void alloc_normal(void);   /* back to the usual allocator */

#endif
