"""Tests that an address takes what is described, and nothing else."""

import itertools
from collections.abc import Iterator

import pytest
from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount, Route

from service.app import PAGES, STATIC
from tests.support.application import ask, make_settings

MARKER = "unmistakable-marker"


@pytest.fixture
def private_file(tmp_path):
    """Return a file that nobody is to get."""
    path = tmp_path / "secret.txt"
    path.write_text(MARKER)
    return path


def list_parameters(dependant: Dependant) -> set[str]:
    """Return the names of all that a function of FastAPI takes from a request, but its body."""
    own = itertools.chain(
        dependant.path_params,
        dependant.query_params,
        dependant.header_params,
        dependant.cookie_params,
    )
    return {field.alias for field in own}.union(*map(list_parameters, dependant.dependencies))


def list_routes(router: APIRouter) -> Iterator[BaseRoute]:
    """Yield the routes of a router, and of those that it includes."""
    for route in router.routes:
        if hasattr(route, "original_router"):
            yield from list_routes(route.original_router)
        else:
            yield route


def test_no_route_takes_a_parameter_that_is_not_described(model_folder, tmp_path):
    async def talk(client):
        return list(list_routes(client.app.router)), client.app.openapi()["paths"]

    routes, described = ask(make_settings(model_folder, tmp_path), talk)
    assert {route.path for route in routes} > {*described, *PAGES, "/static"}
    for route in routes:
        if isinstance(route, APIRoute):
            assert route.include_in_schema, f"{route.path} is not described"
            operations = described[route.path].values()
            known = {
                parameter["name"]
                for operation in operations
                for parameter in operation.get("parameters", [])
            }
            assert list_parameters(route.dependant) == known, route.path
        else:
            # Starlette's own, whose functions get the request and nothing of what is in it.
            assert type(route) in (Route, Mount), route
            assert "{" not in route.path.removesuffix("/{path:path}"), route.path


def test_a_page_is_the_same_whatever_is_asked_of_it(model_folder, tmp_path, private_file):
    values = [
        str(private_file),
        f"../../..{private_file}",
        f"..%2f..%2f..{private_file}",
        f"..%252f..%252f..{private_file}",
        "/etc/passwd",
        "../.env",
        "/dev/zero",
        ".",
        "no-such-file",
    ]

    async def talk(client):
        found = {}
        for page, key, value in itertools.product(PAGES, ("name", "path", "file"), values):
            found[page, key, value] = await client.get(f"{page}?{key}={value}")
        return found

    for (page, key, value), answer in ask(make_settings(model_folder, tmp_path), talk).items():
        assert answer.status_code == 200, (page, key, value)
        assert answer.content == (STATIC / PAGES[page]).read_bytes(), (page, key, value)


@pytest.mark.parametrize("start", ["/static", "/v1/model/plots", "", "/model"])
def test_no_address_leads_out_of_its_folder(model_folder, tmp_path, private_file, start):
    ups = ["../" * 12, "..%2f" * 12, "%2e%2e/" * 12, "%252e%252e%252f" * 12, "..\\" * 12, "/", "//"]

    async def talk(client):
        return [await client.get(f"{start}/{up}{str(private_file)[1:]}") for up in ups]

    for up, answer in zip(ups, ask(make_settings(model_folder, tmp_path), talk), strict=True):
        assert answer.status_code == 404, up
        assert MARKER not in answer.text, up


def test_the_description_names_the_labels_and_no_schema_in_vain(model_folder, tmp_path):
    async def talk(client):
        return (await client.get("/openapi.json")).json()

    description = ask(make_settings(model_folder, tmp_path), talk)
    schemas = description["components"]["schemas"]
    assert schemas["Correction"]["properties"]["label"]["enum"] == ["ham", "spam"]
    assert "HTTPValidationError" not in schemas
    assert all(f"#/components/schemas/{name}" in str(description) for name in schemas)
