"""Posts that programs send: read as they come, judged one by one, published as the ingester does."""
