"""Web application of the explorer: server-side pages from the index, escaped by Jinja, GET requests only.

Nothing in a document can run: its text is escaped, and the policy below allows only the scripts and styles served here.
A page of another site can neither frame nor request these pages (``OwnPages``).
"""

import re
from collections import Counter
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gristmill.flows.escape import marked, visible
from gristmill.flows.explorer import document
from gristmill.flows.explorer.export import recipe_toml
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.pages import link, number, pager, reasons, threshold_page
from gristmill.flows.explorer.query import (
    ALL,
    NEWLY_KEPT,
    NEWLY_REMOVED,
    STATES,
    Query,
    counts,
    find_page,
    sample_rows,
)
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.flows.loopback import OwnPages
from gristmill.flows.report.format import format_bytes
from gristmill.pipelines.errors import GristmillError, RecipeError
from gristmill.pipelines.settings import shown

HERE = Path(__file__).parent
PIECE = 20_000  # characters of a text to show at a time
SAMPLES = 6  # documents to show for each change of state
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Explorer:
    """Pages of one run."""

    def __init__(self, index: RunIndex, tokenizers: Tokenizers):
        self.index, self.tokenizers, self.thresholds = index, tokenizers, Thresholds(index)
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            finalize=visible,
        )
        self.templates.filters |= {"marked": marked, "number": number, "size": format_bytes}
        self.templates.globals |= {"link": link, "run": index, "states": STATES}
        self.facets = {"counts": counts(index), "reasons": reasons(index)}

    def query(self, request: Request) -> Query:
        """Return the query of an address; raise RecipeError for a value that it cannot have."""
        asked = request.query_params
        for name, count in Counter(name for name, _ in asked.multi_items() if name != "set").items():
            if count > 1:
                raise RecipeError(f"{name} is given {count} times; expected once")
        plain = {name: asked.get(name, "") for name in ("reason", "violates", "source", "language", "text")}
        state = asked.get("state", ALL)
        if state not in STATES:
            raise RecipeError(f"unknown state {state!r}; expected one of {', '.join(STATES)}")
        return Query(state=state, changes=self.thresholds.read(asked.getlist("set")), **plain)

    def render(self, name: str, query: Query, **values) -> HTMLResponse:
        return HTMLResponse(self.templates.get_template(name).render(query=query, **values))

    def documents(self, request: Request) -> Response:
        query = self.query(request)
        page = find_page(self.index, self.thresholds, query)
        totals = pager(self.index, self.thresholds, query)
        return self.render("documents.html", query, page=page, **self.facets, **totals)

    def rows(self, request: Request) -> Response:
        query = self.query(request)
        after = request.query_params.get("after")
        page = find_page(self.index, self.thresholds, query, -1 if after is None else _whole(after, "after"))
        return self.render("rows.html", query, page=page)

    def changed(self, request: Request) -> Response:
        """Return samples of documents that the moved thresholds would remove or keep."""
        query, samples = self.query(request), {}
        for state in (NEWLY_REMOVED, NEWLY_KEPT):
            asked = Query(state=state, changes=query.changes)
            samples[state] = asked, sample_rows(self.index, self.thresholds, asked, SAMPLES)
        return self.render("changed.html", query, samples=samples)

    def read(self, request: Request) -> document.Document:
        return document.read_document(
            self.index, request.path_params["part"], _whole(request.path_params["row"], "the row")
        )

    def show(self, request: Request, template: str) -> Response:
        query, found = self.query(request), self.read(request)
        bars = document.bars(self.index, self.thresholds, query.changes, found)
        about = {"document": found, "history": found.history, "bars": bars, "tokenizers": list(self.tokenizers.paths)}
        return self.render(template, query, **about, **self._piece(request, found))

    def text(self, request: Request) -> Response:
        query, found = self.query(request), self.read(request)
        about = {"document": found, "history": found.history}
        return self.render("text.html", query, **about, **self._piece(request, found))

    def _piece(self, request: Request, found: document.Document) -> dict:
        """Return PIECE characters of the text as one view shows it, and the start of the next piece."""
        view, begin = request.query_params.get("view", "changes"), _whole(request.query_params.get("from", "0"), "from")
        pieces = document.changes(found.text, found.spans)
        if view != "changes":
            pieces = [document.TextRun(document.SAME, document.clean_text(pieces))]
        length = sum(len(piece.text) for piece in pieces)
        here = document.cut_out(pieces, begin, begin + PIECE)
        tokens = None
        if view not in ("changes", "clean"):
            tokens = self.tokenizers.tokens(view, "".join(piece.text for piece in here))
        more = begin + PIECE if begin + PIECE < length else None
        return {"view": view, "pieces": here, "tokens": tokens, "more": more, "length": length}

    def copies(self, request: Request) -> Response:
        query = self.query(request)
        found, others = document.copies(self.index, self.read(request).history["id"])
        return self.render("copies.html", query, copies=found, others=others, compared=document.COMPARED)

    def move(self, request: Request) -> Response:
        query, asked = self.query(request), request.query_params
        about = threshold_page(self.index, self.thresholds, query, asked.get("rule", ""), asked.get("profile", ""))
        return self.render("thresholds.html", query, **about)

    def what_if(self, request: Request) -> Response:
        return JSONResponse(self.thresholds.what_if(self.query(request).changes))

    def recipe(self, request: Request) -> Response:
        """Return the recipe with the moved thresholds, as a download."""
        changes = self.query(request).changes
        headers = {"Content-Disposition": 'attachment; filename="explored.toml"'}
        return Response(
            recipe_toml(self.thresholds.recipe(changes), changes), media_type="application/toml", headers=headers
        )

    def mistake(self, request: Request, error: Exception) -> Response:
        status = 400 if isinstance(error, RecipeError) else 404
        html = self.templates.get_template("mistake.html").render(query=Query(), error=str(error)[:400])
        return HTMLResponse(html, status)


def _whole(value: str, name: str) -> int:
    if re.fullmatch("[0-9]{1,15}", value):
        return int(value)
    raise RecipeError(f"{name} must be a whole number of up to 15 digits, found {shown(value)}")


def application(index: RunIndex, tokenizers: Tokenizers) -> Starlette:
    """Return the application. Starlette runs its endpoints, plain functions, in threads, so a search blocks no page."""
    explorer = Explorer(index, tokenizers)
    routes = [
        Route("/", explorer.documents),
        Route("/rows", explorer.rows),
        Route("/document/{part}/{row}", partial(explorer.show, template="document.html")),
        Route("/pane/{part}/{row}", partial(explorer.show, template="pane.html")),
        Route("/text/{part}/{row}", explorer.text),
        Route("/copies/{part}/{row}", explorer.copies),
        Route("/thresholds", explorer.move),
        Route("/what-if", explorer.what_if),
        Route("/changed", explorer.changed),
        Route("/recipe.toml", explorer.recipe),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    middleware = [Middleware(OwnPages, policy=POLICY)]
    return Starlette(routes=routes, middleware=middleware, exception_handlers={GristmillError: explorer.mistake})
