"""Children that extract pages: kept for the next unit, and never with the answer of another page."""

import pytest

from gristmill.pipelines.readers.pages import html_extractor
from gristmill.pipelines.readers.pages.html_extractor import IdleExtractors, NoText

CHILD = """
import json, os, struct, sys
requests, answers = sys.stdin.buffer, sys.stdout.buffer
while header := requests.read(12):
    parts = [requests.read(size) for size in struct.unpack(">III", header)]
    if b"<p>die" in parts[2]:
        sys.exit()
    body = json.dumps({"text": parts[2].decode(), "child": os.getpid()}).encode()
    answers.write(struct.pack(">I", len(body)) + body)
    answers.flush()
"""


@pytest.fixture
def idle(tmp_path, monkeypatch):
    (tmp_path / "child.py").write_text(CHILD)
    monkeypatch.setattr(html_extractor, "WORKER", tmp_path / "child.py")
    made = IdleExtractors()
    yield made
    made.close()


def read(idle, *pages, favor="precision"):
    extractor = idle.take(5, favor)
    try:
        return [extractor.extract(page)["child"] for page in pages]
    finally:
        idle.give(extractor)


def test_the_next_unit_gets_the_child_of_the_last(idle):
    (first, same), (again,) = read(idle, b"<p>a", b"<p>b"), read(idle, b"<p>c")
    assert first == same == again
    assert read(idle, b"<p>d", favor="recall") != [first]  # other settings, another child
    assert read(idle, b"<p>e") == [first]


def test_a_child_is_not_kept_after_64_mb_nor_if_it_has_died_or_waited_too_long(idle, monkeypatch):
    (first,) = read(idle, b"<p>a")
    with pytest.raises(NoText):
        read(idle, b"<p>die")
    (second,) = read(idle, b"<p>b")
    idle.waiting[0].child.kill()
    idle.waiting[0].child.wait()
    (third,) = read(idle, b"<p>c")
    idle.close(seconds=60)
    assert read(idle, b"<p>d") == [third]
    idle.close()
    (fourth,) = read(idle, b"<p>e")
    monkeypatch.setattr(html_extractor, "MAX_CHILD_BYTES", 8)
    assert read(idle, b"<p>f") == [fourth] and idle.waiting == []
    assert len({first, second, third, fourth}) == 4


def test_a_child_that_owes_an_answer_is_not_kept(idle, monkeypatch):
    extractor = idle.take(5, "precision")
    extractor.extract(b"<p>a")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(html_extractor.struct, "unpack", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        extractor.extract(b"<p>of another unit")
    idle.give(extractor)
    assert idle.waiting == [] and extractor.child is None
