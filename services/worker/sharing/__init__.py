"""Several shards, several workers: who reads which.

A shard has a lease, a key that expires, and whoever holds it reads the shard. No guarantee depends on it: where two
read for a while, the consumer group still gives an entry to one of them. So Redis may lose a lease when it fails over.
"""
