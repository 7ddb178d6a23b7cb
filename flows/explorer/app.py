"""Web application of the explorer: server-side pages from the index, escaped by Jinja, GET requests only.

Nothing in a document can run: its text is escaped, and the policy below allows only the scripts and styles served here.
A page of another site can neither frame nor request these pages (``OwnPages``).
"""

import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gristmill.flows.escape import marked, visible
from gristmill.flows.explorer import document
from gristmill.flows.explorer.export import recipe_toml
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.masks import LONGEST, masked, masked_diff, masked_runs, masked_tokens
from gristmill.flows.explorer.overview import MOST, shares, stages
from gristmill.flows.explorer.pages import link, number, pager, reasons, threshold_page
from gristmill.flows.explorer.query import (
    ALL,
    NEWLY_KEPT,
    NEWLY_REMOVED,
    STATES,
    Query,
    find_page,
    sample_rows,
)
from gristmill.flows.explorer.sql import ROWS, SECONDS, Questions
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.flows.loopback import OwnPages, Token
from gristmill.flows.report.format import format_bytes, parts, percent
from gristmill.flows.runs.explain import find_document
from gristmill.pipelines.errors import GristmillError, RecipeError, shown

HERE = Path(__file__).parent
PIECE = 20_000  # characters of a text to show at a time
SHOWN = "shown"  # addresses=shown
SAMPLES = 6  # documents to show for each change of state
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Explorer:
    """Pages of one run."""

    def __init__(self, index: RunIndex, tokenizers: Tokenizers):
        self.index, self.tokenizers, self.thresholds = index, tokenizers, Thresholds(index)
        self.questions = Questions(index)
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            finalize=visible,
        )
        formats = {
            "marked": marked,
            "private": private,
            "number": number,
            "size": format_bytes,
            "share": percent,
            "parts": parts,
        }
        self.templates.filters |= formats | {"n": lambda value: f"{value:,}"}
        self.templates.globals |= {"link": link, "run": index, "states": STATES}
        shared = {"language": shares(index, index.language), "source": shares(index, index.source)}
        self.facets = {"shares": shared, "reasons": reasons(index)}

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
        if (addresses := asked.get("addresses", "")) not in ("", SHOWN):
            raise RecipeError(f"addresses is {shown(addresses)}; expected {SHOWN!r} or nothing")
        return Query(state=state, changes=self.thresholds.read(asked.getlist("set")), addresses=addresses, **plain)

    def render(self, request: Request, name: str, query: Query, **values: Any) -> HTMLResponse:
        """Return a page, or a part of one, with the address of the same page that shows or masks e-mail addresses."""
        switch = request.url.remove_query_params("addresses")
        switch = switch if query.addresses else switch.include_query_params(addresses=SHOWN)
        values = {"switch": f"{switch.path}?{switch.query}", **values}
        return HTMLResponse(self.templates.get_template(name).render(query=query, **values))

    def overview(self, request: Request) -> Response:
        query = self.query(request)
        outcome = self.thresholds.what_if(query.changes) if query.changes else None
        about = {"stages": stages(self.index.summary), "outcome": outcome, "most": MOST}
        return self.render(request, "overview.html", query, **about, **self.facets)

    def documents(self, request: Request) -> Response:
        """Return the list, and beside it the document that ``at`` names as ``part/row``."""
        query, at = self.query(request), request.query_params.get("at", "")
        page = find_page(self.index, self.thresholds, query)
        about = {"page": page, "at": at, **self.facets, **pager(self.index, self.thresholds, query)}
        if at:
            about |= self._document(request, query, self.read(*at.rpartition("/")[::2]))
        return self.render(request, "documents.html", query, **about)

    def ask(self, request: Request) -> Response:
        """Return the page for questions in SQL, with the answer or the mistake of the one that is asked."""
        query, sql = self.query(request), request.query_params.get("q", "").strip()
        about: dict[str, Any] = {"sql": sql, "answer": None, "error": "", "rows": ROWS, "seconds": SECONDS}
        try:
            about["answer"] = self.questions.ask(sql) if sql else None
        except RecipeError as error:
            about["error"] = " ".join(str(error).removeprefix(f"sql {shown(sql)}: ").split())[:400]
        page = self.render(request, "sql.html", query, schema=self.questions.schema, **about)
        page.status_code = 400 if about["error"] else 200
        return page

    def find(self, request: Request) -> Response:
        """Return a redirect to the page of the document with an id."""
        part, row = find_document(self.index.folder, request.query_params.get("id", ""))
        return RedirectResponse(link("/document", self.query(request), part, row))

    def rows(self, request: Request) -> Response:
        query = self.query(request)
        after = request.query_params.get("after")
        page = find_page(self.index, self.thresholds, query, -1 if after is None else _whole(after, "after"))
        return self.render(request, "rows.html", query, page=page, at="")

    def changed(self, request: Request) -> Response:
        """Return samples of documents that the moved thresholds would remove or keep."""
        query, samples = self.query(request), {}
        for state in (NEWLY_REMOVED, NEWLY_KEPT):
            asked = Query(state=state, changes=query.changes, addresses=query.addresses)
            samples[state] = asked, sample_rows(self.index, self.thresholds, asked, SAMPLES)
        return self.render(request, "changed.html", query, samples=samples)

    def read(self, part: str, row: str) -> document.Document:
        return document.read_document(self.index, part, _whole(row, "the row"))

    def show(self, request: Request, template: str) -> Response:
        query, found = self.query(request), self.read(**request.path_params)
        return self.render(request, template, query, **self._document(request, query, found))

    def text(self, request: Request) -> Response:
        query, found = self.query(request), self.read(**request.path_params)
        about = {"document": found, "history": found.history}
        return self.render(request, "text.html", query, **about, **self._piece(request, query, found))

    def _document(self, request: Request, query: Query, found: document.Document) -> dict:
        bars = document.bars(self.index, self.thresholds, query.changes, found)
        about = {"document": found, "history": found.history, "bars": bars, "tokenizers": list(self.tokenizers.paths)}
        return about | self._piece(request, query, found)

    def _piece(self, request: Request, query: Query, found: document.Document) -> dict:
        """Return PIECE characters of the text as one view shows it, and the start of the next piece."""
        view, begin = request.query_params.get("view", "changes"), _whole(request.query_params.get("from", "0"), "from")
        pieces = document.changes(found.text, found.spans)
        if view != "changes":
            pieces = [document.TextRun(document.SAME, document.clean_text(pieces))]
        shown = pieces if query.addresses else masked_runs(pieces)
        length = sum(len(piece.text) for piece in pieces)
        plain, here = (document.cut_out(each, begin, begin + PIECE) for each in (pieces, shown))
        tokens = None
        if view not in ("changes", "clean"):
            tokens = self.tokenizers.tokens(view, "".join(piece.text for piece in plain))
            tokens = tokens if query.addresses else masked_tokens(tokens, "".join(piece.text for piece in here))
        more = begin + PIECE if begin + PIECE < length else None
        return {"view": view, "pieces": here, "tokens": tokens, "more": more, "length": length}

    def copies(self, request: Request) -> Response:
        query = self.query(request)
        found, others = document.copies(self.index, self.read(**request.path_params).history["id"])
        if not query.addresses:
            found = [copy._replace(diff=masked_diff(copy.diff)) for copy in found]
        about = {"copies": found, "others": others, "compared": document.COMPARED}
        return self.render(request, "copies.html", query, **about)

    def move(self, request: Request) -> Response:
        query, asked = self.query(request), request.query_params
        about = threshold_page(self.index, self.thresholds, query, asked.get("rule", ""), asked.get("profile", ""))
        return self.render(request, "thresholds.html", query, **about)

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
        page = self.render(request, "mistake.html", Query(), error=str(error)[:400], switch="/")
        page.status_code = 400 if isinstance(error, RecipeError) else 404
        return page


