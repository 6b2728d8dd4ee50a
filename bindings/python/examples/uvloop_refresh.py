"""A service on uvloop that goes over to new snapshots in the background, while it serves.

    SNAPSHOT=s3://bucket/prefix python uvloop_refresh.py KEY...

Looks the keys up once a second; a refresh that fails leaves the old snapshot served. Ends with Ctrl-C, or after
SECONDS.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

import uvloop

from shardyfusion import AsyncShardedReader, ShardyfusionError

REFRESH_SECONDS = float(os.environ.get("REFRESH_SECONDS", "30"))


async def keep_fresh(reader: AsyncShardedReader) -> None:
    """Asks for a new snapshot again and again. Lookups that run meanwhile finish on the snapshot they began on."""
    while True:
        await asyncio.sleep(REFRESH_SECONDS)
        try:
            if await reader.refresh():
                logging.info("now serving %s", reader.snapshot_info().run_id)
        except ShardyfusionError as error:
            logging.warning("still serving %s: %s", reader.snapshot_info().run_id, error)


async def serve(keys: list[str]) -> None:
    """Looks the keys up in whatever snapshot is current."""
    prefix, cache = os.environ["SNAPSHOT"], os.environ.get("CACHE", "/var/tmp/snapshot-cache")
    async with await AsyncShardedReader.open(s3_prefix=prefix, local_root=cache) as reader:
        refreshing = asyncio.create_task(keep_fresh(reader))
        try:
            while True:
                values = await reader.multi_get(keys)
                found = sum(value is not None for value in values.values())
                print(f"{reader.snapshot_info().run_id}: {found} of {len(keys)} keys found", flush=True)
                await asyncio.sleep(1)
        finally:
            refreshing.cancel()


async def main() -> None:
    """Serves until Ctrl-C, or for SECONDS."""
    seconds = os.environ.get("SECONDS")
    try:
        async with asyncio.timeout(float(seconds) if seconds else None):
            await serve(sys.argv[1:])
    except TimeoutError:
        pass


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    uvloop.run(main())
