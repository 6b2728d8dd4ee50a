typedef int shf_snapshot_placeholder; /* replaced by the first source of the module */
