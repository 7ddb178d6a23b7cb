import json
import subprocess
import sys

import pytest

from benchmarks import rows
from benchmarks.harness import BenchmarkError, Figures, Row, Run, Side, compare, run, table


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
    compare(Row(name="turns", ours=ours, peer=peer), 3)
    assert log.read_text() == "opopop"
    assert compare(Row(name="alone", ours=ours), 1)[1] is None


def test_figures_are_medians_and_rates_of_the_work_alone():
    runs = [Run(cpu=cpu, wall=cpu + 1, peak=int(cpu) * 10, said={}) for cpu in (9.0, 2.0, 4.0)]
    figures = Figures.of(Side(command=(), bytes=80), runs)
    assert (figures.cpu, figures.wall, figures.peak, figures.rate) == (4.0, 5.0, 40, 20.0)
    assert figures.pace == 16.0
    told = [Run(cpu=9.0, wall=9.0, peak=1, said={"cpu": cpu, "wall": 2 * cpu, "bytes": 6}) for cpu in (3.0, 1.0, 2.0)]
    assert Figures.of(Side(command=(), bytes=80), told).rate == 3.0
    assert Figures.of(Side(command=(), bytes=80), told).pace == 1.5


def test_the_table_compares():
    ours = Figures(bytes=50_000_000, cpu=3, wall=4, peak=300_000_000, rate=25e6, pace=12.5e6, said={})
    peer = Figures(bytes=5_000_000, cpu=40, wall=50, peak=900_000_000, rate=0.125e6, pace=0.1e6, said={})
    assert table({"rules": (ours, peer), "alone": (ours, None)}).splitlines()[2:] == [
        "| rules | 50.0 | 25 | 0.125 | 200 | 12.5 | 0.1 | 125 | 300 | 900 |",
        "| alone | 50.0 | 25 |  |  | 12.5 |  |  | 300 |  |",
    ]


def test_rows_are_chosen_by_a_word_of_their_name(monkeypatch):
    names = {name: lambda name=name: Row(name=name, ours=python("pass")) for name in ("words", "clean small", "clean")}
    monkeypatch.setattr(rows, "ROWS", names)
    assert [row.name for row in rows.rows()] == [*names]
    assert [row.name for row in rows.rows(["clean"])] == ["clean"]  # it is one
    assert [row.name for row in rows.rows(["cle", "words"])] == [*names]
    with pytest.raises(BenchmarkError, match="there are: words, clean small, clean"):
        rows.rows(["nope"])


def test_absent_peers_and_data_are_said_plainly(monkeypatch, tmp_path):
    monkeypatch.setattr(rows, "PEERS", tmp_path / "python")
    with pytest.raises(BenchmarkError, match="make peers"):
        rows.theirs("spacy_words")
    monkeypatch.setattr(rows, "DATA", tmp_path / "nowhere")
    monkeypatch.setattr(rows, "CACHE", tmp_path / "bench")
    with pytest.raises(BenchmarkError, match="GRISTMILL_SHARED_DATA"):
        rows.english(1)


def test_the_command_prints_a_table_and_keeps_the_figures(monkeypatch, tmp_path, capsys):
    from benchmarks import __main__ as command

    say = python('print(\'{"bytes": 4000000, "cpu": 2.0, "kept": 3}\')')
    for name in ("a", "b"):
        monkeypatch.setattr(rows, "ROWS", {name: lambda name=name: Row(name=name, ours=say, peer=say)})
        monkeypatch.setattr(command, "RESULTS", tmp_path / "results.json")
        monkeypatch.setattr(sys, "argv", ["benchmarks", "--rounds", "1"])
        command.main()
        printed = capsys.readouterr()
        assert printed.out.splitlines()[2].startswith(f"| {name} | 4.0 | 2 | 2 | 1 |")
        assert '"kept": 3' in printed.err
    kept = json.loads((tmp_path / "results.json").read_text())
    assert kept.keys() == {"a", "b"} and kept["a"]["peer"]["rate"] == 2e6
