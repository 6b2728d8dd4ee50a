from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader
import numpy as np

async def main():
    reader = await AsyncUnifiedShardedReader.open(
        s3_prefix="s3://my-bucket/snapshots/items",
        local_root="/tmp/unified",
    )
    # KV lookup
    val = await reader.get(b"item-123")
    # Vector search
    query = np.random.randn(384).astype(np.float32)
    results = await reader.search(query, top_k=10)
    await reader.close()

if __name__ == "__main__":
    import asyncio

    asyncio.run(main())
