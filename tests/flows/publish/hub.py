"""A Hub on loopback: the part of its API by which a dataset is pushed, with repositories in memory."""

import base64
import json
import threading
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_good"


class Hub(ThreadingHTTPServer):
    """Repositories by name, each with its branches: path -> content. ``puts`` are the objects that were uploaded."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.repos, self.private, self.objects, self.puts, self.commits = {}, {}, {}, [], []
        self.refused = {}  # beginning of a path -> status
        self.lost_after = None  # uploads that arrive before all others fail

    def answer(self, method, path, body):
        """Return status and JSON for a request."""
        if path == "/api/repos/create":
            asked = json.loads(body)
            repo = f"{asked['organization'] or 'me'}/{asked['name']}"
            new = self.repos.setdefault(repo, {"main": {}}) == {"main": {}} and repo not in self.private
            self.private.setdefault(repo, asked.get("visibility") == "private" or asked.get("private", False))
            return (200 if new else 409), {"url": f"{self.url}/datasets/{repo}"}
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if path.startswith("/lfs/"):
            if self.lost_after is not None and len(self.puts) >= self.lost_after:
                return 400, {"error": "the disk is full"}
            assert sha256(body).hexdigest() == path[5:]
            self.puts.append(path[5:])
            self.objects[path[5:]] = body
            return 200, {}
        if path.endswith(".git/info/lfs/objects/batch"):
            return 200, {"objects": [self.object(each) for each in json.loads(body)["objects"]]}
        *_, owner, name, verb, branch = path.split("/", 6)
        branches = self.repos.get(f"{owner}/{name}")
        if branches is None:
            return 404, {"error": "Repository not found"}
        if verb == "branch":
            created = branches.setdefault(branch, dict(branches["main"]))
            return (200 if created is not None else 409), {}
        if branch not in branches:
            return 404, {"error": f"Invalid rev id: {branch}"}
        files = branches[branch]
        if verb == "tree":
            return 200, [{"type": "file", "path": p, "size": len(c), "oid": "0" * 40} for p, c in files.items()]
        if verb == "preupload":
            modes = [
                (file["path"], "lfs" if file["path"].endswith(".parquet") else "regular") for file in body_files(body)
            ]
            return 200, {"files": [{"path": p, "uploadMode": mode, "shouldIgnore": False} for p, mode in modes]}
        assert verb == "commit", path
        self.commit(files, [json.loads(line) for line in body.splitlines()])
        return 200, {"commitUrl": f"{self.url}/datasets/{owner}/{name}/commit/abc", "commitOid": "abc"}

    def object(self, asked):
        known = asked["oid"] in self.objects
        upload = {} if known else {"actions": {"upload": {"href": f"{self.url}/lfs/{asked['oid']}"}}}
        return {"oid": asked["oid"], "size": asked["size"], **upload}

    def commit(self, files, operations):
        self.commits.append(operations)
        for each in operations[1:]:
            value = each["value"]
            if each["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif each["key"] == "lfsFile":
                files[value["path"]] = self.objects[value["oid"]]
            else:
                assert each["key"] == "deletedFile"
                del files[value["path"]]


def body_files(body):
    return json.loads(body)["files"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        path = unquote(urlsplit(self.path).path)
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(iter(self.chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = next((status for start, status in self.server.refused.items() if path.startswith(start)), None)
        if not path.startswith("/lfs/") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            status = 401
        status, answer = (status, {"error": "refused"}) if status else self.server.answer(self.command, path, body)
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST

    def chunk(self):
        content = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return content

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    """Yield a Hub that answers requests."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
