"""A patient client: it knows its file and what it was answered, and asks until it is done."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

import httpx

from tests.builders import SMALLEST
from tests.faults import files
from tests.faults.journal import Journal
from tests.faults.scenarios import Scenario, Trouble

_CYCLES: Final = 9
_FINAL: Final = {"COMPLETED", "FAILED"}


class World(Protocol):
    """What a client's surroundings do, besides answering."""

    service: httpx.AsyncClient
    s3: httpx.AsyncClient
    journal: Journal
    scenario: Scenario
    stage: int

    async def work(self) -> None:
        """Let time pass, and workers do what there is."""

    async def expire(self, upload: str) -> None:
        """Let an upload's deadline pass."""

    async def meddle(self, trouble: Trouble, upload: str) -> None:
        """Do something behind the service's back, once for every upload."""

    async def clear_the_way(self, upload: str) -> None:
        """Let the owner of a foreign object take it away."""


class Client:
    """The owner of one file."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._scenario = world.scenario
        self._name = name
        self._chunks = files.chunks_of(self._scenario.shape, name)
        self._wanted: set[int] = set()  # chunks that an answer asked for
        self._gives_up = False
        self._tells_truth = False

    async def pursue(self) -> str:
        """Go on where the answers so far have left it; return the upload, settled or not."""
        upload = self._known() or await self._open()
        for trouble in ("orphan", "flush-opened"):
            await self._world.meddle(trouble, upload)
        for _ in range(_CYCLES):
            seen = await self._call("status", "GET", f"/api/upload/status/{upload}", upload)
            if seen.json()["status"] in _FINAL:
                await self._hear_it_again(upload, seen.json()["status"])
                break
            await self._step(upload, seen.json())
            await self._world.work()
        return upload

    def _known(self) -> str | None:
        lines = self._world.journal.lines()
        heard = [line.upload for line in lines if line.word == "hear" and line.file == self._name]
        return next((upload for upload in heard if upload), None)

    async def _open(self) -> str:
        wish = {
            "fileName": self._name,
            "fileSize": sum(map(len, self._chunks)),
            "fileType": "text/csv",
            "chunkSize": SMALLEST,
            "autoComplete": self._scenario.goal == "automatic",
        }
        if not self._scenario.declares_late:
            wish["checksum"] = files.checksum(self._scenario, self._name)
        headers = {"Idempotency-Key": self._name} if self._scenario.has_key else {}
        answers = await self._at_once(
            *("init", "POST", "/api/upload/init", ""), json=wish, headers=headers
        )
        return str(answers[0].json()["uploadId"])

    async def _step(self, upload: str, seen: Mapping[str, Any]) -> None:
        goal = self._scenario.goal
        if self._gives_up or goal == "abort" or (goal == "regret" and self._world.stage > 0):
            await self._abort(upload, seen)
        elif goal == "expire":
            await self._let_expire(upload, seen)
        elif seen["status"] == "ASSEMBLING":
            # Some only watch: a worker must take over for them.
            if goal != "automatic" and self._scenario.seed % 2:
                await self._complete(upload)
        else:
            await self._send_and_complete(upload, seen)

    async def _send_and_complete(self, upload: str, seen: Mapping[str, Any]) -> None:
        missing = sorted(self._wanted | set(seen["missingChunks"]))
        if "early" in self._scenario.troubles and missing and not self._wanted:
            await self._send(upload, missing[:-1])
            await self._complete(upload)
        refused = await self._send(upload, missing)
        for trouble in ("assembled", "gone", "damaged", "foreign"):
            if trouble in self._scenario.troubles:
                await self._world.meddle(trouble, upload)
        await self._report(upload, range(len(self._chunks)))
        await self._world.meddle("flush-sent", upload)
        if self._scenario.goal == "race":
            await asyncio.gather(self._complete(upload), self._delete(upload))
        elif self._scenario.goal != "automatic" or refused or not seen["autoComplete"]:
            await self._complete(upload)
        await self._world.meddle("swapped", upload)

    async def _send(self, upload: str, indexes: Iterable[int]) -> bool:
        """Sign and send; say whether S3 refused any, as it does once the multipart is gone."""
        wanted = [
            {"chunkIndex": index, "sha256": hashlib.sha256(self._chunks[index]).hexdigest()}
            for index in indexes
        ]
        if not wanted:
            return False
        body = {"uploadId": upload, "chunks": wanted, "force": bool(self._wanted)}
        answers = await self._at_once("urls", "POST", "/api/upload/urls", upload, json=body)
        signed = answers[0].json().get("chunks", [])
        times = 2 if "twice" in self._scenario.troubles else 1
        puts = [self._put(each) for each in signed if "url" in each for _ in range(times)]
        return not all(await asyncio.gather(*puts))

    async def _put(self, signed: Mapping[str, Any]) -> bool:
        content = self._chunks[signed["chunkIndex"]]
        answer = await self._world.s3.put(signed["url"], content=content, headers=signed["headers"])
        return answer.is_success

    async def _report(self, upload: str, indexes: Iterable[int]) -> None:
        if self._scenario.reports:
            chunks = [{"chunkIndex": index} for index in indexes]
            body = {"uploadId": upload, "chunks": chunks}
            await self._call("chunk", "POST", "/api/upload/chunk", upload, json=body)

    async def _complete(self, upload: str) -> None:
        body = {"uploadId": upload}
        if self._scenario.declares_late and not self._tells_truth:
            declared = files.checksum(self._scenario, self._name)
            body |= {} if declared is None else {"checksum": declared}
        path = "/api/upload/complete"
        for answer in await self._at_once("complete", "POST", path, upload, json=body):
            await self._heed(upload, answer)

    async def _heed(self, upload: str, answer: httpx.Response) -> None:
        """Do what a refusal asks for."""
        refusal = answer.json()
        match refusal.get("code"):
            case "parts-missing":
                self._wanted |= set(refusal["missingChunks"])
            case "key-taken":
                await self._world.clear_the_way(upload)
            case "checksum-mismatch" if self._scenario.is_lie:
                self._gives_up = not self._scenario.declares_late
                self._tells_truth = True
            case "checksum-mismatch":
                self._wanted |= set(refusal["chunks"])
            case _:
                return  # done, or later

    async def _abort(self, upload: str, seen: Mapping[str, Any]) -> None:
        if self._scenario.goal == "abort" and seen["status"] != "ASSEMBLING":
            await self._send(upload, seen["missingChunks"][: self._scenario.seed % 3])
        await self._delete(upload)

    async def _delete(self, upload: str) -> None:
        await self._at_once("abort", "DELETE", f"/api/uploads/{upload}", upload)

    async def _let_expire(self, upload: str, seen: Mapping[str, Any]) -> None:
        if seen["status"] != "ASSEMBLING":
            await self._send(upload, seen["missingChunks"][: self._scenario.seed % 3])
        await self._world.expire(upload)
        if self._scenario.seed % 2:
            await self._complete(upload)

    async def _hear_it_again(self, upload: str, phase: str) -> None:
        """Whoever lost the answer may ask again: it is the same for ever."""
        if phase == "FAILED":
            await self._delete(upload)
        else:
            path = "/api/upload/complete"
            await self._call("complete", "POST", path, upload, json={"uploadId": upload})

    async def _at_once(self, *route: str, **request: Any) -> list[httpx.Response]:
        """Ask as often at the same time as the scenario says."""
        times = range(self._scenario.at_once)
        return await asyncio.gather(*(self._call(*route, **request) for _ in times))

    async def _call(
        self, call: str, method: str, path: str, upload: str, **request: Any
    ) -> httpx.Response:
        journal = self._world.journal
        journal.write(word="ask", call=call, file=self._name, upload=upload)
        answer = await self._world.service.request(method, path, **request)
        body = answer.json() if answer.content else {}
        journal.write(
            word="hear",
            call=call,
            file=self._name,
            upload=body.get("uploadId") or upload,
            status=answer.status_code,
            code=body.get("code", ""),
            phase=body["status"] if call in {"init", "status"} and answer.is_success else "",
        )
        return answer
