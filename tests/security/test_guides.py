"""Resources, prompts and completions tell a caller of their own stores and of no other, whatever is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.in_process import InProcess
from tests.security.canaries import CANARIES
from tests.security.planted import Planted
from zava import bootstrap
from zava.bootstrap import Application
from zava.local.stores import STORES
from zava.local.token_issuer import AUDIENCE, ISSUER
from zava.platform.signing_key import sign_token

_REGIONS = {store.slug: store.region for store in STORES}
_NAMES = {store.slug: store.name for store in STORES}
_PUGET_SOUND = frozenset(slug for slug, region in _REGIONS.items() if region == "puget-sound")

# The claims of a token, and the stores it may see.
_CALLERS: dict[str, tuple[dict[str, Any], frozenset[str]]] = {
    "head office": ({"role": "super_admin"}, frozenset(_NAMES)),
    "a region": ({"role": "regional_manager", "regions": ["puget-sound"]}, _PUGET_SOUND),
    "a region of one store": ({"role": "regional_manager", "regions": ["eastern-washington"]}, frozenset({"spokane"})),
    "a store": ({"role": "store_manager", "stores": ["seattle"]}, frozenset({"seattle"})),
    "two stores": ({"role": "store_manager", "stores": ["kirkland", "online"]}, frozenset({"kirkland", "online"})),
}
_PROMPTS_WITH_A_STORE = ("monthly_review", "find_products", "stock_check")


@pytest.fixture(scope="module")
async def app(planted: Planted) -> AsyncIterator[Application]:
    application = bootstrap.build(planted.database.settings)
    yield application
    await application.pools.close()


def _caller(app: Application, planted: Planted, claims: dict[str, Any]) -> InProcess:
    return InProcess(app, planted.database.cluster.issuer.mint(**claims))


def _slugs_in(text: str) -> set[str]:
    return {slug for slug, name in _NAMES.items() if name in text}


@pytest.mark.parametrize(("claims", "own"), _CALLERS.values(), ids=_CALLERS)
async def test_resources_hold_the_callers_stores_and_nothing_of_another(
    claims: dict[str, Any], own: frozenset[str], app: Application, planted: Planted
) -> None:
    caller = _caller(app, planted, claims)
    stores = json.loads(await caller.read("zava://stores"))["stores"]
    assert {store["store_id"] for store in stores} == {str(each.store_id) for each in STORES if each.slug in own}
    assert all(CANARIES[slug].tag in json.dumps(stores) for slug in own), "the canaries would show"
    texts = [json.dumps(stores), await caller.read("zava://schema")]
    texts += [await caller.read(f"zava://schema/{table}") for table in await caller.complete_table()]
    assert len(texts) == 2 + 9
    for text in texts:
        assert planted.evidence.of_others(text, *own) == frozenset()
        assert _slugs_in(text) <= own
    listed = json.dumps(
        [await caller.result(f"{each}/list") for each in ("resources", "resources/templates", "prompts", "tools")]
    )
    assert (_slugs_in(listed), planted.evidence.owners(listed)) == (set(), frozenset())


@pytest.mark.parametrize(("claims", "own"), _CALLERS.values(), ids=_CALLERS)
async def test_completions_are_the_callers_stores_and_regions(
    claims: dict[str, Any], own: frozenset[str], app: Application, planted: Planted
) -> None:
    caller = _caller(app, planted, claims)
    names = sorted(_NAMES[slug] for slug in own)
    for prompt in _PROMPTS_WITH_A_STORE:
        assert await caller.complete(prompt, "store") == names, prompt
        for slug, name in _NAMES.items():  # neither the whole name nor a part of it finds a foreign store
            assert await caller.complete(prompt, "store", name) == ([name] if slug in own else [])
            assert await caller.complete(prompt, "store", slug) == ([name] if slug in own else [])
    regions = {_REGIONS[slug] for slug in own}
    assert await caller.complete("compare_stores", "region") == sorted(regions)
    for region in set(_REGIONS.values()) - regions:
        assert await caller.complete("compare_stores", "region", region) == []
    for canary in CANARIES.values():
        assert await caller.complete("monthly_review", "store", canary.tag) == []


@pytest.mark.parametrize(("claims", "own"), _CALLERS.values(), ids=_CALLERS)
async def test_a_prompt_takes_the_callers_stores_and_does_not_know_another(
    claims: dict[str, Any], own: frozenset[str], app: Application, planted: Planted
) -> None:
    caller = _caller(app, planted, claims)
    nobody = await caller.ask("prompts/get", name="monthly_review", arguments={"store": "Zava Retail Nowhere"})
    for slug, name in _NAMES.items():
        answer = await caller.ask("prompts/get", name="monthly_review", arguments={"store": name})
        if slug in own:
            assert f'"{name}"' in answer[1]["result"]["messages"][0]["content"]["text"]
            assert _slugs_in(json.dumps(answer)) == {slug}
        else:  # the same answer as for a store that does not exist
            assert json.loads(json.dumps(answer).replace(name, "Zava Retail Nowhere")) == json.loads(json.dumps(nobody))
            assert _slugs_in(json.dumps(answer)) == own | {slug}
    for region in set(_REGIONS.values()) - {_REGIONS[slug] for slug in own}:
        _, answer = await caller.ask("prompts/get", name="compare_stores", arguments={"region": region})
        assert answer["error"]["message"].startswith(f"Argument region: You have no region '{region}'.")


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"roles": []}, id="no role"),
        pytest.param({"roles": ["auditor"]}, id="an unknown role"),
        pytest.param({"roles": ["store_manager"], "allowed_stores": []}, id="no store"),
        pytest.param({"roles": ["regional_manager"], "allowed_regions": []}, id="no region"),
    ],
)
@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("resources/list", {}),
        ("resources/templates/list", {}),
        ("resources/read", {"uri": "zava://stores"}),
        ("resources/read", {"uri": "zava://schema"}),
        ("prompts/list", {}),
        ("prompts/get", {"name": "stock_check"}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "stock_check"}, "argument": {"name": "store", "value": ""}},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_who_may_see_nothing_is_refused(
    claims: dict[str, Any], method: str, params: dict[str, Any], app: Application, planted: Planted
) -> None:
    token = sign_token(
        planted.database.cluster.issuer._key,
        claims,
        issuer=ISSUER,
        audience=AUDIENCE,
        subject="nobody",
        lifetime_hours=1,
    )
    status, answer = await InProcess(app, token).ask(method, **params)
    assert (status, answer["error"]["code"]) == (403, "AUTHORIZATION_ERROR")


_NEED_SALES: dict[str, tuple[str, dict[str, Any]]] = {
    "the schema": ("resources/read", {"uri": "zava://schema"}),
    "a table": ("resources/read", {"uri": "zava://schema/orders"}),
    "the stores": ("resources/read", {"uri": "zava://stores"}),
    "a prompt": ("prompts/get", {"name": "monthly_review"}),
    "a completion of a prompt": (
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "monthly_review"}, "argument": {"name": "store", "value": ""}},
    ),
    "a completion of a resource": (
        "completion/complete",
        {"ref": {"type": "ref/resource", "uri": "zava://schema/{table}"}, "argument": {"name": "table", "value": ""}},
    ),
}


@pytest.mark.parametrize(("method", "params"), _NEED_SALES.values(), ids=_NEED_SALES)
async def test_without_the_permission_it_is_refused_with_the_one_that_is_needed(
    method: str, params: dict[str, Any], app: Application, planted: Planted
) -> None:
    status, answer = await _caller(app, planted, {"role": "super_admin", "permissions": ["products.read"]}).ask(
        method, **params
    )
    assert (status, answer["error"]["code"]) == (403, "INSUFFICIENT_SCOPE")
    assert "needs the permission sales.read" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("permissions", "resources", "prompts"),
    [
        pytest.param(["products.read"], [], ["find_products"], id="products"),
        pytest.param(
            ["sales.read"],
            ["zava://schema", "zava://stores", "zava://schema/{table}"],
            ["monthly_review", "compare_stores", "stock_check"],
            id="sales",
        ),
        pytest.param(
            None,
            ["zava://schema", "zava://stores", "zava://schema/{table}"],
            ["monthly_review", "compare_stores", "find_products", "stock_check"],
            id="all",
        ),
    ],
)
async def test_what_a_caller_may_not_use_is_not_listed(
    permissions: list[str] | None, resources: list[str], prompts: list[str], app: Application, planted: Planted
) -> None:
    caller = _caller(app, planted, {"role": "super_admin", "permissions": permissions})
    listed = (await caller.result("resources/list"))["resources"]
    templates = (await caller.result("resources/templates/list"))["resourceTemplates"]
    uris = [each["uri"] for each in listed] + [each["uriTemplate"] for each in templates]
    assert [uri for uri in uris if uri.startswith("zava:")] == resources
    assert [each["name"] for each in (await caller.result("prompts/list"))["prompts"]] == prompts
