//! Cloud Storage: objects in buckets, their bytes in files of their own and what is known of them in the store.