@pass_context
def private(context, text: str, most: int = 0) -> Markup:
    """Return the text of a document as HTML, its e-mail addresses masked unless asked for, up to ``most`` characters.

    Cut text is masked with what follows, since half an address is not found.
    """
    text = text[: most + LONGEST] if most else text
    text = text if context["query"].addresses else masked(text)
    return marked(text[:most] if most else text)


def _whole(value: str, name: str) -> int:
    if re.fullmatch("[0-9]{1,15}", value):
        return int(value)
    raise RecipeError(f"{name} must be a whole number of up to 15 digits, found {shown(value)}")


def application(index: RunIndex, tokenizers: Tokenizers, token: str | None = None) -> Starlette:
    """Return the application, for browsers that know the token.

    Starlette runs its endpoints, plain functions, in threads, so a search blocks no page.
    """
    explorer = Explorer(index, tokenizers)
    routes = [
        Route("/", explorer.overview),
        Route("/documents", explorer.documents),
        Route("/rows", explorer.rows),
        Route("/document/{part}/{row}", partial(explorer.show, template="document.html")),
        Route("/pane/{part}/{row}", partial(explorer.show, template="pane.html")),
        Route("/text/{part}/{row}", explorer.text),
        Route("/copies/{part}/{row}", explorer.copies),
        Route("/find", explorer.find),
        Route("/thresholds", explorer.move),
        Route("/what-if", explorer.what_if),
        Route("/changed", explorer.changed),
        Route("/recipe.toml", explorer.recipe),
        Route("/sql", explorer.ask),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    middleware = [Middleware(OwnPages, policy=POLICY)]
    middleware += [Middleware(Token, token=token)] if token else []
    return Starlette(routes=routes, middleware=middleware, exception_handlers={GristmillError: explorer.mistake})
