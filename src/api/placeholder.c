typedef int shf_api_placeholder; /* replaced by the first source of the module */
