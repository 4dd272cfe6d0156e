"""A FHIR server of the shape of the Annuaire Santé's, over HTTP: invented people, pages, `_lastUpdated`, a key, moods."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mssante.identity import luhn_key
from mssante.registers.fhir import FINESS, METADATA, PERSON, STRUCTURE

KEY = "0123-key"
RPPS = "8" + "1099900001" + luhn_key("1099900001")
FINESS_NUMBER = "99000011" + luhn_key("99000011")
NOS = "https://mos.esante.gouv.fr/NOS"


def mailbox(address: str, kind: str, red: bool = False, **more: Any) -> dict[str, Any]:
    coded = {"coding": [{"system": f"{NOS}/TRE_R257-TypeBAL/FHIR/TRE-R257-TypeBAL", "code": kind}]}
    said = [{"url": "type", "valueCodeableConcept": coded}, {"url": "listeRouge", "valueBoolean": red}]
    said += [{"url": name, "valueString": value} for name, value in more.items()]
    return {"system": "email", "value": address, "extension": [{"url": METADATA, "extension": said}]}


def practitioner(number: str, family: str, given: str, boxes: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
    profession = {"coding": [{"system": f"{NOS}/TRE_G15-ProfessionSante/FHIR/TRE-G15-ProfessionSante", "code": "10"}]}
    return {
        "resourceType": "Practitioner", "id": number, "active": True, "identifier": [{"system": PERSON, "value": RPPS}],
        "name": [{"use": "official", "family": family, "given": [given.upper()], "prefix": ["MME"], "suffix": ["DR"]}],
        "qualification": [{"code": profession}], "telecom": list(boxes), **more,
    }  # fmt: skip


def organization(number: str, name: str, sector: str, boxes: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
    kind = {"coding": [{"system": f"{NOS}/TRE_R02-SecteurActivite/FHIR/TRE-R02-SecteurActivite", "code": sector}]}
    return {
        "resourceType": "Organization", "id": number, "active": True, "name": name, "type": [kind],
        "identifier": [{"system": STRUCTURE, "value": f"1{FINESS_NUMBER}"}, {"system": FINESS, "value": FINESS_NUMBER}],
        "address": [{"city": "Villefleur", "postalCode": "99100"}],
        "telecom": [{"system": "email", "value": "ordinary@mail.example"}, *boxes], **more,
    }  # fmt: skip


def role(number: str, person: str, place: str, boxes: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
    speciality = {
        "coding": [{"system": f"{NOS}/TRE_R38-SpecialiteOrdinale/FHIR/TRE-R38-SpecialiteOrdinale", "code": "SM04"}]
    }
    return {
        "resourceType": "PractitionerRole", "id": number, "active": True, "code": [speciality],
        "practitioner": {"reference": f"Practitioner/{person}"}, "organization": {"reference": f"Organization/{place}"},
        "telecom": list(boxes), **more,
    }  # fmt: skip


def gone(resource: dict[str, Any]) -> dict[str, Any]:
    """What the changes of 30 days say of a resource that was deleted."""
    return {"resourceType": resource["resourceType"], "id": resource["id"], "active": False}


def outcome(status: int, code: str) -> Response:
    said = f"HAPI-0302: camille.roche@medecins.example is not {code}"
    issue = [{"severity": "error", "code": code, "diagnostics": said}]
    return JSONResponse({"resourceType": "OperationOutcome", "issue": issue}, status)


class Annuaire:
    """`resources`: what it holds; `changed`: those that `_lastUpdated` finds; `busy`: so many answers 429 first; `forgets`: so many
    further pages are no longer kept; `refuses`: (status, code) instead of any answer; `lenient`: conditions on addresses are passed
    over; `loses`: so many changes are taken, and their answers lost; `ring`: the
    last page leads to the second."""

    def __init__(self, resources: list[dict[str, Any]]) -> None:
        self.resources, self.changed, self.busy = resources, resources, 0
        self.page_size, self.elsewhere, self.instead, self.ring = 2, "", b"", False
        self.retry_after, self.forgets, self.lenient, self.loses = "7", 0, False, 0
        self.refuses: tuple[int, str] | None = None
        self.patched: list[dict[str, Any]] = []
        self.asked: list[tuple[float, str, dict[str, str]]] = []

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/fhir/v2/_page", self._further),
                Route("/fhir/v2/{kind}", self._search),
                Route("/fhir/v2/{kind}", self._patch, methods=["PATCH"]),
            ]
        )

    async def _patch(self, request: Request) -> Response:
        if request.headers.get("esante-api-key") != KEY:
            return Response(status_code=401)
        system, _, value = request.query_params["identifier"].partition("|")
        known = {"system": system, "value": value}
        whole = [one for one in self.resources if known in one.get("identifier", ())]
        if len(whole) != 1:
            return Response(status_code=412 if whole else 404)
        assert request.headers["content-type"] == "application/fhir+json"
        if self.refuses:
            return outcome(*self.refuses)
        [operation] = (await request.json())["parameter"]
        self.patched.append(
            {part["name"]: next(v for n, v in part.items() if n != "name") for part in operation["part"]}
        )
        self.loses -= 1
        return JSONResponse(whole[0]) if self.loses < 0 else Response(status_code=500)

    async def _search(self, request: Request) -> Response:
        return self._answer(request, request.path_params["kind"], dict(request.query_params), 0)

    async def _further(self, request: Request) -> Response:
        """The real one's shape: `/fhir/v2/_page?id=…`, a search that it keeps for a while."""
        asked: dict[str, str] = json.loads(urlsafe_b64decode(request.query_params["id"]))
        start, kind = int(asked.pop("start")), asked.pop("kind")
        if self.forgets:
            self.forgets -= 1
            return outcome(410, "processing")
        return self._answer(request, kind, asked, start)

    def _answer(self, request: Request, kind: str, asked: dict[str, str], start: int) -> Response:
        self.asked.append((time.monotonic(), kind, asked))
        if request.headers.get("esante-api-key") != KEY:
            return Response(status_code=401)
        if self.busy:
            self.busy -= 1
            return Response(status_code=429, headers={"retry-after": self.retry_after})
        if self.refuses:
            return outcome(*self.refuses)
        if self.instead:
            return Response(self.instead)
        of_kind = [one for one in self._held(asked) if one["resourceType"] == kind]
        shown = of_kind[start : start + self.page_size]
        names = {one[side]["reference"] for one in shown for side in ("practitioner", "organization") if side in one}
        included = [one for one in self.resources if f"{one['resourceType']}/{one['id']}" in names]
        entry = [{"resource": one, "search": {"mode": "match"}} for one in shown]
        entry += [{"resource": one, "search": {"mode": "include"}} for one in included if "_include" in asked]
        bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(of_kind), "entry": entry, "link": []}
        further = start + self.page_size
        if self.ring or further < len(of_kind):
            more = asked | {"kind": kind, "start": str(further if further < len(of_kind) else 0)}
            key = urlsafe_b64encode(json.dumps(more).encode()).decode()
            url = f"{self.elsewhere or request.base_url}fhir/v2/_page?{urlencode({'id': key})}"
            bundle["link"] = [{"relation": "next", "url": url}, {"relation": "self", "url": str(request.url)}]
        return JSONResponse(bundle)

    def _held(self, asked: dict[str, str]) -> list[dict[str, Any]]:
        if "_lastUpdated" in asked:
            return self.changed
        if exact := asked.get("mailbox-mss:exact"):
            return [
                one for one in self.resources if self.lenient or any(box["value"] == exact for box in one["telecom"])
            ]
        assert asked["mailbox-mss:contains"] == "@"
        held = [one for one in self.resources if any("extension" in box for box in one["telecom"])]
        for side in ("practitioner", "organization"):
            if side in asked:
                names = [f"{side.capitalize()}/{one}" for one in asked[side].split(",")]
                held = [one for one in held if one.get(side, {}).get("reference") in names]
        return held
