import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from benchmarks import rows, sides
from benchmarks.harness import BenchmarkError, Figures, Row, Run, Side, compare, remove_old, run, table
from benchmarks.speed_chart import chart


def python(code, **settings):
    return Side(command=(sys.executable, "-c", code), **settings)


def test_a_command_is_charged_for_itself_and_its_children():
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', '''{burn}'''], check=True)"
    for code in (burn, child):
        taken = run(python(code))
        assert taken.cpu >= 0.29 and taken.wall >= 0.29
        assert taken.said == {}
    assert run(python("import time; time.sleep(0.3)")).cpu < 0.29


PEAKS = """
import sys
from benchmarks.harness import Side, run
import benchmarks.__main__  # brings nothing large along
for code in ("pass", "x = bytearray(200_000_000)"):
    print(run(Side(command=(sys.executable, "-c", code))).peak)
"""


def test_the_peak_is_that_of_the_command():
    measured = subprocess.run([sys.executable, "-c", PEAKS], capture_output=True, text=True, check=True)
    small, large = map(int, measured.stdout.split())
    assert 200e6 < large < 240e6
    assert small < 40e6


def test_a_command_tells_of_itself_in_its_last_line():
    assert run(python("print('noise'); print('{\"bytes\": 7}')")).said == {"bytes": 7}
    for code in ("print('{\"bytes\": 7}'); print('done')", "print(3)", "print()"):
        assert run(python(code)).said == {}


def test_a_command_that_fails_says_why():
    with pytest.raises(BenchmarkError, match=r"ended with 3: the reason"):
        run(python("import sys; print('the reason', file=sys.stderr); sys.exit(3)"))
    with pytest.raises(BenchmarkError, match="ended with -9: no message"):
        run(python("import os; os.kill(os.getpid(), 9)"))
    with pytest.raises(BenchmarkError, match="cannot run /nope: No such file"):
        run(Side(command=("/nope",)))


def test_sides_take_turns_and_begin_afresh(tmp_path):
    log, work = tmp_path / "log", tmp_path / "work"
    code = f"import os; os.mkdir({str(work)!r}); open({str(log)!r}, 'a').write('o')"
    ours = python(code, fresh=work)
    peer = python(f"open({str(log)!r}, 'a').write('p')")
    other = python(f"open({str(log)!r}, 'a').write('q')")
    _, peers = compare(Row(name="turns", ours=ours, peers={"one": peer, "two": other}), 3)
    assert log.read_text() == "opqopqopq" and [*peers] == ["one", "two"]
    assert len([*tmp_path.iterdir()]) == 4  # the log, and the output of each round
    remove_old(tmp_path)
    assert {*tmp_path.iterdir()} == {log, work}
    assert compare(Row(name="alone", ours=ours), 1)[1] == {}


def test_figures_are_medians_and_of_the_work_alone():
    runs = [Run(cpu=cpu, wall=cpu + 1, peak=int(cpu) * 10, said={}) for cpu in (9.0, 2.0, 4.0)]
    figures = Figures.of(Side(command=(), bytes=80), runs)
    assert (figures.bytes, figures.cpu, figures.wall, figures.peak) == (80, 4.0, 5.0, 40)
    told = [Run(cpu=9.0, wall=9.0, peak=1, said={"cpu": cpu, "wall": 2 * cpu, "bytes": 6}) for cpu in (3.0, 1.0, 2.0)]
    figures = Figures.of(Side(command=(), bytes=80), told)
    assert (figures.bytes, figures.cpu, figures.wall, figures.peak) == (6, 2.0, 4.0, 1)


OURS = Figures(bytes=50_000_000, cpu=2, wall=4, peak=300_000_000, said={})
SLOW = Figures(bytes=5_000_000, cpu=40, wall=50, peak=900_000_000, said={})
FAST = Figures(bytes=50_000_000, cpu=1.5, wall=8, peak=200_000_000, said={})


def test_times_are_by_the_byte():
    times = [OURS.times(peer, clock) for peer in (SLOW, FAST) for clock in ("cpu", "wall")]
    assert times == pytest.approx([200, 125, 0.75, 2])


def test_the_table_has_a_line_for_each_peer_and_marks_what_is_lost():
    assert table({"rules": (OURS, {"slow 1": SLOW, "fast 2": FAST}), "alone": (OURS, {})}).splitlines()[2:] == [
        "| rules | slow 1 | 50.0 | 2 | 5.0 | 40 | 200 | 125 | 300 | 900 |",
        "|  | fast 2 | 50.0 | 2 | 50.0 | 1.5 | **0.75** | 2.0 | 300 | 200 |",
        "| alone |  | 50.0 | 2 |  |  |  |  | 300 |  |",
    ]


def test_the_chart_draws_a_bar_to_each_side_of_one():
    drawn = chart({"rules": (OURS, {"slow <1>": SLOW, "fast 2": FAST})}, "Rules & more")
    root = ElementTree.fromstring(drawn)
    bars = [bar.attrib for bar in root.iter("{http://www.w3.org/2000/svg}rect")]
    one = next(float(line.get("x1")) for line in root.iter() if line.get("class") == "one")
    assert [bar["class"] for bar in bars] == ["won", "lost"]
    assert float(bars[0]["x"]) == one == pytest.approx(float(bars[1]["x"]) + float(bars[1]["width"]), abs=0.11)
    texts = [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert [t for t in texts if "×" not in t] == ["rules", "slow <1>", "200", "", "fast 2", "0.75"]
    assert [t for t in texts if "×" in t] == ["0.1 ×", "1 ×", "10 ×", "100 ×", "1,000 ×"]


def test_rows_are_chosen_by_a_word_of_their_name(monkeypatch):
    names = {name: lambda name=name: Row(name=name, ours=python("pass")) for name in ("words", "clean small", "clean")}
    monkeypatch.setattr(rows, "ROWS", names)
    assert [row.name for row in rows.rows(["all"])] == [*names]
    assert [row.name for row in rows.rows(["clean"])] == ["clean"]  # it is one
    assert [row.name for row in rows.rows(["cle", "words"])] == [*names]
    with pytest.raises(BenchmarkError, match="there are: words, clean small, clean"):
        rows.rows(["nope"])


def test_absent_peers_and_data_are_said_plainly(monkeypatch, tmp_path):
    monkeypatch.setattr(sides, "PEERS", tmp_path / "python")
    with pytest.raises(BenchmarkError, match="make peers"):
        sides.theirs("spacy_words")
    monkeypatch.setattr(sides, "DATA", tmp_path / "nowhere")
    monkeypatch.setattr(sides, "CACHE", tmp_path / "bench")
    with pytest.raises(BenchmarkError, match="GRISTMILL_SHARED_DATA"):
        sides.english(1)


def test_the_command_prints_a_table_and_keeps_the_figures(monkeypatch, tmp_path, capsys):
    from benchmarks import __main__ as command

    say = python('print(\'{"bytes": 4000000, "cpu": 2.0, "kept": 3}\')')
    monkeypatch.setattr(command, "RESULTS", tmp_path / "results.json")
    for name in ("a", "b"):
        monkeypatch.setattr(rows, "ROWS", {name: lambda name=name: Row(name=name, ours=say, peers={"it 1": say})})
        monkeypatch.setattr(sys, "argv", ["benchmarks", "all", "--rounds", "1"])
        command.main()
        assert capsys.readouterr().out.splitlines()[2].startswith(f"| {name} | it 1 | 4.0 | 2 | 4.0 | 2 | 1.0 |")
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept.keys() == {"a", "b"} and kept["a"]["peers"]["it 1"]["cpu"] == 2.0
