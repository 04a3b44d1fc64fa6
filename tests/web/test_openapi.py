"""The OpenAPI document: complete enough to make clients from."""

from typing import Any

import pytest
from litestar import Litestar

from coordinator.domain.access import Role, Scope
from coordinator.web.problems import HTTP_CODES, STATUS
from tests.conftest import MakeKey, client_of

pytestmark = pytest.mark.parametrize("s3_server", ["seaweedfs"], indirect=True)


@pytest.fixture
async def operations(app: Litestar) -> dict[str, dict[str, Any]]:
    """The document's operations by method and path."""
    paths = app.openapi_schema.to_schema()["paths"]
    return {
        f"{method} {path}": operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


async def test_every_operation_says_what_it_does(operations: dict[str, dict[str, Any]]) -> None:
    """Summary and description for people, an id of its own for generated clients."""
    bare = [
        route
        for route, operation in operations.items()
        if not (operation.get("summary") and operation.get("description"))
    ]
    ids = [operation["operationId"] for operation in operations.values()]

    assert bare == []
    assert len(set(ids)) == len(operations) == 46


async def test_examples_of_bodies_are_accepted(
    app: Litestar, make_key: MakeKey, operations: dict[str, dict[str, Any]]
) -> None:
    """An example that is refused for its shape teaches wrong."""
    told = {}
    key = await make_key(roles=(Role.UPLOADER, Role.ADMIN), scopes=(Scope.EVERY_TENANT,))
    async with client_of(app, key) as client:
        for route, operation in operations.items():
            if "requestBody" in operation:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                method, path = route.split(" ")
                for each in schema["examples"]:
                    answer = await client.request(method, path, json=each)
                    told[route] = answer.status_code

    assert told == {
        "post /api/upload/init": 201,
        "post /api/upload/urls": 404,
        "post /api/upload/chunk": 404,
        "post /api/upload/complete": 404,
        "post /api/uploads/{upload_id}/jobs": 404,
        "post /api/jobs/{job_id}/callback": 403,
        "post /api/keys": 201,
        "post /api/keys/{key_id}/rotate": 404,
        "put /api/quotas": 200,
        "post /api/erasures": 202,
        "put /api/retention": 200,
        "put /api/uploads/{upload_id}/hold": 404,
    }


async def test_every_refusal_that_a_route_documents_is_a_problem(
    operations: dict[str, dict[str, Any]],
) -> None:
    """By status, with the codes in the description."""
    codes = {code: status for status, code in HTTP_CODES.items()}
    codes |= {refusal.code: status for refusal, (status, _) in STATUS.items()}
    refusals = [
        (int(status), answer)
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if int(status) >= 400
    ]

    assert refusals
    for status, answer in refusals:
        assert list(answer["content"]) == ["application/problem+json"]
        named = [word.strip("`") for word in answer["description"].split("; ")]
        assert {codes[code] for code in named} == {status}


async def test_whoever_takes_a_query_says_what_a_wrong_one_gets(
    operations: dict[str, dict[str, Any]],
) -> None:
    """Litestar checks what stands in a query, and refuses it before the handler is called."""
    taking = {
        name: set(operation["responses"])
        for name, operation in operations.items()
        if any(each["in"] == "query" for each in operation.get("parameters", ()))
    }

    assert taking
    assert {name for name, statuses in taking.items() if "422" not in statuses} == set()
