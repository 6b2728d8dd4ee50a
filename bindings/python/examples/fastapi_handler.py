"""A FastAPI service over one snapshot: values by key, and the nearest neighbours of a vector.

    SNAPSHOT=s3://bucket/prefix uvicorn fastapi_handler:app

The reader is opened once, with the service, and closed with it. A value whose shard is open is answered without leaving
the event loop; a search runs on the core's threads meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, Response
from pydantic import BaseModel, Field

from shardyfusion import AsyncUnifiedShardedReader, ConfigValidationError, ShardyfusionError
from shardyfusion.vector.types import SearchResult


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Holds the reader for as long as the service runs."""
    app.state.reader = await AsyncUnifiedShardedReader.open(
        s3_prefix=os.environ["SNAPSHOT"], local_root=os.environ.get("CACHE", "/var/tmp/snapshot-cache")
    )
    yield
    await app.state.reader.close()


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    """A vector, and how many neighbours of it are wanted."""

    vector: list[float]
    top_k: int = Field(default=10, ge=1, le=1000)


@app.get("/items/{key}")
async def item(key: str, request: Request) -> Response:
    """The value of a key, as it is stored."""
    value = await request.app.state.reader.get(key)
    if value is None:
        raise HTTPException(404, "no such item")
    return Response(value, media_type="application/json")


@app.post("/neighbours")
async def neighbours(question: Question, request: Request) -> list[SearchResult]:
    """The nearest rows, with their distances and payloads."""
    try:
        response = await request.app.state.reader.search(question.vector, question.top_k)
    except ConfigValidationError as error:  # the caller's mistake: a wrong dimension, say
        raise HTTPException(422, str(error)) from error
    except ShardyfusionError as error:
        raise HTTPException(503 if error.retryable else 500, str(error)) from error
    hits: list[SearchResult] = response.results
    return hits


@app.get("/health")
async def health(request: Request) -> dict[str, object]:
    """Whether the reader is open, and how old its snapshot is."""
    state = request.app.state.reader.health()
    return {"status": state.status, "snapshot_age_seconds": state.manifest_age.total_seconds()}
