typedef int shf_rt_placeholder; /* replaced by the first source of the module */
