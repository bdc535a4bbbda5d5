"""`/rest/v1/`: insert, select with `eq`, delete, on the real database under the caller's role. No home-made PostgREST:
anything else is answered with 501.
"""

import json
import re
from typing import Any, NoReturn

import psycopg
from psycopg import sql
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.supabase.credentials import Credentials
from sandbox.supabase.tokens import TokenError, claims_of

TABLES = ("payment_methods",)
NAME = re.compile(r"[a-z_][a-z0-9_]*")
LIMIT = re.compile(r"[0-9]{1,18}")  # what fits into PostgreSQL's bigint
LARGEST_LIMIT = 1000
# PostgreSQL's error classes as HTTP has them, after PostgREST's table.
STATUS = {"42501": 403, "23505": 409, "23503": 409, "42P01": 404, "42703": 400}


class RefusalError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.response = JSONResponse({"code": code, "message": message, "details": None, "hint": None}, status)


class Rest:
    """One table at a time, every call in a transaction of its own."""

    def __init__(self, database: str, credentials: Credentials) -> None:
        self._database = database
        self._credentials = credentials

    def root(self, request: Request) -> Response:
        """What PostgREST answers with its description: enough to see that it is up."""
        try:
            self._claims(request)
        except RefusalError as refusal:
            return refusal.response
        return JSONResponse({"swagger": "2.0", "paths": {f"/{table}": {} for table in TABLES}})

    def table(self, request: Request, body: bytes) -> Response:
        try:
            claims = self._claims(request)
            table = _table(request.path_params["table"])
            match request.method:
                case "GET":
                    return JSONResponse(self._run(claims, *_select(table, request)))
                case "POST":
                    rows = self._run(claims, *_insert(table, request, body))
                    return _written(request, rows, 201)
                case "DELETE":
                    rows = self._run(claims, *_delete(table, request))
                    return _written(request, rows, 200)
                case _:
                    _not_served(request.method)
        except RefusalError as refusal:
            return refusal.response

    def _claims(self, request: Request) -> dict[str, Any]:
        """The API key is checked by the gateway; who the caller is, is the bearer token's word."""
        apikey = request.headers.get("apikey")
        if not apikey:
            raise RefusalError(401, "", "No API key found in request")
        if apikey not in (self._credentials.anon_key, self._credentials.service_role_key):
            raise RefusalError(401, "", "Invalid API key")
        header = request.headers.get("authorization") or f"Bearer {apikey}"
        try:
            return claims_of(header, self._credentials.jwt_secret)
        except TokenError as error:
            raise RefusalError(401, "PGRST301", str(error)) from error

    def _run(self, claims: dict[str, Any], query: sql.Composed, values: list[Any]) -> list[dict[str, Any]]:
        try:
            with psycopg.connect(self._database, connect_timeout=5) as connection:
                connection.execute(sql.SQL("set local role {}").format(sql.Identifier(claims["role"])))
                connection.execute("select set_config('request.jwt.claims', %s, true)", [json.dumps(claims)])
                rows = connection.execute(query, values).fetchall()
        except psycopg.OperationalError as error:
            raise RefusalError(503, "PGRST001", "Could not connect with the database") from error
        except psycopg.Error as error:
            code = error.sqlstate or "XX000"
            raise RefusalError(STATUS.get(code, 400), code, error.diag.message_primary or str(error)) from error
        return [json.loads(row[0]) for row in rows]


def _table(name: str) -> str:
    if name not in TABLES:
        raise RefusalError(404, "PGRST205", f"Could not find the table 'public.{name}' in the schema cache")
    return name


def _select(table: str, request: Request) -> tuple[sql.Composed, list[Any]]:
    columns, where, values = _parse(request, allowed=("select", "limit"))
    limit = request.query_params.get("limit", str(LARGEST_LIMIT))
    if not LIMIT.fullmatch(limit):
        raise RefusalError(400, "PGRST100", f"limit: {limit[:30]!r} is not a number of up to 18 digits")
    query = sql.SQL("select row_to_json(found)::text as row from (select {} from public.{} {} limit {}) found").format(
        columns, sql.Identifier(table), where, sql.Literal(int(limit))
    )
    return query, values


def _insert(table: str, request: Request, body: bytes) -> tuple[sql.Composed, list[Any]]:
    columns, _, _ = _parse(request, allowed=("select",), filters=False)
    try:
        text = body.decode()
        rows = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusalError(400, "PGRST102", "the body is not JSON") from error
    if isinstance(rows, list):
        _not_served("several rows at once")
    if not isinstance(rows, dict) or not rows:
        raise RefusalError(400, "PGRST102", "an object with the row's columns is needed")
    # As PostgREST does it: PostgreSQL itself reads the JSON's values, and refuses what a column can't hold.
    query = sql.SQL(
        "with made as (insert into public.{table} ({names}) "
        "select {names} from json_populate_record(null::public.{table}, %s) returning *) "
        "select row_to_json(shown)::text as row from (select {columns} from made) shown"
    ).format(
        table=sql.Identifier(table),
        names=sql.SQL(", ").join(sql.Identifier(_name(name)) for name in rows),
        columns=columns,
    )
    return query, [text]


def _delete(table: str, request: Request) -> tuple[sql.Composed, list[Any]]:
    columns, where, values = _parse(request, allowed=("select",))
    if not values:
        raise RefusalError(400, "21000", "DELETE requires a WHERE clause")
    query = sql.SQL(
        "with gone as (delete from public.{} {} returning *) "
        "select row_to_json(shown)::text as row from (select {} from gone) shown"
    ).format(sql.Identifier(table), where, columns)
    return query, values


def _parse(
    request: Request, *, allowed: tuple[str, ...], filters: bool = True
) -> tuple[sql.Composed, sql.Composed, list[Any]]:
    """(columns, where clause, values) of the query string."""
    conditions: list[sql.Composed] = []
    values: list[Any] = []
    for key, value in request.query_params.multi_items():
        if key in allowed:
            continue
        if not filters or not value.startswith("eq."):
            _not_served(f"{key}={value}")
        conditions.append(sql.SQL("{} = %s").format(sql.Identifier(_name(key))))
        values.append(value.removeprefix("eq."))
    where = sql.SQL("where {}").format(sql.SQL(" and ").join(conditions)) if conditions else sql.Composed([])
    select = request.query_params.get("select", "*")
    names = [sql.SQL("*")] if select == "*" else [sql.Identifier(_name(name)) for name in select.split(",")]
    return sql.SQL(", ").join(names), where, values


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        _not_served(name)
    return name


def _written(request: Request, rows: list[dict[str, Any]], status: int) -> Response:
    if "return=representation" in request.headers.get("prefer", ""):
        return JSONResponse(rows, status)
    return Response(status_code=201 if status == 201 else 204)


def _not_served(what: str) -> NoReturn:
    raise RefusalError(501, "PGRST000", f"the sandbox does not serve this: {what}")
