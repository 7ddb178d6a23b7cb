"""Draw the README's picture of a report: the funnel and the measures of one step.

    python -m benchmarks.report_picture work/report/index.html docs/report.png

The script needs Chromium on the PATH and the package playwright.
"""

import io
import shutil
from pathlib import Path

import click

STEP, WIDTH = "gopher", 1000
REMOVE_OTHERS = """
    document.querySelectorAll("nav, footer, .note, main > section:not(#funnel):not(#rules)").forEach((e) => e.remove());
    document.querySelectorAll("#rules > h2, #rules > .lead, #rules .step:not(#rules-%s)").forEach((e) => e.remove());
    document.querySelectorAll("#rules .rules, #rules details").forEach((e) => e.remove());
"""
COLORS = 128


@click.command()
@click.argument("report", type=click.Path(exists=True, path_type=Path))
@click.argument("picture", type=click.Path(path_type=Path))
def main(report: Path, picture: Path):
    from PIL import Image
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 800}, device_scale_factor=1.5)
        page.goto(report.resolve().as_uri())
        page.evaluate(REMOVE_OTHERS % STEP)
        drawn = page.screenshot(full_page=True)
        browser.close()
    picture.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(drawn)).convert("RGB").quantize(COLORS).save(picture, optimize=True)
    click.echo(f"{picture}  {picture.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
